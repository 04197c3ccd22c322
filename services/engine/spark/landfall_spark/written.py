"""What Spark wrote, looked at again: counts are of the files' own footers, not of the rows that were meant for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from pyspark.sql import DataFrame, DataFrameWriter

from . import objects
from .footer import footer_bytes, rows_of

TRANSFERS_AT_ONCE = 16
# Holds the footer of most files, so that one request suffices.
TAIL = 64 << 10
T = TypeVar("T")
R = TypeVar("R")

# Such columns are mostly near unique: a dictionary that is built for nothing takes a quarter of the time of writing.
WITHOUT_DICTIONARY = ("int", "bigint", "decimal", "double", "timestamp")


@dataclass(frozen=True)
class ParquetFile:
    uri: str
    # The number in the name of its folder, 0 where it is in none.
    group: int
    rows: int


def parquet_writer(rows: DataFrame, plan: dict[str, Any]) -> DataFrameWriter:
    """Level 1 of zstd costs less than the default, 3, and on such columns is no larger."""
    numbers = [column["name"] for column in plan["columns"] if column["kind"] in WITHOUT_DICTIONARY]
    plain = {f"parquet.enable.dictionary#{name}": "false" for name in numbers if name in rows.columns}
    return rows.write.options(**{"parquet.compression.codec.zstd.level": "1"}, **plain)


def parquet_files(folder: str, group: str) -> list[ParquetFile]:
    """The files below a folder that ends with `/`, grouped by folders `<group>=<number>`, in the order of their names."""
    uris = [uri for uri in objects.list_below(folder) if uri.endswith(".parquet")]
    return in_parallel(uris, lambda uri: ParquetFile(uri, _group(uri, group), count_rows(uri)))


def count_rows(uri: str) -> int:
    tail = objects.read_tail(uri, TAIL)
    size = footer_bytes(tail)
    return rows_of(tail if size <= len(tail) else objects.read_tail(uri, size))


def in_parallel(items: list[T], work: Callable[[T], R]) -> list[R]:
    with ThreadPoolExecutor(TRANSFERS_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _group(uri: str, group: str) -> int:
    folder, _, number = unquote(uri.split("/")[-2]).partition("=")
    return int(number) if folder == group else 0
