"""Gap: S3's events on EventBridge carry no `version-id` in `detail.object` (AWS sends it on versioned buckets).

Upstream: services/s3.py, `_fire_s3_event` has `version_id`, but builds the EventBridge detail without it and hands it
to `eventbridge._dispatch_event`. Each event has a thread of its own, so a context variable carries the version over.
"""

import contextvars
import json

from ministack.services import eventbridge, s3
from patching import replace

_version = contextvars.ContextVar("landfall_s3_version_id", default=None)


def apply():
    replace(s3, "_fire_s3_event", ("bucket_name", "key", "event_name"), _remember)
    replace(eventbridge, "_dispatch_event", ("event", "view"), _add)


def _remember(original):
    def fire(*args, version_id=None, **rest):
        token = _version.set(version_id)
        try:
            original(*args, version_id=version_id, **rest)
        finally:
            _version.reset(token)

    return fire


def _add(original):
    def dispatch(event, view=None):
        version = _version.get()
        if version and event.get("Source") == "aws.s3" and view is None:
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version
            event["Detail"] = json.dumps(detail)
        return original(event, view)

    return dispatch
