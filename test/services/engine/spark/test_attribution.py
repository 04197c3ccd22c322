from __future__ import annotations

from pathlib import Path

import pytest
from landfall_spark.attribution import SOURCE, attributed, common_layout, numbered, read_lines
from landfall_spark.record import Layout
from landfall_spark.small import small_table
from pyspark.sql import SparkSession

FULL, TURNED = Layout(2, (0, 1)), Layout(3, (None, 0))
HEADERS = {3: ("a,b", FULL), 5: ("b,x,y", TURNED)}


def files(folder: Path, contents: dict[int, str]) -> dict[int, str]:
    uris = {}
    for number, content in contents.items():
        file = folder / f"{number:05}.csv"
        file.write_text(content)
        uris[number] = file.as_uri()
    return uris


def test_sources_have_a_common_layout_only_if_all_share_it() -> None:
    assert common_layout([FULL, Layout(2, (0, 1))]) == FULL
    assert common_layout([FULL, TURNED]) is None
    assert common_layout([FULL, Layout(3, (0, 1))]) is None


@pytest.mark.parametrize("numbers", [[5], [3, 5]])
def test_a_line_knows_its_source_and_how_that_is_laid_out(spark: SparkSession, tmp_path: Path, numbers: list[int]) -> None:
    contents = {3: "a,b\r\n1,2\n", 5: "b,x,y\n\n1,2,3"}
    uris = files(tmp_path, {number: contents[number] for number in numbers})
    lines = read_lines(spark, uris, {number: HEADERS[number] for number in numbers})
    found = {(row[SOURCE], row["value"], row["header"], row["width"], *row["places"]) for row in lines.collect()}
    of_three = {(3, line, "a,b", 2, 0, 1) for line in ("a,b", "1,2")}
    of_five = {(5, line, "b,x,y", 3, None, 0) for line in ("b,x,y", "", "1,2,3")}
    assert found == (of_five if numbers == [5] else of_three | of_five)


def test_a_line_of_a_file_that_spark_names_otherwise_does_not_vanish(spark: SparkSession, tmp_path: Path) -> None:
    uris = files(tmp_path, {3: "a,b\n1,2\n", 5: "b,x,y\n"})
    lines = read_lines(spark, {**uris, 3: uris[3].replace("/00003", "//00003")}, HEADERS)
    assert sorted((str(row[SOURCE]), row["value"]) for row in lines.collect()) == [
        ("5", "b,x,y"),
        ("None", "1,2"),
        ("None", "a,b"),
    ]


def test_a_line_has_the_same_number_whenever_the_same_files_are_read(spark: SparkSession, tmp_path: Path) -> None:
    uris = files(tmp_path, {3: "a,b\n1,2\na,b\n", 5: "b,x,y\n1,2,3\n"})
    found = [
        {(row["nth"], row["block"], row[SOURCE], row["value"]) for row in numbered(read_lines(spark, uris, HEADERS)).filter(kept).collect()}
        for kept in ("true", "value <> '1,2'")
    ]
    assert len({nth for nth, *_ in found[0]}) == len(found[0]) == 5
    assert found[1] == {one for one in found[0] if one[3] != "1,2"}


def test_a_row_of_parquet_knows_its_source_of_however_many_files(spark: SparkSession, tmp_path: Path) -> None:
    parts: dict[str, int] = {}
    for part, source in enumerate([0, 2, 2]):
        spark.range(part * 10, part * 10 + 3).coalesce(1).write.parquet(str(tmp_path / str(part)))
        (file,) = (tmp_path / str(part)).glob("*.parquet")
        parts[file.as_uri()] = source
    found = attributed(spark.read.parquet(*parts), parts)
    assert found.columns == ["id", SOURCE]
    assert sorted((row[SOURCE], row["id"]) for row in found.collect()) == [
        *((0, n) for n in (0, 1, 2)),
        *((2, n) for n in (10, 11, 12, 20, 21, 22)),
    ]
    alone = {uri: source for uri, source in parts.items() if source == 2}
    assert {row[SOURCE] for row in attributed(spark.read.parquet(*alone), alone).collect()} == {2}


def test_a_row_of_a_file_that_nobody_named_does_not_vanish(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).coalesce(1).write.parquet(str(tmp_path / "unnamed"))
    found = attributed(spark.read.parquet(str(tmp_path / "unnamed")), {"file:///a": 0, "file:///b": 1}).collect()
    assert [row[SOURCE] for row in found] == [None] * 3


def test_a_small_table_holds_any_text_without_a_job(spark: SparkSession) -> None:
    texts = ["", "'", '"', "\\n", "\0", "\n", "😀", "\ufeff", "${x}", "--", "x" * 100_000]
    rows = [(text, -n, [n, None]) for n, text in enumerate(texts)] + [(None, None, None)]
    table = small_table(spark, rows, {"text~": "string", "n": "bigint", "list": "array<int>"})
    assert table.dtypes == [("text~", "string"), ("n", "bigint"), ("list", "array<int>")]
    tracker = spark.sparkContext.statusTracker()
    spark.sparkContext.setJobGroup("small", "a small table")
    try:
        assert [tuple(row) for row in table.collect()] == rows
        assert list(tracker.getJobIdsForGroup("small")) == []
    finally:
        spark.sparkContext._jsc.clearJobGroup()
