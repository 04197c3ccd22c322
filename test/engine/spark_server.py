"""Runs the Spark jobs in one process for many tests: a line of JSON in is a manifest, a line out is what became of it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

SERVICES = Path(__file__).resolve().parents[2] / "services"


def job(stage: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{stage}_job", SERVICES / stage / "job.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    works = {"convert": job("convert").convert, "partition": job("partition").partition}
    from landfall_spark import protocol, session

    spark = session.start_session("landfall tests")
    print("{}", flush=True)
    for line in sys.stdin:
        manifest = json.loads(line)
        try:
            said = protocol.run(spark, manifest, works[manifest["stage"]])
        except Exception as error:  # The test that asked is the one to fail.
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
