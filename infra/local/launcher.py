"""Runs MiniStack with Landfall's extensions. Started by runtime.ts, which sets the environment that it reads:

LANDFALL_RUN_DIR   where the run's own temporary folder is made and removed again; `{pid}` stands for the process id

It ends when standard input ends, that is, when the parent dies; unless that has said `stay` before.
"""

import asyncio
import importlib
import os
import pathlib
import shutil
import signal
import sys
import threading

import guardian

EXTENSIONS = pathlib.Path(__file__).parent / "extensions"


def main():
    if os.getpgrp() != os.getpid():
        os.setsid()
    run_dir = pathlib.Path(os.environ["LANDFALL_RUN_DIR"].replace("{pid}", str(os.getpid())))
    shutil.rmtree(run_dir, ignore_errors=True)
    run_dir.mkdir(parents=True)
    guardian.start(run_dir)
    # Before any import of MiniStack, whose modules read it once.
    os.environ["TMPDIR"] = str(run_dir)
    threading.Thread(target=_end_with_stdin, daemon=True).start()

    import ministack.app

    for name in sorted(path.stem for path in EXTENSIONS.glob("*.py")):
        importlib.import_module(f"extensions.{name}").apply()
    _end_at_once()
    ministack.app.main()


def _end_with_stdin():
    if os.read(0, 4096) != b"stay\n":
        os._exit(0)


def _end_at_once():
    """Everything is in memory, so there is nothing to shut down in order; the guardian does what remains.

    Upstream's orderly way waits for open requests and running invocations.
    """
    import hypercorn.asyncio

    serve = hypercorn.asyncio.serve

    def serve_until_killed(app, config):
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: os._exit(0))
        return serve(app, config, shutdown_trigger=asyncio.Event().wait)

    hypercorn.asyncio.serve = serve_until_killed


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    main()
