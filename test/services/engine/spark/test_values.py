from __future__ import annotations

from typing import Any

import pytest
from landfall_spark.small import small_table
from landfall_spark.values import is_repeat, is_right, output, rejected, schema_of, with_repeats, with_values
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

Row = tuple[str | bool | None, ...]
TYPES = {"r0": "string", "r1": "string", "r2": "string", "problem": "string", "value": "string", "canonical": "boolean", "n": "int"}
ROWS: list[Row] = [
    ("a", "1", "2", None, "a,1,2", False),
    (None, "1", None, None, ",1,", False),
    ("b", None, "2", None, "b,,2", False),
    ("c", "1", "x", None, "c,1,x", False),
    ("d", "y", "x", None, "d,y,x", False),
    (None, None, None, "too_few_fields", "e", False),
    ("F", "3", None, None, "F,3,", True),
]


def accepted(rows: DataFrame, plan: dict[str, Any], *kept: str) -> DataFrame:
    return output(rows.filter(is_right(plan)), plan, *kept)


@pytest.fixture
def valued(spark: SparkSession, plan: dict[str, Any]) -> DataFrame:
    rows = small_table(spark, [(*row, n) for n, row in enumerate(ROWS)], TYPES)
    return with_values(rows, plan)


def test_values_are_what_the_expressions_of_the_plan_say(valued: DataFrame) -> None:
    assert valued.columns == [*TYPES, "v0", "v1", "v2"]
    found = [(row["v0"], row["v1"], row["v2"]) for row in valued.collect()]
    assert found == [("A", 1, 2), (None, 1, None), ("B", None, 2), ("C", 1, None), ("D", None, None), (None, None, None), ("F", 3, None)]


def test_a_canonical_row_has_the_quick_values(spark: SparkSession, plan: dict[str, Any]) -> None:
    rows = small_table(spark, [("a", "1", None, None, "", True, 0), ("a", "1", None, None, "", False, 1)], TYPES)
    assert [row["v0"] for row in with_values(rows, plan).collect()] == ["a", "A"]


def test_rows_of_right_values_are_accepted_by_the_names_and_types_of_the_contract(
    spark: SparkSession, valued: DataFrame, plan: dict[str, Any]
) -> None:
    rows = accepted(valued, plan, "n")
    assert [tuple(row) for row in rows.collect()] == [("A", 1, 2, 0), (None, 1, None, 1), ("F", 3, None, 6)]
    declared = spark.createDataFrame([], schema_of(plan))
    assert rows.drop("n").dtypes == declared.dtypes == [("KEY", "string"), ("FIRST", "int"), ("SECOND", "int")]


def test_each_other_row_is_rejected_for_its_first_wrong_column(valued: DataFrame, plan: dict[str, Any]) -> None:
    rows = rejected(valued, plan, F.col("value"), "n")
    assert rows.columns == ["line", "column_name", "value", "reason", "original", "n"]
    assert [tuple(row) for row in rows.collect()] == [
        (None, "First Number", None, "required_missing", "b,,2", 2),
        (None, "Second", "x", "not_an_integer", "c,1,x", 3),
        (None, "First Number", "y", "not_an_integer", "d,y,x", 4),
        (None, None, None, "too_few_fields", "e", 5),
    ]


def test_every_row_is_either_accepted_or_rejected(valued: DataFrame, plan: dict[str, Any]) -> None:
    taken = [row["n"] for row in accepted(valued, plan, "n").collect()]
    left = [row["n"] for row in rejected(valued, plan, F.col("value"), "n").collect()]
    assert sorted(taken + left) == list(range(len(ROWS)))


def test_a_plan_of_which_no_column_can_be_wrong_rejects_only_what_is_no_record(
    spark: SparkSession, plan: dict[str, Any]
) -> None:
    texts = {**plan, "columns": plan["columns"][:1], "spark": {"columns": plan["spark"]["columns"][:1]}}
    rows = with_values(small_table(spark, [(*row, 0) for row in ROWS], TYPES), texts)
    assert accepted(rows, texts).count() == len(ROWS) - 1
    assert [row["reason"] for row in rejected(rows, texts, F.col("value")).collect()] == ["too_few_fields"]


def test_of_the_right_rows_with_a_value_all_but_the_first_of_their_source_are_repeats(
    spark: SparkSession, plan: dict[str, Any]
) -> None:
    columns = [{**column, **({"unique": True} if i > 0 else {})} for i, column in enumerate(plan["columns"])]
    unique = {**plan, "columns": columns}
    places = {"n": "int", "source": "int", "block": "int", "nth": "bigint", "v1": "int", "v2": "int", "right": "string"}
    rows: list[tuple[Any, ...]] = [
        # The file's order is that of blocks, then of places in them.
        (0, 1, 100, 1, 7, None, "true"),
        (1, 1, 0, 9, 7, None, "true"),
        (2, 1, 0, 10, 7, 5, "true"),
        (3, 2, 50, 0, 7, 5, "true"),
        (4, 1, 0, 0, 7, 5, "false"),
        (5, 1, 0, 1, None, None, "true"),
        (6, 1, 0, 2, None, None, "true"),
        (7, 1, 100, 2, 8, 5, "true"),
    ]
    table = small_table(spark, rows, places).withColumn("right", F.col("right") == "true")
    marked = with_repeats(table, unique, "source")
    assert {row["n"]: (row["u1"], row["u2"]) for row in marked.collect() if row["u1"] or row["u2"]} == {
        0: (True, False),
        2: (True, False),
        7: (False, True),
    }
    assert sorted(row["n"] for row in marked.filter(is_repeat(unique)).collect()) == [0, 2, 7]


def test_a_repeat_is_a_reject_behind_those_for_values(valued: DataFrame, plan: dict[str, Any]) -> None:
    unique = {**plan, "columns": [{**plan["columns"][0], "unique": True}, *plan["columns"][1:]]}
    found = rejected(valued.withColumn("u0", F.col("n") == 0), unique, F.col("value"), "n").collect()
    assert [(row["n"], row["column_name"], row["value"], row["reason"]) for row in found][:2] == [
        (0, "Key", "a", "not_unique"),
        (2, "First Number", None, "required_missing"),
    ]
