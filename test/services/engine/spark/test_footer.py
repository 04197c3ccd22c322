from __future__ import annotations

from pathlib import Path

import pytest
from landfall_spark.footer import MAGIC, footer_bytes, rows_of
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

# Types of Thrift's compact protocol.
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
STOP = b"\0"


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def integer(number: int) -> bytes:
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def file_with(footer: bytes) -> bytes:
    return MAGIC + b"columns" + footer + len(footer).to_bytes(4, "little") + MAGIC


def rows_behind(kind: int, value: bytes, rows: int = 7) -> int:
    """Field 1 is of that kind, field 3 the number of rows."""
    return rows_of(file_with(bytes([1 << 4 | kind]) + value + bytes([2 << 4 | I64]) + integer(rows) + STOP))


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_the_rows_of_a_file_that_spark_wrote_are_in_its_footer(spark: SparkSession, tmp_path: Path, rows: int) -> None:
    number = F.col("id")
    wide = [F.array(number).alias("list"), F.create_map(number, number).alias("map"), F.struct(number).alias("struct")]
    many = [(number + i).cast(kind).alias(f"{kind}{i}") for i in range(6) for kind in ("int", "string", "double", "boolean")]
    spark.range(rows).select(*wide, *many).coalesce(1).write.parquet(str(tmp_path / "out"))
    (file,) = (tmp_path / "out").glob("*.parquet")
    content = file.read_bytes()
    size = footer_bytes(content[-8:])
    assert 8 < size <= len(content) - 4
    assert rows_of(content[-size:]) == rows_of(content) == rows


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TRUE, b""),
        (FALSE, b""),
        (BYTE, b"\xff"),
        (I16, integer(-300)),
        (I32, integer(2**31 - 1)),
        (I64, integer(-(2**63))),
        (DOUBLE, b"\x36" * 8),
        (BINARY, varint(300) + b"\x36" * 300),
        (LIST, bytes([2 << 4 | TRUE]) + b"\x01\x02"),
        (LIST, bytes([15 << 4 | I32]) + varint(20) + integer(5) * 20),
        (SET, bytes([1 << 4 | BINARY]) + varint(3) + b"\x36" * 3),
        (MAP, varint(0)),
        (MAP, varint(2) + bytes([I32 << 4 | TRUE]) + (integer(5) + b"\x01") * 2),
        (STRUCT, bytes([1 << 4 | I32]) + integer(3) + bytes([I64]) + integer(300) + integer(36) + STOP),
        (LIST, bytes([2 << 4 | STRUCT]) + (bytes([1 << 4 | I32]) + integer(1) + STOP) * 2),
    ],
)
def test_a_field_of_any_type_before_the_number_is_passed_over(kind: int, value: bytes) -> None:
    assert rows_behind(kind, value) == 7


@pytest.mark.parametrize("rows", [0, 63, 64, 2**40])
def test_a_number_of_rows_of_any_length_is_read(rows: int) -> None:
    assert rows_behind(I32, integer(1), rows) == rows


def test_what_is_no_parquet_file_is_an_error_in_words() -> None:
    with pytest.raises(ValueError, match="not a parquet file: its end is another"):
        footer_bytes(b"a,b\n1,2\n")
    with pytest.raises(ValueError, match="without a number of rows"):
        rows_of(file_with(bytes([1 << 4 | I32]) + integer(1) + STOP))
    with pytest.raises(ValueError, match="with a field of type 13"):
        rows_behind(13, b"")
