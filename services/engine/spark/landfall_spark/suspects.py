"""
Which lines to look at again: the pass that writes the right rows marks the other lines in a bitmap by their hash, so that the one
that writes the rejects takes apart only these, and a few that happen to share a bit with one.
"""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# What bitmap_construct_agg makes.
BITS = 1 << 15
BITMAPS = 8
# With more bits set, too many lines share one: looking them up would not pay.
MOST = 50_000


def place(line: Column) -> Column:
    """The bit of a line."""
    return F.pmod(F.xxhash64(line), F.lit(BITS * BITMAPS)).cast("int")


def marks(line: Column, wrong: Column) -> list[Column]:
    """Aggregates of bounded size that mark the lines for which `wrong` is not false."""
    bit = F.when(F.coalesce(wrong, F.lit(True)), place(line))
    return [
        F.bitmap_construct_agg(F.when(F.floor(bit / BITS) == number, bit % BITS)).alias(f"marks{number}")
        for number in range(BITMAPS)
    ]


def marked(found: dict[str, Any]) -> list[int]:
    """The bits that are set in what the aggregates found."""
    places: list[int] = []
    for number in range(BITMAPS):
        for at, byte in enumerate(bytes(found[f"marks{number}"])):
            places += [number * BITS + at * 8 + bit for bit in range(8) if byte >> bit & 1]
    return places


def suspected(lines: DataFrame, places: list[int]) -> DataFrame:
    """Of the lines all that are marked, and few others."""
    if len(places) > MOST:
        return lines
    table = f"SELECT explode(from_json('{json.dumps(places)}', 'array<int>')) AS `~place`"
    known = F.broadcast(lines.sparkSession.sql(table))
    return lines.join(known, place(F.col("value")) == F.col("`~place`"), "left_semi")
