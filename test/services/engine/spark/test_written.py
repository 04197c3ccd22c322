from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from landfall_spark import written
from landfall_spark.objects import path_of
from landfall_spark.written import count_rows, in_parallel, parquet_files, parquet_writer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def test_files_are_grouped_by_their_folders_with_the_rows_that_they_hold(spark: SparkSession, tmp_path: Path) -> None:
    out = f"{(tmp_path / 'out').as_uri()}/"
    rows = spark.range(10).select("id", F.when(F.col("id") < 7, 3).otherwise(12).alias("~group"))
    rows.coalesce(1).write.partitionBy("~group").parquet(out)
    files = parquet_files(out, "~group")
    assert {(file.group, file.rows) for file in files} == {(3, 7), (12, 3)}
    assert {path_of(file.uri) for file in files} == {str(file) for file in (tmp_path / "out").rglob("*.parquet")}
    # Spark leaves no marker beside them.
    assert not list((tmp_path / "out").rglob("_SUCCESS"))


def test_files_in_no_folder_of_a_group_are_of_group_0(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(4).repartition(2).write.parquet(str(tmp_path / "out"))
    files = parquet_files(f"{(tmp_path / 'out').as_uri()}/", "~group")
    assert [(file.group, file.rows) for file in files] == [(0, 2), (0, 2)]


def test_a_footer_that_one_look_does_not_hold_is_read_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark.range(5).coalesce(1).write.parquet(str(tmp_path / "out"))
    (file,) = (tmp_path / "out").glob("*.parquet")
    sizes: list[int] = []
    read_tail = written.objects.read_tail
    monkeypatch.setattr(written.objects, "read_tail", lambda uri, size: [sizes.append(size), read_tail(uri, size)][1])
    assert count_rows(file.as_uri()) == 5
    monkeypatch.setattr(written, "TAIL", 8)
    assert count_rows(file.as_uri()) == 5
    assert sizes[:2] == [64 << 10, 8] and 8 < sizes[2] < file.stat().st_size and len(sizes) == 3


def test_numbers_are_written_without_a_dictionary_and_texts_with_one(
    spark: SparkSession, tmp_path: Path, plan: dict[str, Any]
) -> None:
    rows = spark.range(1000).select(F.lit("a text").alias("KEY"), (F.col("id") % 3).cast("int").alias("FIRST"))
    parquet_writer(rows.coalesce(1), plan).parquet(str(tmp_path / "out"))
    (file,) = (tmp_path / "out").glob("*.parquet")
    jvm: Any = spark.sparkContext._jvm
    path = jvm.org.apache.hadoop.fs.Path(file.as_uri())
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    source = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, hadoop)
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(source)
    try:
        columns = reader.getFooter().getBlocks().get(0).getColumns()
        found = {column.getPath().toDotString(): column for column in columns}
        assert {name: column.hasDictionaryPage() for name, column in found.items()} == {"KEY": True, "FIRST": False}
        assert {str(column.getCodec()) for column in columns} == {"ZSTD"}
    finally:
        reader.close()


def test_work_side_by_side_keeps_its_order_and_its_errors() -> None:
    assert in_parallel(list(range(50)), lambda n: n * n) == [n * n for n in range(50)]
    assert in_parallel([], lambda n: n) == []
    with pytest.raises(ZeroDivisionError):
        in_parallel([1, 0], lambda n: 1 // n)
