"""Gap: a Glue job never runs ("glueetl" is SUCCEEDED at once), has no concurrency limit and sends no events.

Upstream: services/glue.py, `_start_job_run`, `_get_job_run`, `_get_job_runs`, `_batch_stop_job_run`.

Here a run is a process under the job's role: `node <script>` for .mjs, .js and .ts, `$LANDFALL_SPARK_PYTHON <script>`
for .py, with `--extra-py-files` and `--conf`. As on AWS: events for SUCCEEDED, FAILED, TIMEOUT and STOPPED only; a run's
Arguments are those it was started with; its slot frees a little (LANDFALL_GLUE_SLOT_LAG seconds, default 0.5) after the
end event. Not as on AWS: the job's files are read with the emulator's own rights, not the role's, and neither worker
type nor memory is enforced.
"""

import contextvars
import os
import secrets
import threading
import time

import glue_events
from job_command import job_command, job_environment, job_session
from job_process import JobProcess
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import glue
from patching import replace

ENDS = {
    "SUCCEEDED": ("INFO", "Job run succeeded"),
    "FAILED": ("ERROR", None),
    "TIMEOUT": ("WARN", "Job run timed out"),
    "STOPPED": ("INFO", "Job run stopped"),
}

_lock = threading.Lock()
_busy = {}  # (account, region, job name) -> ids of the runs that hold a slot
_live = {}  # run id -> its process, None until it has one
_stopping = set()  # ids of runs that BatchStopJobRun has named


def apply():
    replace(glue, "_start_job_run", ("data",), lambda _: _start_job_run)
    replace(glue, "_get_job_run", ("data",), lambda _: _get_job_run)
    replace(glue, "_get_job_runs", ("data",), lambda _: _get_job_runs)
    replace(glue, "_batch_stop_job_run", ("data",), lambda _: _batch_stop_job_run)


def _start_job_run(data):
    name = data.get("JobName")
    job = glue._jobs.get(name)
    if not job:
        return error_response_json("EntityNotFoundException", f"Job {name} not found", 400)
    slots = _busy.setdefault((get_account_id(), get_region(), name), set())
    limit = job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
    run_id = f"jr_{secrets.token_hex(32)}"
    with _lock:
        if len(slots) >= limit:
            exceeded = f"Concurrent runs exceeded for {name}"
            return error_response_json("ConcurrentRunsExceededException", exceeded, 400)
        slots.add(run_id)
        _live[run_id] = None
    now = time.time()
    run = {
        "Id": run_id,
        "Attempt": 0,
        "JobName": name,
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": data.get("Arguments", {}),
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "Timeout": data.get("Timeout") or job.get("Timeout", 2880),
        "WorkerType": data.get("WorkerType") or job.get("WorkerType"),
        "NumberOfWorkers": data.get("NumberOfWorkers") or job.get("NumberOfWorkers"),
        "GlueVersion": job.get("GlueVersion"),
        "LogGroupName": "/aws-glue/jobs",
    }
    glue._job_runs.setdefault(name, []).append(run)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_run, dict(job), run, slots), daemon=True).start()
    return json_response({"JobRunId": run_id})


def _run(job, run, slots):
    try:
        state, message = _execute(job, run)
    except Exception as error:  # whatever it was, the run must end and free its slot
        state, message = "FAILED", f"{type(error).__name__}: {error}"
    now = time.time()
    ended = {"CompletedOn": now, "LastModifiedOn": now, "ExecutionTime": int(now - run["StartedOn"])}
    with _lock:
        _live.pop(run["Id"], None)
        if run["Id"] in _stopping:
            _stopping.discard(run["Id"])
            state, message = "STOPPED", ""
        run.update(ended, ErrorMessage=message, JobRunState=state)
    severity, said = ENDS[state]
    detail = {"jobName": job["Name"], "severity": severity, "state": state, "jobRunId": run["Id"]}
    try:
        glue_events.emit("Glue Job State Change", {**detail, "message": said or message})
    finally:
        time.sleep(float(os.environ.get("LANDFALL_GLUE_SLOT_LAG", "0.5")))
        with _lock:
            slots.discard(run["Id"])


def _execute(job, run):
    folder = os.environ.get("LANDFALL_LOG_DIR")
    log = folder and os.path.join(folder, f"glue-{job['Name']}-{run['Id']}.log")
    with job_command(job, run) as (command, added), job_session(job, run) as credentials:
        with _lock:
            if run["Id"] in _stopping:
                return "STOPPED", ""
            process = _live[run["Id"]] = JobProcess(command, job_environment(credentials, added), log)
            run.update(JobRunState="RUNNING", LastModifiedOn=time.time())
        code = process.wait(run["Timeout"] * 60)
    if code is None:
        return "TIMEOUT", f"Job run exceeded its timeout of {run['Timeout']} minutes"
    return ("SUCCEEDED", "") if code == 0 else ("FAILED", process.tail() or f"The job's process ended with code {code}")


def _get_job_run(data):
    for run in glue._job_runs.get(data.get("JobName"), []):
        if run["Id"] == data.get("RunId"):
            return json_response({"JobRun": dict(run)})
    return error_response_json("EntityNotFoundException", f"Job run {data.get('RunId')} not found", 400)


def _get_job_runs(data):
    if data.get("JobName") not in glue._jobs:
        return error_response_json("EntityNotFoundException", f"Job {data.get('JobName')} not found", 400)
    newest_first = glue._job_runs.get(data["JobName"], [])[::-1]
    start = int(data.get("NextToken") or 0)
    end = start + int(data.get("MaxResults") or 200)
    response = {"JobRuns": [dict(run) for run in newest_first[start:end]]}
    return json_response({**response, "NextToken": str(end)} if end < len(newest_first) else response)


def _batch_stop_job_run(data):
    name = data.get("JobName")
    runs = {run["Id"]: run for run in glue._job_runs.get(name, [])}
    submitted, errors = [], []
    for run_id in data.get("JobRunIds", []):
        one = {"JobName": name, "JobRunId": run_id}
        with _lock:
            running = run_id in runs and run_id in _live
            if running:
                _stopping.add(run_id)
                runs[run_id].update(JobRunState="STOPPING", LastModifiedOn=time.time())
                if _live[run_id]:
                    _live[run_id].kill()
        if running:
            submitted.append(one)
            continue
        code = "InvalidInputException" if run_id in runs else "EntityNotFoundException"
        errors.append({**one, "ErrorDetail": {"ErrorCode": code, "ErrorMessage": f"Job run {run_id} is not running"}})
    return json_response({"SuccessfulSubmissions": submitted, "Errors": errors})
