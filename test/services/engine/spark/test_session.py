from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from landfall_spark.session import LOCAL_SETTINGS, SETTINGS, is_local, reaches
from pyspark.sql import SparkSession


def test_a_session_has_the_settings_of_the_jobs(spark: SparkSession) -> None:
    assert {name: spark.conf.get(name) for name in SETTINGS} == SETTINGS
    # Spark puts options of its own before the given ones.
    found = {name: spark.sparkContext.getConf().get(name, "") for name in LOCAL_SETTINGS}
    assert all(found[name].endswith(value) for name, value in LOCAL_SETTINGS.items()), found


def test_nothing_depends_on_the_clock_zone_of_the_machine(spark: SparkSession) -> None:
    (row,) = spark.sql("SELECT CAST(TIMESTAMP_NTZ '1500-01-01 00:00:00' AS STRING), current_timezone()").collect()
    assert tuple(row) == ("1500-01-01 00:00:00", "UTC")


def test_what_cannot_be_cast_is_null_and_ends_no_job(spark: SparkSession) -> None:
    (row,) = spark.sql("SELECT CAST('x' AS INT), try_cast('2015-02-29' AS DATE), to_date('1/2/15', 'M/d/yyyy')").collect()
    assert tuple(row) == (None, None, None)


def test_days_before_1582_are_written_and_read_as_they_are(spark: SparkSession, tmp_path: Path) -> None:
    days = "SELECT DATE '1500-03-01' AS day, TIMESTAMP_NTZ '1500-03-01 01:02:03.000004' AS at"
    spark.sql(days).write.parquet(str(tmp_path / "out"))
    rows = spark.read.parquet(str(tmp_path / "out"))
    assert rows.dtypes == [("day", "date"), ("at", "timestamp_ntz")]
    assert tuple(rows.collect()[0]) == (date(1500, 3, 1), datetime(1500, 3, 1, 1, 2, 3, 4))


def test_spark_of_pypi_reaches_files_and_not_s3(spark: SparkSession) -> None:
    assert is_local(spark)
    assert reaches(spark, "file:///tmp/x.csv")
    assert not reaches(spark, "s3://bucket/x.csv")
