"""Typed parquet to one object for each value of the partition column, without that column. Run with `--manifest <uri>`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

try:
    import landfall_spark
except ModuleNotFoundError:  # On Glue it comes with --extra-py-files; in a checkout it is beside the stages.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "engine" / "spark"))

from landfall_spark import objects, protocol, values
from landfall_spark.attribution import SOURCE, attributed
from landfall_spark.partitions import OBJECT, Slot, count_values, number_values, with_objects
from landfall_spark.intake import fetch_parquet
from landfall_spark.protocol import Manifest, Place, SourceReport, refusal_of, report_of
from landfall_spark.refused import RefusedSource
from landfall_spark.session import is_local, reaches
from landfall_spark.written import in_parallel, parquet_files, parquet_writer

# Rows of this much parquet are what one task sorts into partitions, or as little as keeps all cores busy.
BYTES_PER_TASK = 64 << 20


def partition(spark: SparkSession, manifest: Manifest, place: Place) -> list[SourceReport]:
    spark.conf.set("spark.sql.codegen.wholeStage", "true")
    # Sorted by partition, so that one file is open at a time: hundreds side by side take longer than the sort.
    spark.conf.set("spark.sql.maxConcurrentOutputFileWriters", "0")
    plan, sources = manifest["plan"], manifest["sources"]
    local = is_local(spark)

    def intake(number: int) -> list[str] | RefusedSource:
        try:
            return fetch_parquet(sources[number], number, place, lambda uri: reaches(spark, uri), local)
        except RefusedSource as error:
            return error

    taken = in_parallel(list(range(len(sources))), intake)
    files = {uri: number for number, uris in enumerate(taken) if isinstance(uris, list) for uri in uris}
    slots, parts = write_partitions(spark, plan, files, place) if files else ([], {})
    reports: list[SourceReport] = []
    for number, source in enumerate(sources):
        try:
            refused = taken[number]
            if isinstance(refused, RefusedSource):
                raise refused
            for given in source["inputs"]:
                objects.check_current(given)
        except RefusedSource as error:
            reports.append(refusal_of(source, error))
            continue
        mine = [slot for slot in slots if slot.source == number]
        staged = publish(place, number, mine, parts)
        # Rows in are of what was read, accepted of what was written: an imbalance is for settling to find.
        rows_in, accepted = sum(slot.rows for slot in mine), sum(part["rows"] for part in staged)
        reports.append(report_of(source, rowsIn=rows_in, accepted=accepted, parts=staged))
    return reports


def write_partitions(
    spark: SparkSession, plan: dict[str, Any], files: dict[str, int], place: Place
) -> tuple[list[Slot], dict[int, tuple[str, int]]]:
    """Writes each object of each slot as one file. Returns the slots, and by number the file and its rows."""
    rows = attributed(spark.read.schema(values.schema_of(plan)).parquet(*files), files)
    slots = number_values((row[0], row[1], row[2]) for row in count_values(rows, plan["partitionBy"]).collect())
    if not slots:
        return [], {}
    size = sum(objects.size_of(uri) for uri in files)
    tasks = max(min(spark.sparkContext.defaultParallelism, slots[-1].first + slots[-1].objects), -(-size // BYTES_PER_TASK))
    out = f"{place.spark}partitions/"
    divided = with_objects(rows, plan["partitionBy"], slots, tasks)
    parquet_writer(divided, plan).partitionBy(OBJECT).parquet(out)
    written: dict[int, tuple[str, int]] = {}
    for file in parquet_files(out, OBJECT):
        if file.group in written:
            raise RuntimeError(f"Object {file.group} is in two files: {file.uri} and {written[file.group][0]}.")
        written[file.group] = (file.uri, file.rows)
    return slots, written


def publish(
    place: Place, number: int, slots: list[Slot], written: dict[int, tuple[str, int]]
) -> list[dict[str, Any]]:
    values_of = {slot.first + i: slot.value for slot in slots for i in range(slot.objects)}

    def one(item: tuple[int, int]) -> dict[str, Any]:
        at, wanted = item
        uri, rows = written[wanted]
        staged = place.publishable(uri, f"{number + 1:05}/part-{at + 1:05}.parquet")
        return {**staged, "partition": values_of[wanted], "rows": rows}

    # Of a value that is shared among objects one may have got no row.
    return in_parallel(list(enumerate(wanted for wanted in values_of if wanted in written)), one)


if __name__ == "__main__":
    protocol.main("partition", partition)
