from __future__ import annotations

import random

import pytest
from landfall_spark import suspects
from landfall_spark.small import small_table
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F

LINES = [f"line {i}" for i in range(5000)]


def marked(spark: SparkSession, wrong: list[str]) -> list[int]:
    rows = small_table(spark, [(line, 1 if line in wrong else 0) for line in LINES], {"value": "string", "wrong": "int"})
    marks = Observation()
    rows.observe(marks, *suspects.marks(F.col("value"), F.col("wrong") == 1)).write.format("noop").mode("overwrite").save()
    return suspects.marked(marks.get)


@pytest.mark.parametrize("count", [0, 1, 200])
def test_marked_lines_are_found_again_with_few_others(spark: SparkSession, count: int) -> None:
    wrong = random.Random(count).sample(LINES, count)
    lines = small_table(spark, [(line,) for line in LINES], {"value": "string"})
    found = {row["value"] for row in suspects.suspected(lines, marked(spark, wrong)).collect()}
    assert set(wrong) <= found
    assert len(found) <= count + 20


def test_a_line_of_which_it_is_not_known_whether_it_is_right_is_marked(spark: SparkSession) -> None:
    marks = Observation()
    row = small_table(spark, [("a", None)], {"value": "string", "wrong": "int"})
    row.observe(marks, *suspects.marks(F.col("value"), F.col("wrong") == 1)).collect()
    assert len(suspects.marked(marks.get)) == 1


def test_with_too_many_marks_every_line_is_looked_at(spark: SparkSession) -> None:
    lines = small_table(spark, [("a",), ("b",)], {"value": "string"})
    assert suspects.suspected(lines, list(range(suspects.MOST + 1))).count() == 2
