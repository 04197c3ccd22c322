"""CSV sources to typed parquet: for each its accepted rows in N parts, and its rejects. Run with `--manifest <uri>`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

try:
    import landfall_spark
except ModuleNotFoundError:  # On Glue it comes with --extra-py-files; in a checkout it is beside the stages.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "engine" / "spark"))

from landfall_spark import lines as L
from landfall_spark import objects, protocol, suspects, values
from landfall_spark.attribution import SOURCE, common_layout, numbered, read_lines
from landfall_spark.intake import Intake, take_in
from landfall_spark.protocol import Manifest, Place, SourceReport, refusal_of, report_of
from landfall_spark.record_copy import new_boundary
from landfall_spark.refused import RefusedSource
from landfall_spark.rejects import ORDER, RejectSummary, in_file_order, summaries, with_names, without_header
from landfall_spark.session import is_local, reaches
from landfall_spark.written import ParquetFile, in_parallel, parquet_files, parquet_writer


def convert(spark: SparkSession, manifest: Manifest, place: Place) -> list[SourceReport]:
    # Whole-stage code of a wide plan is one method beyond the size that the JVM compiles: several times slower.
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    # Sources are written side by side: sorting their rows first would sort nearly all for nothing.
    spark.conf.set("spark.sql.maxConcurrentOutputFileWriters", "64")
    # Lines are known by their numbers from one read to the next: the splits must not follow the workers that come and go.
    spark.conf.set("spark.sql.files.minPartitionNum", str(spark.sparkContext.defaultParallelism))
    plan, sources = manifest["plan"], manifest["sources"]
    local = is_local(spark)
    # One for all, as they are one read.
    boundary = new_boundary() if plan["source"]["multiline"] else None

    def intake(number: int) -> Intake | RefusedSource:
        source = sources[number]
        try:
            in_place = all(reaches(spark, given["uri"]) for given in source["inputs"])
            return take_in(source, number, plan, place, in_place, local, boundary)
        except RefusedSource as error:
            return error

    taken = in_parallel(list(range(len(sources))), intake)
    readable = {number: one for number, one in enumerate(taken) if isinstance(one, Intake)}
    reports = {number: refusal_of(sources[number], one) for number, one in enumerate(taken) if isinstance(one, RefusedSource)}
    if readable:
        reports |= Conversion(spark, manifest, place, readable, boundary).reports()
    return [reports[number] for number in range(len(sources))]


class Conversion:
    """Sources whose headers are right, by their numbers in the manifest."""

    def __init__(
        self, spark: SparkSession, manifest: Manifest, place: Place, readable: dict[int, Intake], boundary: str | None
    ) -> None:
        self.spark, self.manifest, self.place, self.readable = spark, manifest, place, readable
        self.boundary = boundary
        self.plan = manifest["plan"]
        self.dialect = L.dialect_of(self.plan)
        self.unique = bool(values.unique_columns(self.plan))

    def reports(self) -> dict[int, SourceReport]:
        rows_in, headers = self.count_lines()
        marks = Observation("marks")
        rows = self.typed_rows(self.canonical_or_not(self.data_lines(headers), list(self.readable)), list(self.readable))
        rows = L.computed_once(rows.withColumn("right", values.is_right(self.plan)), "right")
        if self.unique:
            # Whether a row repeats another depends on all of them: no look at the wrong lines alone tells.
            rows = values.with_repeats(rows, self.plan, SOURCE)
            right = rows.filter(F.col("right") & ~values.is_repeat(self.plan))
        else:
            right = rows.observe(marks, *suspects.marks(F.col("value"), ~F.col("right"))).filter("right")
        parts = self.write_accepted(values.output(right, self.plan, f"`{SOURCE}`"))
        accepted = {number: sum(file.rows for file in files) for number, files in parts.items()}
        short = [number for number in self.readable if accepted[number] < rows_in[number]]
        rejects: dict[int, RejectSummary] = {}
        if short:
            rejects = self.write_rejects(self.rejected(rows) if self.unique else self.rejected_again(short, suspects.marked(marks.get)))
        found: dict[int, SourceReport] = {}
        for number, one in self.readable.items():
            source = self.manifest["sources"][number]
            try:
                # Spark read the object by its name: what it read is the version that was meant only if it still is.
                if one.pinned:
                    objects.check_current(one.pinned)
            except RefusedSource as error:
                found[number] = refusal_of(source, error)
                continue
            summary = rejects.get(number, RejectSummary())
            # Nothing is made to fit here: settling compares rowsIn, counted over the lines, with what the files hold.
            found[number] = report_of(
                source,
                rowsIn=rows_in[number],
                accepted=accepted[number],
                rejected=summary.rows,
                reasons=summary.reasons,
                examples=summary.examples,
                parts=self.publish(number, parts[number]),
                rejects=self.publish_rejects(number, summary),
            )
        return found

    def count_lines(self) -> tuple[dict[int, int], dict[int, int]]:
        """Data rows of each source, and where its header is, if other lines look like it."""
        is_header = F.col("value") == F.col("header")
        first = F.min(F.when(is_header, F.struct("block", "nth"))).alias("first")
        lines = numbered(self.read(list(self.readable))).filter(L.is_data(self.dialect))
        counts = F.count("*").alias("lines"), F.count_if(is_header).alias("headers"), first
        counted = {row[SOURCE]: row for row in lines.groupBy(f"`{SOURCE}`").agg(*counts).collect()}
        if set(counted) != set(self.readable) or any(row["headers"] < 1 for row in counted.values()):
            raise RuntimeError(f"A source lost its header while it was read: {counted}")
        rows_in = {number: row["lines"] - 1 for number, row in counted.items()}
        return rows_in, {number: row["first"]["nth"] for number, row in counted.items() if row["headers"] > 1}

    def read(self, numbers: list[int]) -> DataFrame:
        uris = {number: self.readable[number].uri for number in numbers}
        return read_lines(self.spark, uris, self.headers(numbers), self.boundary)

    def headers(self, numbers: list[int]) -> dict[int, Any]:
        return {number: (self.readable[number].header, self.readable[number].layout) for number in numbers}

    def data_lines(self, headers: dict[int, int]) -> DataFrame:
        """All lines but the headers, of which the places are given where other lines look like them."""
        lines = self.read(list(self.readable))
        is_header = F.col("value") == F.col("header")
        if headers:
            is_header &= ~F.col(f"`{SOURCE}`").isin(list(headers)) | F.col("nth").isin(list(headers.values()))
        if headers or self.unique:
            lines = numbered(lines)
        data = lines.filter(L.is_data(self.dialect) & ~is_header)
        return data if self.unique else data.drop("block", "nth")

    def canonical_or_not(self, lines: DataFrame, numbers: list[int]) -> DataFrame:
        return L.with_canonical(lines, self.plan, common_layout([self.readable[number].layout for number in numbers]))

    def typed_rows(self, lines: DataFrame, numbers: list[int]) -> DataFrame:
        lines = L.with_problem(L.with_fields(lines, self.dialect), self.dialect)
        layout = common_layout([self.readable[number].layout for number in numbers])
        raw = L.with_raw(lines, len(self.plan["columns"]), layout, self.dialect.quote)
        return values.with_values(raw.drop("fields", "width", "places"), self.plan)

    def write_accepted(self, rows: DataFrame) -> dict[int, list[ParquetFile]]:
        """The parts of each source; for a source without rows one that is empty, so that the next stage wakes and clears."""
        out = f"{self.place.spark}accepted/"
        if len(self.readable) == 1:
            (only,) = self.readable
            parquet_writer(rows.drop(SOURCE), self.plan).parquet(out)
            files = [ParquetFile(file.uri, only, file.rows) for file in parquet_files(out, SOURCE)]
        else:
            parquet_writer(rows, self.plan).partitionBy(SOURCE).parquet(out)
            files = parquet_files(out, SOURCE)
        parts = {number: [file for file in files if file.group == number and file.rows > 0] for number in self.readable}
        for number in (number for number, files in parts.items() if not files):
            parts[number] = [ParquetFile(self.empty_part(number), number, 0)]
        return parts

    def empty_part(self, number: int) -> str:
        out = f"{self.place.spark}empty/{number:05}/"
        self.spark.createDataFrame([], values.schema_of(self.plan)).coalesce(1).write.parquet(out)
        (file,) = (uri for uri in objects.list_below(out) if uri.endswith(".parquet"))
        return file

    def rejected(self, rows: DataFrame) -> DataFrame:
        return values.rejected(rows, self.plan, L.original_text(F.col("value")), "block", "nth", f"`{SOURCE}`")

    def rejected_again(self, numbers: list[int], marked: list[int]) -> DataFrame:
        """The rejects of these sources, of whose wrong lines the marks are known."""
        lines = suspects.suspected(in_file_order(self.read(numbers)), marked).filter(L.is_data(self.dialect))
        rows = self.typed_rows(self.canonical_or_not(lines, numbers).filter(~F.col("canonical")), numbers)
        return without_header(values.rejected(rows, self.plan, L.original_text(F.col("value")), *ORDER, f"`{SOURCE}`"))

    def write_rejects(self, rejected: DataFrame) -> dict[int, RejectSummary]:
        out = f"{self.place.spark}rejects/"
        with_names(rejected, self.manifest).write.partitionBy(SOURCE).parquet(out)
        return summaries(self.spark, out)

    def publish(self, number: int, files: list[ParquetFile]) -> list[dict[str, Any]]:
        def one(at: int) -> dict[str, Any]:
            staged = self.place.publishable(files[at].uri, f"{number + 1:05}/part-{at + 1:05}.parquet")
            return {**staged, "rows": files[at].rows}

        return in_parallel(list(range(len(files))), one)

    def publish_rejects(self, number: int, summary: RejectSummary) -> dict[str, Any] | None:
        if summary.file is None:
            return None
        return {**self.place.publishable(summary.file, f"{number + 1:05}/rejects.parquet"), "rows": summary.rows}


if __name__ == "__main__":
    protocol.main("convert", convert)
