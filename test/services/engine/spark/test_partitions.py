from __future__ import annotations

from collections import Counter, defaultdict

from landfall_spark.attribution import SOURCE
from landfall_spark.partitions import (
    OBJECT,
    Slot,
    count_values,
    murmur3,
    number_values,
    pack,
    task_keys,
    with_objects,
)
from landfall_spark.small import small_table
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

TYPES = {"N": "int", "COUNTRY": "string", SOURCE: "int"}


def counted(rows: DataFrame) -> list[tuple[int, str | None, int]]:
    return [(row[0], row[1], row[2]) for row in count_values(rows, "COUNTRY").collect()]


def test_murmur3_is_the_hash_of_spark(spark: SparkSession) -> None:
    numbers = [*range(200), 2**16, 2**24 + 1, 2**31 - 1]
    rows = small_table(spark, [(n,) for n in numbers], {"n": "int"}).select("n", F.hash("n").alias("hash")).collect()
    assert {row["n"]: row["hash"] for row in rows} == {n: murmur3(n) for n in numbers}


def test_a_key_goes_to_its_task_by_the_hash_partitioning_of_spark(spark: SparkSession) -> None:
    for tasks in (1, 2, 7, 60):
        keys = task_keys(tasks)
        table = small_table(spark, [(key,) for key in keys], {"key": "int"}).repartition(tasks, "key")
        found = {row["key"]: row["task"] for row in table.select("key", F.spark_partition_id().alias("task")).collect()}
        assert found == {key: task for task, key in enumerate(keys)}


def test_values_are_numbered_by_source_and_value_whatever_their_order() -> None:
    found = [(1, "b", 3), (0, "b", 1), (0, None, 2), (1, "a", 5), (0, "a", 4)]
    slots = number_values(found)
    assert slots == number_values(reversed(found))
    assert [(slot.source, slot.value, slot.first) for slot in slots] == [
        (0, None, 0),
        (0, "a", 1),
        (0, "b", 2),
        (1, "a", 3),
        (1, "b", 4),
    ]


def test_values_are_sorted_by_utf_16_as_the_other_engine_sorts() -> None:
    slots = number_values([(0, value, 1) for value in ("\uffee", "\U0001f600", "~", "Ω")])
    assert [slot.value for slot in slots] == ["~", "Ω", "\U0001f600", "\uffee"]


def test_a_value_gets_an_object_for_each_rows_that_one_may_hold() -> None:
    slots = number_values([(0, "a", 10), (0, "b", 11), (0, "c", 1)], rows_per_object=10)
    assert [(slot.first, slot.objects) for slot in slots] == [(0, 1), (1, 2), (3, 1)]


def test_objects_are_packed_so_that_the_tasks_get_like_loads() -> None:
    slots = number_values([(0, f"v{i:02}", rows) for i, rows in enumerate([8, 1, 1, 7, 2, 3, 2, 24])], rows_per_object=8)
    placed = pack(slots, 3)
    assert sorted(placed) == list(range(sum(slot.objects for slot in slots)))
    load = Counter[int]()
    for slot in slots:
        for number in range(slot.first, slot.first + slot.objects):
            load[placed[number]] += slot.rows // slot.objects
    assert sorted(load.values()) == [16, 16, 16]


def test_rows_are_counted_by_source_and_value_and_an_empty_text_is_no_value(spark: SparkSession) -> None:
    rows = [(1, "Chad", 0), (2, "Chad", 0), (3, "", 0), (4, None, 0), (5, "Chad", 1), (6, " ", 1)]
    found = counted(small_table(spark, rows, TYPES))
    assert sorted(found, key=str) == sorted([(0, "Chad", 2), (0, None, 2), (1, "Chad", 1), (1, " ", 1)], key=str)


def test_each_row_is_in_an_object_of_its_value_and_each_object_in_one_task(spark: SparkSession) -> None:
    values = ["Chad", "Côte d'Ivoire", None, "", "a=b", "Chad "]
    rows = [(n, values[n * n % 6], n % 2) for n in range(240)]
    table = small_table(spark, rows, TYPES).repartition(5)
    slots = number_values(counted(table), rows_per_object=30)
    assert any(slot.objects > 1 for slot in slots)
    divided = with_objects(table, "COUNTRY", slots, 4)
    assert divided.columns == ["N", OBJECT]

    found = divided.select("N", OBJECT, F.spark_partition_id().alias("task")).collect()
    assert sorted(row["N"] for row in found) == list(range(240))
    slot_of = {slot.first + i: slot for slot in slots for i in range(slot.objects)}
    tasks: dict[int, set[int]] = defaultdict(set)
    rows_of: Counter[Slot] = Counter()
    for row in found:
        slot = slot_of[row[OBJECT]]
        assert (slot.source, slot.value) == (rows[row["N"]][2], rows[row["N"]][1] or None)
        tasks[row[OBJECT]].add(row["task"])
        rows_of[slot] += 1
    assert all(len(of_object) == 1 for of_object in tasks.values())
    assert rows_of == {slot: slot.rows for slot in slots}
