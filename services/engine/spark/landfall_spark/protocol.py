"""The job protocol: one manifest in, objects below a random id of the job's own, and last, if none is there, the report."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pyspark.sql import SparkSession

from . import objects
from .refused import RefusedSource
from .session import reaches, start_session

Manifest = dict[str, Any]
Source = dict[str, Any]
SourceReport = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a job works."""

    # Its folder in staging, ends with `/`.
    staging: str
    # A folder of the driver's own that is gone when the job ends.
    temp: str
    # Where Spark writes, ends with `/`: below `staging` if it can.
    spark: str

    def publishable(self, uri: str, name: str) -> dict[str, Any]:
        """What Spark wrote, as an object in staging. It is sent there, by this name, if it is not there yet."""
        if uri.startswith(self.staging):
            target, written = uri, objects.head(uri)
        else:
            target = f"{self.staging}{name}"
            written = objects.upload(objects.path_of(uri), target)
        return {"uri": target, "etag": written.etag, "bytes": written.bytes}


Work = Callable[[SparkSession, Manifest, Place], list[SourceReport]]


def main(stage: str, work: Work) -> None:
    """A job's process: exit code 0 when a report is there, 1 with a line on stderr when not."""
    # Glue passes arguments of its own, too.
    parser = argparse.ArgumentParser(prog=stage, allow_abbrev=False)
    parser.add_argument("--manifest", required=True, help="s3:// or file:// URI")
    options, _ = parser.parse_known_args()
    try:
        manifest = json.loads(objects.read(options.manifest))
        if manifest["stage"] != stage:
            raise ValueError(f"The manifest is for {manifest['stage']}, this job is {stage}.")
        said = run(start_session(f"landfall {stage}"), manifest, work)
    except Exception as error:
        print(f"{stage}: {error}", file=sys.stderr)
        raise
    print(json.dumps(said))


def run(spark: SparkSession, manifest: Manifest, work: Work) -> dict[str, Any]:
    """Does the work and reports. A twin of this job that has reported first is no failure."""
    started = _now()
    job = str(uuid.uuid4())
    staging = f"{manifest['staging']}{job}/"
    temp = tempfile.mkdtemp(prefix="landfall-job-")
    try:
        out = staging if reaches(spark, staging) else f"file://{temp}/"
        sources = work(spark, manifest, Place(staging, temp, out))
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    report = {
        "report": 1,
        "batch": manifest["batch"],
        "engine": "spark",
        "job": job,
        "startedAt": started,
        "endedAt": _now(),
        "sources": sources,
    }
    first = objects.put_if_absent(manifest["report"], json.dumps(report, ensure_ascii=False))
    return {
        "outcome": "reported" if first else "superseded",
        "batch": manifest["batch"],
        "job": job,
        "sources": len(sources),
        "rowsIn": sum(source["rowsIn"] for source in sources),
        "rejected": sum(source["rejected"] for source in sources),
    }


def report_of(source: Source, **found: Any) -> SourceReport:
    """The part of a report about one source; what is not named is nothing."""
    return {
        "runId": source["runId"],
        "sourceId": source["sourceId"],
        "rowsIn": 0,
        "accepted": 0,
        "rejected": 0,
        "refusal": None,
        "reasons": [],
        "examples": [],
        "parts": [],
        "rejects": None,
        **found,
    }


def refusal_of(source: Source, error: RefusedSource) -> SourceReport:
    return report_of(source, refusal={"code": error.code, "message": str(error)})


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
