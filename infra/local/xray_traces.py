"""The traces of the local X-Ray: in memory, the newest ones."""

import json
import threading
import time
from collections import OrderedDict

import xray_documents as documents
from xray_filter import compile_filter

MOST_TRACES = 2_000
MOST_TRACE_BYTES = 500_000
PAGE = 100

_lock = threading.Lock()
_traces = OrderedDict()  # id -> {"documents": {segment id: (document, bytes)}, "bytes", "updated", "exceeded"}


def put(text):
    """Raises Refused."""
    document = documents.read(text)
    size = len(text.encode())
    with _lock:
        trace = _traces.setdefault(document["trace_id"], {"documents": {}, "bytes": 0, "updated": 0, "exceeded": False})
        # One sent again takes the place of the one in progress.
        _, before = trace["documents"].get(document["id"], (None, 0))
        if trace["bytes"] - before + size > MOST_TRACE_BYTES:
            trace["exceeded"] = True
            raise documents.Refused(document["id"], "InvalidSegment", "Trace Size Exceeded. Reduce the number of "
                                    "segments per trace and the size of your segment documents.")  # fmt: skip
        trace["documents"][document["id"]] = (document, size)
        trace.update(bytes=trace["bytes"] - before + size, updated=time.time())
        while len(_traces) > MOST_TRACES:
            _traces.popitem(last=False)


def _segments(trace):
    return documents.assemble([document for document, _ in trace["documents"].values()])


def batch_get(trace_ids):
    with _lock:
        found = [(trace_id, _traces[trace_id]) for trace_id in trace_ids if _traces.get(trace_id, {}).get("documents")]
        assembled = [(trace_id, _segments(trace), trace["exceeded"]) for trace_id, trace in found]
    return [
        {
            "Id": trace_id,
            "Duration": documents.end_of(segments) - documents.start_of(segments),
            "LimitExceeded": exceeded,
            "Segments": [
                {"Id": segment["id"], "Document": json.dumps({**segment, "trace_id": trace_id})} for segment in segments
            ],
        }
        for trace_id, segments, exceeded in assembled
    ]


def summaries(start, end, time_range_type, expression, token):
    """A page of summaries, and the token of the next. Raises ValueError with words."""
    matches = compile_filter(expression) if expression and expression.strip() else lambda _: True
    with _lock:
        traces = [(trace_id, trace["updated"], _segments(trace)) for trace_id, trace in _traces.items()
                  if trace["documents"]]  # fmt: skip

    def moment(updated, segments):
        if time_range_type == "Event":
            return updated
        return documents.end_of(segments) if time_range_type == "Service" else documents.start_of(segments)

    found = [_summary(trace_id, segments) for trace_id, updated, segments in traces
             if start <= moment(updated, segments) <= end and matches(segments)]  # fmt: skip
    first = int(token) if token and token.isdigit() else 0
    following = str(first + PAGE) if first + PAGE < len(found) else None
    return found[first : first + PAGE], following, len(traces)


def _service(node):
    kind = node.get("origin") or ("remote" if node.get("namespace") else "client")
    return {"Name": node["name"], "Names": [node["name"]], "Type": kind}


def _summary(trace_id, segments):
    start, end, roots = documents.start_of(segments), documents.end_of(segments), documents.roots(segments)
    root = roots[0]
    annotated = {}
    for key, value, segment in documents.annotations(segments):
        kind = "BooleanValue" if isinstance(value, bool) else "StringValue" if isinstance(value, str) else "NumberValue"
        annotated.setdefault(key, {}).setdefault((kind, value), {})[segment["name"]] = _service(segment)
    return {
        "Id": trace_id,
        "StartTime": start,
        "Duration": end - start,
        "ResponseTime": root.get("end_time", root["start_time"]) - root["start_time"],
        "HasFault": any(bool(each.get("fault")) for each in roots),
        "HasError": any(bool(each.get("error")) for each in roots),
        "HasThrottle": any(bool(segment.get("throttle")) for segment in segments),
        "IsPartial": any(bool(segment.get("in_progress")) for segment in segments),
        "Annotations": {
            key: [{"AnnotationValue": {kind: value}, "ServiceIds": list(named.values())}
                  for (kind, value), named in values.items()]
            for key, values in annotated.items()
        },  # fmt: skip
        "ServiceIds": list({node["name"]: _service(node) for node in documents.services(segments)}.values()),
        "EntryPoint": _service(root),
        "Revision": 1,
    }
