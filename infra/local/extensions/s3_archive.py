"""Gap: S3's events reach EventBridge's rules, but no archive.

Upstream: services/s3.py, `_fire_s3_event` hands its event to `eventbridge._dispatch_event` directly, and only
`_put_events` archives. Here it is archived as the rules get it, with its id and time, and before they do: who has seen
an event may replay it at once. So this must lie inside of s3_version_id's patch of the same function: extensions are
applied in the order of their names, the last one outermost. Not as on AWS: an event is in the archive at once, and not
only after ten minutes or so.
"""

from ministack.services import eventbridge
from patching import replace


def apply():
    replace(eventbridge, "_dispatch_event", ("event", "view"), _archive)


def _archive(original):
    def dispatch(event, view=None):
        # Upstream archives what one bus forwards to another, and AWS archives no replayed event.
        forwarded_or_replayed = "_DispatchPath" in event or "ReplayName" in event
        if event.get("Source") == "aws.s3" and not forwarded_or_replayed:
            eventbridge._archive_event(dict(event))
        return original(event, view)

    return dispatch
