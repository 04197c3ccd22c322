"""A table that the driver knows, as a plan without a job: what createDataFrame makes of a list is read by tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession


def small_table(spark: SparkSession, rows: Sequence[tuple[Any, ...]], types: dict[str, str]) -> DataFrame:
    """Rows of texts, integers, lists of integers and nulls, at least one."""
    values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
    columns = ", ".join(f"CAST(c{i} AS {kind}) AS `{name}`" for i, (name, kind) in enumerate(types.items()))
    names = ", ".join(f"c{i}" for i in range(len(types)))
    return spark.sql(f"SELECT {columns} FROM VALUES {values} AS t({names})")


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # As bytes, whatever is in it.
        return f"CAST(X'{value.encode().hex()}' AS STRING)"
    return f"array({', '.join(f'CAST({_literal(one)} AS INT)' for one in value)})"
