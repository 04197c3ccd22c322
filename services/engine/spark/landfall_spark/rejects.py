"""Rejected rows on their way to the quarantine, and what the report says about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from .attribution import SOURCE, numbered
from .small import small_table
from .written import parquet_files

# Where a row is, and whether it looks like the header.
ORDER = ("block", "nth", "like_header")
EXAMPLES = 20
EXAMPLE_CHARS = 500


@dataclass
class RejectSummary:
    rows: int = 0
    reasons: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    # The one file of them, where Spark wrote it.
    file: str | None = None


def in_file_order(rows: DataFrame) -> DataFrame:
    """Adds the columns of ORDER; before anything is filtered or shuffled."""
    return numbered(rows).withColumn("like_header", F.col("value") == F.col("header"))


def without_header(rejected: DataFrame) -> DataFrame:
    """Takes the first of the lines that look like the header out: it is the header. Wrong by the contract is the first or none."""
    alike = Window.partitionBy(f"`{SOURCE}`", "like_header").orderBy("block", "nth")
    numbered = rejected.repartition(f"`{SOURCE}`").select("*", F.row_number().over(alike).alias("place"))
    return numbered.filter(~F.col("like_header") | (F.col("place") > 1))


def with_names(rejected: DataFrame, manifest: dict[str, Any]) -> DataFrame:
    """As the quarantine has them: all of one source in one task, in the order of the file as far as Spark knows it."""
    sources = manifest["sources"]
    rows = [(number, source["sourceId"], source["runId"]) for number, source in enumerate(sources)]
    names = F.broadcast(small_table(rejected.sparkSession, rows, {SOURCE: "int", "source_id": "string", "run_id": "string"}))
    return (
        rejected.join(names, SOURCE)
        .repartition(f"`{SOURCE}`")
        .sortWithinPartitions(f"`{SOURCE}`", "block", "nth")
        .select(
            F.lit(manifest["dataset"]).alias("dataset"),
            *("source_id", "run_id", "line", "column_name", "value", "reason", "original"),
            F.col(f"`{SOURCE}`"),
        )
    )


def summaries(spark: SparkSession, folder: str) -> dict[int, RejectSummary]:
    """What was written, by source."""
    found: dict[int, RejectSummary] = {}
    for file in parquet_files(folder, SOURCE):
        if file.group in found:
            raise RuntimeError(f"The rejects of one source are in two files below {folder}.")
        found[file.group] = RejectSummary(rows=file.rows, file=file.uri)
    rejects = spark.read.parquet(folder)
    for row in rejects.groupBy(f"`{SOURCE}`", "reason", "column_name").count().orderBy(F.desc("count"), "reason").collect():
        reason = {"reason": row["reason"], "column": row["column_name"], "rows": row["count"]}
        found[row[SOURCE]].reasons.append(reason)
    first = rejects.select("*", F.col("_metadata.row_index").alias("n")).filter(F.col("n") < EXAMPLES)
    short = F.when(
        F.length("value") > EXAMPLE_CHARS, F.concat(F.substring("value", 1, EXAMPLE_CHARS), F.lit("…"))
    ).otherwise(F.col("value"))
    for row in first.select(f"`{SOURCE}`", "n", "column_name", short.alias("short"), "reason").orderBy("n").collect():
        example = {"line": None, "column": row["column_name"], "value": row["short"], "reason": row["reason"]}
        found[row[SOURCE]].examples.append(example)
    return found
