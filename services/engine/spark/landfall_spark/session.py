"""The Spark session of a job, and what this Spark can reach by itself."""

from __future__ import annotations

import os
from typing import Any

from pyspark.sql import SparkSession

SETTINGS = {
    # Nothing may depend on the machine's clock zone; timestamps of a contract have none.
    "spark.sql.session.timeZone": "UTC",
    # An expression of the plan gives null for what it cannot read; it never ends the job.
    "spark.sql.ansi.enabled": "false",
    # The default ends the whole job at one odd date.
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.parquet.compression.codec": "zstd",
    # For Athena and DuckDB: no INT96, no legacy decimals, and days before 1582 as they are.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.writeLegacyFormat": "false",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    # A part is what one task reads: at most 128 MB of CSV, some 40 MB of parquet; less where more cores are free.
    "spark.sql.files.maxPartitionBytes": str(128 << 20),
    "spark.sql.sources.partitionColumnTypeInference.enabled": "true",
}

# Only where this process starts the JVM: on Glue, and under spark-submit, it runs already.
LOCAL_SETTINGS = {
    # Above it Spark spills to disk. The driver is all there is here: executors are threads in it.
    "spark.driver.memory": os.environ.get("LANDFALL_SPARK_MEMORY", "4g"),
    # Throughput counts, not pauses: a quarter less time than with the default.
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    # Neither listens where others could reach it, nor asks the resolver for this machine's name.
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    # A run's error message is the end of its log.
    "spark.ui.showConsoleProgress": "false",
}


def start_session(name: str) -> SparkSession:
    builder = SparkSession.builder.appName(name)
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        for key, value in LOCAL_SETTINGS.items():
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    # A committer's marker beside the parquet files would be one more object to explain.
    context: Any = spark.sparkContext
    context._jsc.hadoopConfiguration().set("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        spark.sparkContext.setLogLevel("ERROR")
    return spark


def reaches(spark: SparkSession, uri: str) -> bool:
    """Whether this Spark itself has a file system for the scheme. PyPI's pyspark has none for s3."""
    from py4j.protocol import Py4JJavaError

    context: Any = spark.sparkContext
    scheme = uri.partition(":")[0]
    try:
        context._jvm.org.apache.hadoop.fs.FileSystem.getFileSystemClass(
            scheme, context._jsc.hadoopConfiguration()
        )
        return True
    except Py4JJavaError:
        return False


def is_local(spark: SparkSession) -> bool:
    """Whether the tasks see the driver's disk."""
    return spark.sparkContext.master.startswith("local")
