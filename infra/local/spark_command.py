"""A Glue run of a Spark job as a process: `python job.py`, with what Glue's own machines would put around it."""

import os
import shutil


def spark_python():
    python = os.environ.get("LANDFALL_SPARK_PYTHON")
    if not python:
        raise ValueError("LANDFALL_SPARK_PYTHON is not set: it names a Python with pyspark, which this job needs.")
    return python


def spark_environment(python, arguments, folder, fetch):
    """The environment that pyspark starts a session in: what is of this run. The rest the job sets itself, in session.py.

    `folder` is the run's own, for all that it leaves on the disk; `fetch` turns the location of a file into a local path.
    """
    options = {
        "spark.master": "local[*]",
        "spark.sql.warehouse.dir": os.path.join(folder, "spark-warehouse"),
        # The extra ones are the job's: of a setting that is given twice, only this one would count.
        "spark.driver.defaultJavaOptions": f"-Djava.io.tmpdir={folder} -XX:-UsePerfData",
    }
    submit = [f"--conf '{name}={value}'" for name, value in options.items()]
    if "--conf" in arguments:
        submit.append(f"--conf {arguments['--conf']}")
    return {
        "TMPDIR": folder,
        "PYTHONPATH": _module_path(arguments.get("--extra-py-files", ""), folder, fetch),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "PYSPARK_SUBMIT_ARGS": f"{' '.join(submit)} pyspark-shell",
        "SPARK_LOCAL_DIRS": folder,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def _module_path(locations, folder, fetch):
    """As on Glue: an archive is on the path itself, a single module by its folder, and both under their own names."""
    path = []
    for location in filter(None, (part.strip() for part in locations.split(","))):
        copy = os.path.join(folder, location.rsplit("/", 1)[-1])
        shutil.copyfile(fetch(location), copy)
        path.append(folder if copy.endswith(".py") else copy)
    return os.pathsep.join(dict.fromkeys(path))
