"""Fields to typed values by a compiled plan: its expressions read r<i> and v<i>, and are executed as they are."""

from __future__ import annotations

from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from .lines import computed_once


def with_values(rows: DataFrame, plan: dict[str, Any]) -> DataFrame:
    """Adds v0, v1, …"""
    columns = plan["spark"]["columns"]
    values = [
        F.when(F.col("canonical"), F.expr(c["quick"])).otherwise(F.expr(c["value"])).alias(f"v{i}")
        for i, c in enumerate(columns)
    ]
    return computed_once(rows.select("*", *values), *(f"v{i}" for i in range(len(columns))))


def is_right(plan: dict[str, Any]) -> Column:
    """Whether every value of a row is right."""
    right = [F.expr(c["valid"]) for c in plan["spark"]["columns"] if c["valid"] is not None]
    return F.col("canonical") | reduce(Column.__and__, right, F.col("problem").isNull())


def unique_columns(plan: dict[str, Any]) -> list[int]:
    return [i for i, column in enumerate(plan["columns"]) if column.get("unique")]


def with_repeats(rows: DataFrame, plan: dict[str, Any], source: str) -> DataFrame:
    """
    Adds u0, u1, … of the unique columns: whether a row of the same source before it, by `block` and `nth`, has the value. Only
    those that are `right` count.
    """
    for i in unique_columns(plan):
        value = F.col(f"v{i}")
        counts = F.coalesce(F.col("right"), F.lit(False)) & value.isNotNull()
        # All others are alone, so that no task gets every blank.
        earlier = Window.partitionBy(f"`{source}`", value, F.when(~counts, F.col("nth"))).orderBy("block", "nth")
        rows = rows.withColumn(f"u{i}", counts & (F.row_number().over(earlier) > 1))
    return rows


def is_repeat(plan: dict[str, Any]) -> Column:
    return reduce(Column.__or__, (F.col(f"u{i}") for i in unique_columns(plan)), F.lit(False))


def output(rows: DataFrame, plan: dict[str, Any], *kept: str) -> DataFrame:
    """The values as the contract names and types them."""
    return rows.select(*(F.col(f"v{i}").alias(column["name"]) for i, column in enumerate(plan["columns"])), *kept)


def rejected(rows: DataFrame, plan: dict[str, Any], original: Column, *kept: str) -> DataFrame:
    """The other rows, each with the first wrong column, its text as found and the reason."""
    checked = {i: c for i, c in enumerate(plan["spark"]["columns"]) if c["valid"] is not None}
    repeated = unique_columns(plan)
    first = F.when(F.col("problem").isNotNull(), -1)
    for i, column in checked.items():
        first = first.when(~F.expr(column["valid"]), i)
    for i in repeated:
        first = first.when(F.col(f"u{i}"), i)

    def pick(of: dict[int, Column]) -> Column:
        cases = F.when(F.lit(False), F.lit(None).cast("string"))
        for i, one in of.items():
            cases = cases.when(F.col("wrong") == i, one)
        return cases

    found = rows.withColumn("wrong", first).filter(F.col("wrong").isNotNull())
    reasons = {-1: F.col("problem"), **{i: F.expr(column["reason"]) for i, column in checked.items()}}
    for i in repeated:
        reasons[i] = F.when(F.col(f"u{i}"), "not_unique").otherwise(reasons.get(i, F.lit(None)))
    columns = sorted({*checked, *repeated})
    return found.select(
        F.lit(None).cast("bigint").alias("line"),
        pick({i: F.lit(plan["columns"][i]["source"]) for i in columns}).alias("column_name"),
        pick({i: F.col(f"r{i}") for i in columns}).alias("value"),
        pick(reasons).alias("reason"),
        original.alias("original"),
        *kept,
    )


def schema_of(plan: dict[str, Any]) -> str:
    """The types of the accepted rows, as DDL."""
    return ", ".join(f"`{c['name']}` {d['type']}" for c, d in zip(plan["columns"], plan["spark"]["columns"]))
