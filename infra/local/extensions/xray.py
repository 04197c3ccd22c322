"""Gap: there is no X-Ray, nor a daemon for the tracer inside functions.

Upstream: app.py, `SERVICE_HANDLERS`, answers "Unsupported service: xray".

Here are PutTraceSegments, GetTraceSummaries (with filter expressions, see xray_filter.py), BatchGetTraces and what the
tracer asks for sampling; rights are enforced as for other services. The daemon's UDP port is that of
`AWS_XRAY_DAEMON_ADDRESS`, which otherwise gets a free one and so reaches every function. What the daemon is sent and
X-Ray refuses is in the log.

As on AWS: a segment sent again replaces the one in progress; subsegments sent alone are found in their parents; a root
segment decides whether a trace has a fault. Not as on AWS: a trace can be read at once; one account and region; the
newest 2,000 traces are kept; Lambda itself sends no segments, so that the tracer's subsegments stand for themselves;
subsegments of calls to other services make no segments of their own.
"""

import json
import logging
import os
import socket
import threading
import time

import ministack.app
import xray_traces
from ministack.core import iam_actions, router
from ministack.core.responses import error_response_json, json_response
from xray_documents import Refused

MOST_IDS = 5
MOST_SEGMENTS = 50
DEFAULT_RULE = {
    "RuleName": "Default",
    "RuleARN": "arn:aws:xray:us-east-1:000000000000:sampling-rule/Default",
    "ResourceARN": "*",
    "Priority": 10000,
    "FixedRate": 0.05,
    "ReservoirSize": 1,
    "ServiceName": "*",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "*",
    "URLPath": "*",
    "Version": 1,
    "Attributes": {},
}

log = logging.getLogger("xray")


def apply():
    if "xray" in ministack.app.SERVICE_HANDLERS:
        raise RuntimeError("Upstream knows X-Ray by now: see how well, then drop this or adapt it.")
    ministack.app.SERVICE_HANDLERS["xray"] = _handle
    router.SERVICE_PATTERNS["xray"] = {"host_patterns": [r"^xray\."], "credential_scope": "xray"}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["xray"] = "xray"
    iam_actions._BOTOCORE_SERVICE_MAP["xray"] = ["xray"]
    _start_daemon()


async def _handle(method, path, headers, body, query_params):
    action = ACTIONS.get(path) if method == "POST" else None
    if not action:
        return _answer(error_response_json("UnknownOperationException", f"X-Ray here does not know {path}.", 404))
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return _answer(error_response_json("SerializationException", "The request is not JSON.", 400))
    return _answer(action(request))


def _answer(response):
    status, headers, body = response
    return status, {**headers, "Content-Type": "application/json"}, body


def _invalid(message):
    return error_response_json("InvalidRequestException", message, 400)


def _put_trace_segments(request):
    texts = request.get("TraceSegmentDocuments")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return _invalid("TraceSegmentDocuments must be a list of texts.")
    if len(texts) > MOST_SEGMENTS:
        return _invalid(f"TraceSegmentDocuments may have {MOST_SEGMENTS} documents, found {len(texts)}.")
    unprocessed = []
    for text in texts:
        try:
            xray_traces.put(text)
        except Refused as refused:
            named = {"Id": refused.id} if isinstance(refused.id, str) else {}
            unprocessed.append({**named, "ErrorCode": refused.code, "Message": str(refused)})
    return json_response({"UnprocessedTraceSegments": unprocessed})


def _batch_get_traces(request):
    trace_ids = request.get("TraceIds")
    if not isinstance(trace_ids, list) or not 1 <= len(trace_ids) <= MOST_IDS:
        return _invalid(f"TraceIds must be 1 to {MOST_IDS} ids of traces.")
    traces = xray_traces.batch_get(trace_ids)
    found = {trace["Id"] for trace in traces}
    unprocessed = [trace_id for trace_id in trace_ids if trace_id not in found]
    return json_response({"Traces": traces, "UnprocessedTraceIds": unprocessed})


def _get_trace_summaries(request):
    start, end = request.get("StartTime"), request.get("EndTime")
    if not isinstance(start, int | float) or not isinstance(end, int | float) or start > end:
        return _invalid("StartTime and EndTime must be times, the first not after the second.")
    kind = request.get("TimeRangeType") or "TraceId"
    if kind not in ("TraceId", "Event", "Service"):
        return _invalid(f"TimeRangeType must be TraceId, Event or Service, found {kind}.")
    try:
        found, following, looked_at = xray_traces.summaries(
            start, end, kind, request.get("FilterExpression"), request.get("NextToken")
        )
    except ValueError as error:
        return _invalid(str(error))
    page = {"TraceSummaries": found, "ApproximateTime": time.time(), "TracesProcessedCount": looked_at}
    return json_response({**page, "NextToken": following} if following else page)


def _get_sampling_rules(_):
    rule = {"SamplingRule": DEFAULT_RULE, "CreatedAt": 0, "ModifiedAt": 0}
    return json_response({"SamplingRuleRecords": [rule]})


def _get_sampling_targets(request):
    wanted = [statistics.get("RuleName") for statistics in request.get("SamplingStatisticsDocuments") or []]
    target = {"FixedRate": DEFAULT_RULE["FixedRate"], "ReservoirQuota": 1, "ReservoirQuotaTTL": time.time() + 300}
    targets = [{"RuleName": name, **target} for name in wanted if name == DEFAULT_RULE["RuleName"]]
    return json_response({"SamplingTargetDocuments": targets, "LastRuleModification": 0, "UnprocessedStatistics": []})


ACTIONS = {
    "/TraceSegments": _put_trace_segments,
    "/Traces": _batch_get_traces,
    "/TraceSummaries": _get_trace_summaries,
    "/GetSamplingRules": _get_sampling_rules,
    "/SamplingTargets": _get_sampling_targets,
}


def _start_daemon():
    given = os.environ.get("AWS_XRAY_DAEMON_ADDRESS")
    host, _, port = (given or "127.0.0.1:0").rpartition(":")
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    daemon.bind((host, int(port)))
    # Functions have the emulator's environment.
    os.environ["AWS_XRAY_DAEMON_ADDRESS"] = f"{host}:{daemon.getsockname()[1]}"
    threading.Thread(target=_listen, args=(daemon,), daemon=True).start()


def _listen(daemon):
    while True:
        packet, _ = daemon.recvfrom(65_536)
        header, _, document = packet.decode("utf-8", "replace").partition("\n")
        try:
            if json.loads(header).get("format") != "json":
                raise ValueError
        except (ValueError, AttributeError):
            log.error('The daemon got a packet that does not begin with {"format": "json", "version": 1}.')
            continue
        try:
            xray_traces.put(document)
        except Refused as refused:
            log.error("Unprocessed segment %s: %s: %s", refused.id, refused.code, refused)
        except Exception:  # whatever it was, the daemon must hear the next
            log.exception("The daemon could not take a segment.")
