"""What a Glue run's process is: its command, its environment, and the credentials of its job's role."""

import contextlib
import hashlib
import os
import tempfile
from urllib.parse import unquote, urlparse

from ministack.core.responses import get_account_id, get_region
from ministack.services import s3, sts
from spark_command import spark_environment, spark_python

NODE = (".mjs", ".js", ".ts")
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "JAVA_HOME")
# Arguments that are Glue's own and that a script is not expected to know.
RESERVED = ("--enable-", "--job-", "--continuous-log-", "--extra-", "--additional-python-modules", "--conf", "--class",
            "--spark-event-logs-path", "--datalake-formats", "--library-set", "--user-jars-first", "--TempDir",
            "--python-modules-installer-option", "--executor-cores", "--encryption-type")  # fmt: skip


@contextlib.contextmanager
def job_command(job, run):
    """Yields the command line and what it adds to the environment. Files on S3 are here as copies until the run ends."""
    location = job.get("Command", {}).get("ScriptLocation", "")
    with contextlib.ExitStack() as stack:
        arguments = {**job.get("DefaultArguments", {}), **run["Arguments"]}
        script = _local_path(location, stack)
        if script.endswith(NODE):
            command, environment = ["node", script], {}
            arguments = {key: value for key, value in arguments.items() if not key.startswith(RESERVED)}
        elif script.endswith(".py"):
            python = spark_python()
            command = [python, script]
            # Of a run's own: one that is killed leaves gigabytes there, and nothing else removes them before the end.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="spark-", ignore_cleanup_errors=True))
            environment = spark_environment(python, arguments, folder, lambda uri: _local_path(uri, stack))
            arguments = {"--JOB_NAME": job["Name"], "--JOB_RUN_ID": run["Id"], **arguments}
        else:
            raise ValueError(f"The job's script {location} is neither JavaScript nor Python.")
        yield command + [str(part) for pair in arguments.items() for part in pair], environment


def _local_path(location, stack):
    if location.startswith("file://"):
        path = unquote(urlparse(location).path)
        if not os.path.isfile(path):
            raise ValueError(f"The job's file {location} does not exist.")
        return path
    bucket, _, key = location.removeprefix("s3://").partition("/")
    body = s3._get_object_data(bucket, key) if location.startswith("s3://") else None
    if body is None:
        raise ValueError(f"The job's file {location} does not exist.")
    copy = stack.enter_context(tempfile.NamedTemporaryFile(suffix=os.path.splitext(key)[1]))
    copy.write(body)
    copy.flush()
    return copy.name


def job_environment(credentials, added):
    """Only what a job may see: not the emulator's own credentials."""
    port = os.environ["GATEWAY_PORT"]
    return {
        **{key: value for key, value in os.environ.items() if key in KEPT or key.startswith("LANDFALL_")},
        **credentials,
        **added,
        "AWS_REGION": get_region(),
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


@contextlib.contextmanager
def job_session(job, run):
    """Credentials of the job's role for the time of the run, made as in core/lambda_runtime.execution_credentials."""
    role = job.get("Role", "").rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{run['Id']}:{role}".encode()).hexdigest()
    access_key = f"ASIA{digest[:16].upper()}"
    credentials = {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "AWS_SESSION_TOKEN": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }
    sts.register_session(access_key, {
        "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{role}/GlueJobRunnerSession",
        "UserId": f"{role}:GlueJobRunnerSession",
        "SecretAccessKey": credentials["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": credentials["AWS_SESSION_TOKEN"],
    })  # fmt: skip
    try:
        yield credentials
    finally:
        sts._sessions.pop(access_key, None)
