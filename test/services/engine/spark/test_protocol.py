from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from landfall_spark import protocol
from landfall_spark.objects import Written, head
from landfall_spark.protocol import Place, SourceReport, refusal_of, report_of, run
from landfall_spark.refused import RefusedSource
from pyspark.sql import SparkSession

SOURCES = [{"runId": f"run-{i}", "sourceId": f"source-{i}", "inputs": []} for i in range(2)]


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    staging = f"{(tmp_path / 'staging').as_uri()}/"
    return {"stage": "convert", "batch": "batch-1", "sources": SOURCES, "staging": staging, "report": f"{staging}report.json"}


def work(spark: SparkSession, manifest: dict[str, Any], place: Place) -> list[SourceReport]:
    first, second = manifest["sources"]
    return [report_of(first, rowsIn=3, accepted=2, rejected=1), refusal_of(second, RefusedSource("empty_file", "x is empty."))]


def test_of_a_source_only_what_is_named_is_something() -> None:
    assert report_of(SOURCES[0], rowsIn=3) == {
        "runId": "run-0",
        "sourceId": "source-0",
        "rowsIn": 3,
        "accepted": 0,
        "rejected": 0,
        "refusal": None,
        "reasons": [],
        "examples": [],
        "parts": [],
        "rejects": None,
    }
    refused = refusal_of(SOURCES[0], RefusedSource("empty_file", "x is empty."))
    assert refused == report_of(SOURCES[0], refusal={"code": "empty_file", "message": "x is empty."})


def test_a_job_reports_and_says_what_it_did(spark: SparkSession, manifest: dict[str, Any], tmp_path: Path) -> None:
    said = run(spark, manifest, work)
    assert said == {
        "outcome": "reported",
        "batch": "batch-1",
        "job": said["job"],
        "sources": 2,
        "rowsIn": 3,
        "rejected": 1,
    }
    report = json.loads((tmp_path / "staging/report.json").read_text())
    assert (report["report"], report["engine"], report["job"]) == (1, "spark", said["job"])
    assert report["sources"] == work(spark, manifest, Place("", "", ""))
    assert report["startedAt"] <= report["endedAt"] and report["endedAt"].endswith("Z")


def test_of_two_jobs_for_one_manifest_the_first_report_stays(
    spark: SparkSession, manifest: dict[str, Any], tmp_path: Path
) -> None:
    first, second = run(spark, manifest, work), run(spark, manifest, work)
    assert (first["outcome"], second["outcome"]) == ("reported", "superseded")
    assert json.loads((tmp_path / "staging/report.json").read_text())["job"] == first["job"] != second["job"]


def test_a_job_works_below_an_id_of_its_own_and_leaves_nothing_on_the_disk(
    spark: SparkSession, manifest: dict[str, Any]
) -> None:
    places: list[Place] = []

    def writing(spark: SparkSession, manifest: dict[str, Any], place: Place) -> list[SourceReport]:
        places.append(place)
        Path(place.temp, "left").write_text("x")
        if len(places) == 3:
            raise RuntimeError("the disk is full")
        return []

    jobs = [run(spark, manifest, writing)["job"] for _ in range(2)]
    with pytest.raises(RuntimeError, match="the disk is full"):
        run(spark, manifest, writing)
    assert [place.staging for place in places[:2]] == [f"{manifest['staging']}{job}/" for job in jobs]
    assert len({place.staging for place in places}) == len({place.temp for place in places}) == 3
    # Spark reaches files by itself: what it writes is in staging at once.
    assert all(place.spark == place.staging for place in places)
    assert not any(os.path.exists(place.temp) for place in places)


def test_a_job_that_fails_reports_nothing(spark: SparkSession, manifest: dict[str, Any], tmp_path: Path) -> None:
    def failing(*_: Any) -> list[SourceReport]:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        run(spark, manifest, failing)
    assert not (tmp_path / "staging").exists()


def test_what_spark_could_not_write_to_staging_is_sent_there(tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()
    for name in ("temp/a.parquet", "b.parquet"):
        (tmp_path / name).write_bytes(b"PAR1")
    place = Place(f"{(tmp_path / 'staging').as_uri()}/", str(tmp_path / "temp"), f"{(tmp_path / 'temp').as_uri()}/")
    sent = place.publishable((tmp_path / "temp/a.parquet").as_uri(), "00001/part-00001.parquet")
    assert sent["uri"] == f"{place.staging}00001/part-00001.parquet"
    assert Written(sent["etag"], sent["bytes"]) == head(sent["uri"])
    assert place.publishable(sent["uri"], "another") == sent


def test_a_job_refuses_a_manifest_of_another_stage(
    manifest: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest))
    monkeypatch.setattr(sys, "argv", ["job.py", "--JOB_NAME", "x", "--manifest", file.as_uri()])
    with pytest.raises(ValueError):
        protocol.main("partition", work)
    assert capsys.readouterr().err == "partition: The manifest is for convert, this job is partition.\n"


def test_a_job_says_in_one_line_what_became_of_it(
    spark: SparkSession,
    manifest: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest))
    monkeypatch.setattr(sys, "argv", ["job.py", "--manifest", file.as_uri(), "--enable-metrics", "true"])
    protocol.main("convert", work)
    assert json.loads(capsys.readouterr().out)["outcome"] == "reported"
