from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from landfall_spark.attribution import SOURCE
from landfall_spark.objects import path_of
from landfall_spark.rejects import EXAMPLE_CHARS, EXAMPLES, in_file_order, summaries, with_names, without_header
from landfall_spark.small import small_table
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

MANIFEST = {
    "dataset": "small",
    "sources": [{"sourceId": f"source-{i}", "runId": f"run-{i}"} for i in range(3)],
}
REJECT = {
    "line": "bigint",
    "column_name": "string",
    "value": "string",
    "reason": "string",
    "original": "string",
    "block": "bigint",
    "nth": "bigint",
    "like_header": "boolean",
    SOURCE: "int",
}


def rejects(spark: SparkSession, *rows: tuple[int, int, int, str | None, str | None, str]) -> DataFrame:
    """Of (source, block, nth, column, value, reason); a line `header` looks like the header."""
    full = [
        (None, column, value, reason, value or "", block, nth, int(value == "header"), source)
        for source, block, nth, column, value, reason in rows
    ]
    return small_table(spark, full, REJECT)


def test_the_order_of_a_file_is_by_block_and_then_by_row(spark: SparkSession, lines_of: Callable[[bytes], DataFrame]) -> None:
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "64")
    try:
        content = [f"line {i:04}" for i in range(100)]
        lines = lines_of("\n".join(content).encode()).withColumn("header", F.lit("line 0007"))
        rows = in_file_order(lines).orderBy(F.rand(1)).collect()
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before)
    assert len({row["block"] for row in rows}) > 2
    assert [row["value"] for row in sorted(rows, key=lambda row: (row["block"], row["nth"]))] == content
    assert [row["value"] for row in rows if row["like_header"]] == ["line 0007"]


def test_the_first_line_that_looks_like_the_header_is_it_and_no_reject(spark: SparkSession) -> None:
    found = without_header(
        rejects(
            spark,
            (0, 64, 1, None, "header", "x"),
            (0, 0, 9, None, "header", "x"),
            (0, 0, 0, None, "other", "x"),
            (1, 0, 5, None, "header", "x"),
            (1, 0, 6, None, "other", "x"),
        )
    )
    left = sorted((row[SOURCE], row["block"], row["nth"], row["value"]) for row in found.collect())
    assert left == [(0, 0, 0, "other"), (0, 64, 1, "header"), (1, 0, 6, "other")]


def test_rejects_carry_their_source_and_run_in_the_order_of_the_file(spark: SparkSession) -> None:
    rows = [(nth % 2 * 2, block, nth, "Key", f"{block}/{nth}", "x") for block in (64, 0) for nth in (5, 3, 4, 2)]
    named = with_names(rejects(spark, *rows), MANIFEST)
    assert named.columns == [
        *("dataset", "source_id", "run_id", "line", "column_name", "value", "reason", "original"),
        SOURCE,
    ]
    by_source: dict[str, list[Any]] = {}
    for row in named.collect():
        assert (row["dataset"], row["run_id"]) == ("small", row["source_id"].replace("source", "run"))
        by_source.setdefault(row["source_id"], []).append(row["value"])
    assert by_source == {"source-0": ["0/2", "0/4", "64/2", "64/4"], "source-2": ["0/3", "0/5", "64/3", "64/5"]}


def test_a_summary_has_all_reasons_and_the_first_rows(spark: SparkSession, tmp_path: Path) -> None:
    long = "x" * EXAMPLE_CHARS
    rows = [(0, 0, nth, "Second", f"v{nth}", "not_an_integer") for nth in range(EXAMPLES + 5)]
    rows += [(0, 64, 0, None, None, "too_few_fields"), (0, 64, 1, "Key", "a", "too_few_fields")]
    rows += [(2, 0, 0, "Key", long, "x"), (2, 0, 1, "Key", f"{long}y", "x")]
    out = f"{(tmp_path / 'rejects').as_uri()}/"
    with_names(rejects(spark, *rows), MANIFEST).write.partitionBy(SOURCE).parquet(out)

    found = summaries(spark, out)
    assert {source: one.rows for source, one in found.items()} == {0: EXAMPLES + 7, 2: 2}
    assert found[0].reasons[0] == {"reason": "not_an_integer", "column": "Second", "rows": EXAMPLES + 5}
    assert sorted(str(reason["column"]) for reason in found[0].reasons[1:]) == ["Key", "None"]
    assert [one["value"] for one in found[0].examples] == [f"v{nth}" for nth in range(EXAMPLES)]
    assert found[0].examples[0] == {"line": None, "column": "Second", "value": "v0", "reason": "not_an_integer"}
    assert [one["value"] for one in found[2].examples] == [long, f"{long}…"]
    assert found[2].file and Path(path_of(found[2].file)).parent == tmp_path / "rejects" / f"{SOURCE}=2"


def test_the_rejects_of_a_source_in_two_files_are_an_error(spark: SparkSession, tmp_path: Path) -> None:
    out = f"{(tmp_path / 'rejects').as_uri()}/"
    named = with_names(rejects(spark, (0, 0, 0, None, "a", "x"), (0, 0, 1, None, "b", "x")), MANIFEST)
    named.write.partitionBy(SOURCE).parquet(out)
    named.write.partitionBy(SOURCE).mode("append").parquet(out)
    with pytest.raises(RuntimeError, match="The rejects of one source are in two files below"):
        summaries(spark, out)
