"""Fields to typed values by a compiled plan: its expressions read r<i> and v<i>, and are executed as they are."""

from __future__ import annotations

from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
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


def output(rows: DataFrame, plan: dict[str, Any], *kept: str) -> DataFrame:
    """The values as the contract names and types them."""
    return rows.select(*(F.col(f"v{i}").alias(column["name"]) for i, column in enumerate(plan["columns"])), *kept)


def rejected(rows: DataFrame, plan: dict[str, Any], original: Column, *kept: str) -> DataFrame:
    """The other rows, each with the first wrong column, its text as found and the reason."""
    wrong = [(i, c) for i, c in enumerate(plan["spark"]["columns"]) if c["valid"] is not None]
    first = F.when(F.col("problem").isNotNull(), -1)
    for i, column in wrong:
        first = first.when(~F.expr(column["valid"]), i)

    def pick(of: dict[int, Column]) -> Column:
        cases = F.when(F.lit(False), F.lit(None).cast("string"))
        for i, one in of.items():
            cases = cases.when(F.col("wrong") == i, one)
        return cases

    found = rows.withColumn("wrong", first).filter(F.col("wrong").isNotNull())
    reasons = {-1: F.col("problem"), **{i: F.expr(column["reason"]) for i, column in wrong}}
    return found.select(
        F.lit(None).cast("bigint").alias("line"),
        pick({i: F.lit(plan["columns"][i]["source"]) for i, _ in wrong}).alias("column_name"),
        pick({i: F.col(f"r{i}") for i, _ in wrong}).alias("value"),
        pick(reasons).alias("reason"),
        original.alias("original"),
        *kept,
    )


def schema_of(plan: dict[str, Any]) -> str:
    """The types of the accepted rows, as DDL."""
    return ", ".join(f"`{c['name']}` {d['type']}" for c, d in zip(plan["columns"], plan["spark"]["columns"]))
