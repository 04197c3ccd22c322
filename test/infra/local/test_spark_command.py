from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spark_command import spark_environment, spark_python

PACKAGES = Path(__file__).parents[3] / "services/engine/spark"
SCRIPT = f"""
import json, sys
sys.path.insert(0, {str(PACKAGES)!r})
from landfall_spark.session import start_session
spark = start_session("a job")
runtime = spark.sparkContext._jvm.java.lang.management.ManagementFactory.getRuntimeMXBean()
print(json.dumps([list(runtime.getInputArguments()), dict(spark.sparkContext.getConf().getAll())]))
"""


def test_a_run_has_the_java_options_of_the_job_and_those_of_the_run(tmp_path: Path) -> None:
    environment = spark_environment(sys.executable, {"--conf": "spark.sql.shuffle.partitions=7"}, str(tmp_path), str)
    ran = subprocess.run(
        [sys.executable, "-B", "-c", SCRIPT],
        env={**os.environ, **environment, "LANDFALL_SPARK_MEMORY": "777m"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    options, settings = json.loads(ran.stdout)
    assert {"-Xmx777m", "-XX:+UseParallelGC", f"-Djava.io.tmpdir={tmp_path}", "-XX:-UsePerfData"} <= set(options)
    # Of each one only: of two, the JVM would take the last, whosever that is.
    assert sum(option.startswith("-Xmx") for option in options) == 1
    expected = {
        "spark.master": "local[*]",
        "spark.sql.shuffle.partitions": "7",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": f"{tmp_path}/spark-warehouse",
    }
    assert {name: settings.get(name, "").removeprefix("file:") for name in expected} == expected


def test_modules_of_a_run_are_on_its_path_under_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "fetched").touch()
    (tmp_path / "run").mkdir()
    files = {"--extra-py-files": "s3://code/a/0123.zip, s3://code/b/alone.py,s3://code/b/other.py"}
    environment = spark_environment("python", files, str(tmp_path / "run"), lambda _: str(tmp_path / "fetched"))
    assert environment["PYTHONPATH"].split(os.pathsep) == [f"{tmp_path}/run/0123.zip", f"{tmp_path}/run"]
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["0123.zip", "alone.py", "other.py"]


def test_a_run_without_a_python_for_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANDFALL_SPARK_PYTHON", raising=False)
    with pytest.raises(ValueError, match="LANDFALL_SPARK_PYTHON is not set: it names a Python with pyspark"):
        spark_python()
