"""Which source a line is of: many sources are one read, and a line knows its file."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from .record import Layout
from .small import small_table

# No column of a contract can be called so.
SOURCE, FILE = "~source", "~file"
DESCRIBED = {SOURCE: "int", "header": "string", "width": "int", "places": "array<int>"}


def common_layout(layouts: Sequence[Layout]) -> Layout | None:
    """The layout of all sources, if they share one: then expressions hold it as constants."""
    return layouts[0] if len(set(layouts)) == 1 else None


def read_lines(
    spark: SparkSession, uris: dict[int, str], headers: dict[int, tuple[str, Layout]], boundary: str | None = None
) -> DataFrame:
    """
    All lines with SOURCE, `header` and `width`, and `places` where sources differ in their layouts.
    What the boundary ends is one line, where there is one.
    """
    lines = spark.read.text(list(uris.values()), lineSep=boundary)
    if len(uris) == 1:
        ((source, (header, layout)),) = headers.items()
        return lines.select("value", *_constants(source, header, layout))
    rows = [
        (spelling, source, *_described(*headers[source])) for source, uri in uris.items() for spelling in _spellings(uri)
    ]
    known = small_table(spark, rows, {"file": "string", **DESCRIBED})
    # Outer: a line of an unknown file must not vanish.
    return lines.withColumn("file", F.input_file_name()).join(F.broadcast(known), "file", "left").drop("file")


def numbered(lines: DataFrame) -> DataFrame:
    """
    Adds where a line is, as far as Spark knows: the `block` of its file, and `nth`, which rises in it, is no other line's,
    and is the same whenever the same files are read. Before anything is filtered or shuffled.
    """
    return lines.select("*", F.input_file_block_start().alias("block"), F.monotonically_increasing_id().alias("nth"))


def attributed(rows: DataFrame, files: dict[str, int]) -> DataFrame:
    """Rows of parquet files with SOURCE, the number of the source that each file is of."""
    if len(set(files.values())) == 1:
        return rows.withColumn(SOURCE, F.lit(next(iter(files.values()))))
    names = [(spelling, source) for uri, source in files.items() for spelling in _spellings(uri)]
    known = small_table(rows.sparkSession, names, {FILE: "string", SOURCE: "int"})
    # Outer: a row of an unknown file must not vanish.
    return rows.withColumn(FILE, F.input_file_name()).join(F.broadcast(known), FILE, "left").drop(FILE)


def _described(header: str, layout: Layout) -> tuple[str, int, list[int | None]]:
    return header, layout.width, list(layout.places)


def _constants(source: int, header: str, layout: Layout) -> list[object]:
    places = F.array(*(F.lit(place).cast("int") for place in layout.places))
    return [
        F.lit(source).alias(SOURCE),
        F.lit(header).alias("header"),
        F.lit(layout.width).alias("width"),
        places.alias("places"),
    ]


def _spellings(uri: str) -> list[str]:
    """Spark names a local file with one slash or with three."""
    return [uri, uri.replace("file:///", "file:/", 1)] if uri.startswith("file:///") else [uri]
