"""What Spark wrote, read back: counts are of the files' own footers, not of the rows that were meant for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from . import objects

TRANSFERS_AT_ONCE = 16
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class ParquetFile:
    uri: str
    # The number in the name of its folder, 0 where it is in none.
    group: int
    rows: int


def parquet_files(spark: SparkSession, folder: str, group: str) -> list[ParquetFile]:
    """The files below a folder that ends with `/`, grouped by folders `<group>=<number>`, in the order of their names."""
    uris = [uri for uri in objects.list_below(folder) if uri.endswith(".parquet")]
    if not uris:
        return []
    # Without a column to read, Spark looks at the footers only.
    counted = spark.read.schema("none int").parquet(folder).groupBy(F.input_file_name().alias("file")).count().collect()
    rows = {_tail(row["file"], group): row["count"] for row in counted}
    found = [ParquetFile(uri, _group(uri, group), rows.pop(_tail(uri, group), 0)) for uri in uris]
    if rows:
        raise RuntimeError(f"Rows in files that are not below {folder}: {sorted(rows)}")
    return found


def in_parallel(items: list[T], work: Callable[[T], R]) -> list[R]:
    with ThreadPoolExecutor(TRANSFERS_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _tail(uri: str, group: str) -> tuple[int, str]:
    return _group(uri, group), uri.rpartition("/")[2]


def _group(uri: str, group: str) -> int:
    from urllib.parse import unquote

    folder, _, number = unquote(uri.split("/")[-2]).partition("=")
    return int(number) if folder == group else 0


def staged(file: dict[str, Any], rows: int, **more: Any) -> dict[str, Any]:
    return {**file, "rows": rows, **more}
