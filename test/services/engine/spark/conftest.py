"""One Spark for all tests, as a job starts it, and what they write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from landfall_spark.session import start_session
from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    session = start_session("landfall tests")
    # A shuffle of ten rows need not be 200 tasks.
    session.conf.set("spark.sql.shuffle.partitions", "2")
    # For a few rows it takes longer to compile a query than to run it.
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    yield session
    session.stop()


@pytest.fixture
def lines_of(spark: SparkSession, tmp_path: Path) -> Callable[[bytes], DataFrame]:
    """The lines of a file with these bytes: only a file can hold what is no UTF-8."""

    def read(content: bytes) -> DataFrame:
        file = tmp_path / "lines.csv"
        file.write_bytes(content)
        return spark.read.text(file.as_uri())

    return read


@pytest.fixture
def plan() -> dict[str, Any]:
    """Compiled by hand, so that it shows what the package makes of a plan and not what a plan is."""

    def number(index: int, required: bool) -> dict[str, Any]:
        return {
            "type": "INT",
            "canonical": "[0-9]++",
            "quick": f"CAST(r{index} AS INT)",
            "value": f"try_cast(r{index} AS INT)",
            "valid": f"v{index} IS NOT NULL" + ("" if required else f" OR r{index} IS NULL"),
            "reason": f"CASE WHEN r{index} IS NULL THEN 'required_missing' ELSE 'not_an_integer' END",
        }

    text = {
        "type": "STRING",
        "canonical": "[A-Z]++",
        "quick": "r0",
        "value": "upper(r0)",
        "valid": None,
        "reason": "CAST(NULL AS STRING)",
    }
    return {
        "dataset": "small",
        "source": {"delimiter": ",", "quote": '"', "encoding": "utf-8"},
        "columns": [
            {"source": "Key", "name": "KEY", "kind": "string", "required": False},
            {"source": "First Number", "name": "FIRST", "kind": "int", "required": True},
            {"source": "Second", "name": "SECOND", "kind": "int", "required": False},
        ],
        "partitionBy": "KEY",
        "unknownColumns": "refuse",
        "missingColumns": "refuse",
        "limits": {"maxMembers": 10, "maxBytes": 1000, "maxRatio": 10},
        "spark": {"columns": [text, number(1, True), number(2, False)]},
    }
