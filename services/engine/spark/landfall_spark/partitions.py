"""Rows to partitions: every value of the partition column gets dense numbers, and folders are named by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from .attribution import SOURCE
from .small import small_table

# No column of a contract can be called so.
OBJECT = "~object"
TASK = "~task"
VALUE = "~value"
FIRST, OBJECTS, KEYS, SHARE = "~first", "~objects", "~keys", "~share"

# One object per value, as DuckDB writes it. Only beyond this does a value get more, so that no task has to write it alone.
ROWS_PER_OBJECT = 20_000_000


@dataclass(frozen=True)
class Slot:
    """The objects of one value of one source: `objects` of them, numbered from `first`."""

    source: int
    value: str | None
    rows: int
    first: int
    objects: int


def partition_value(partition_by: str) -> Column:
    """The text of the partition value; an empty one is no value, as in Hive."""
    return F.expr(f"nullif(CAST(`{partition_by}` AS STRING), '')").alias(VALUE)


def count_values(rows: DataFrame, partition_by: str) -> DataFrame:
    """Rows of each source and value."""
    return rows.select(f"`{SOURCE}`", partition_value(partition_by)).groupBy(f"`{SOURCE}`", f"`{VALUE}`").count()


def number_values(counted: Iterable[tuple[int, str | None, int]], rows_per_object: int = ROWS_PER_OBJECT) -> list[Slot]:
    """In the order of sources and values, so that the same rows always give the same numbers."""
    slots: list[Slot] = []
    first = 0
    # UTF-16, as the other engine sorts.
    by_value = sorted(counted, key=lambda one: (one[0], one[1] is not None, (one[1] or "").encode("utf-16-be")))
    for source, value, rows in by_value:
        slot = Slot(source, value, rows, first, -(-rows // rows_per_object))
        slots.append(slot)
        first += slot.objects
    return slots


def pack(slots: list[Slot], tasks: int) -> dict[int, int]:
    """A task for each object, the largest first to whoever has least."""
    load = [0] * tasks
    placed: dict[int, int] = {}
    for slot in sorted(slots, key=lambda one: -one.rows // one.objects):
        for number in range(slot.first, slot.first + slot.objects):
            task = load.index(min(load))
            load[task] += slot.rows // slot.objects
            placed[number] = task
    return placed


def task_keys(tasks: int) -> list[int]:
    """For each task a number that Spark's hash partitioning sends there."""
    keys: dict[int, int] = {}
    number = 0
    while len(keys) < tasks:
        keys.setdefault(murmur3(number) % tasks, number)
        number += 1
    return [keys[task] for task in range(tasks)]


def murmur3(number: int) -> int:
    """Spark's `hash` of an int, signed."""
    mask = 0xFFFFFFFF
    rotated = number * 0xCC9E2D51 & mask
    rotated = (rotated << 15 | rotated >> 17) & mask
    mixed = 42 ^ (rotated * 0x1B873593 & mask)
    mixed = (mixed << 13 | mixed >> 19) & mask
    mixed = (mixed * 5 + 0xE6546B64 & mask) ^ 4
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & mask
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & mask
    mixed ^= mixed >> 16
    return mixed - (1 << 32) if mixed >> 31 else mixed


def with_objects(rows: DataFrame, partition_by: str, slots: list[Slot], tasks: int) -> DataFrame:
    """The rows without the partition column, each with its OBJECT, and all of one object in one task."""
    spark = rows.sparkSession
    keys, placed = task_keys(tasks), pack(slots, tasks)
    table = [
        (slot.source, slot.value, slot.first, slot.objects, [keys[placed[slot.first + i]] for i in range(slot.objects)])
        for slot in slots
    ]
    types = {SOURCE: "int", VALUE: "string", FIRST: "int", OBJECTS: "int", KEYS: "array<int>"}
    known = F.broadcast(small_table(spark, table, types)).alias("known")
    kept = [f"`{name}`" for name in rows.columns if name not in (SOURCE, partition_by)]
    valued = rows.select("*", partition_value(partition_by)).alias("rows")
    same = F.col(f"rows.`{SOURCE}`") == F.col(f"known.`{SOURCE}`")
    same &= F.col(f"rows.`{VALUE}`").eqNullSafe(F.col(f"known.`{VALUE}`"))
    objects = F.col(f"known.`{OBJECTS}`")
    share = F.when(objects == 1, 0).otherwise(
        F.pmod(F.xxhash64(*(F.col(f"rows.{name}") for name in kept)), objects).cast("int")
    )
    first, keys = F.col(f"known.`{FIRST}`"), F.col(f"known.`{KEYS}`")
    return (
        valued.join(known, same)
        .select(*(F.col(f"rows.{name}") for name in kept), first, keys, share.alias(SHARE))
        .select(*kept, F.expr(f"`{FIRST}` + `{SHARE}`").alias(OBJECT), F.expr(f"`{KEYS}`[`{SHARE}`]").alias(TASK))
        .repartition(tasks, f"`{TASK}`")
        .drop(TASK)
    )
