"""Gap: a replay crashes on events whose Time is text (S3's), gives them to all rules whatever Destination.FilterArns
says, goes on after CancelReplay, and takes any name and time range.

Upstream: services/eventbridge.py, `_start_replay`, `_cancel_replay`, `_list_replays`; `_invoke_target` knows no filter,
and `_archive_event` archives a replayed event anew where a rule forwards it to another bus.

Here a replay gives its events to the rules one by one, oldest first, `LANDFALL_REPLAY_EVENT_SECONDS` (default 0) after
each other, and looks at its state before each. An event is replayed when its time, in whole seconds as events have it
on AWS, is neither before EventStartTime nor at or after EventEndTime. Not as on AWS: the events of a minute come in
their order.
"""

import contextvars
import os
import re
import threading
import time

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import eventbridge
from patching import replace

NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")
ACTIVE = ("STARTING", "RUNNING", "CANCELLING")
MOST_ACTIVE = 10
SUMMARY = ("ReplayName", "EventSourceArn", "State", "StateReason", "EventStartTime", "EventEndTime",
           "EventLastReplayedTime", "ReplayStartTime", "ReplayEndTime")  # fmt: skip

_lock = threading.Lock()


def apply():
    replace(eventbridge, "_start_replay", ("data",), lambda _: _start_replay)
    replace(eventbridge, "_cancel_replay", ("data",), lambda _: _cancel_replay)
    replace(eventbridge, "_list_replays", ("data",), lambda _: _list_replays)
    replace(eventbridge, "_invoke_target", ("target", "event", "rule", "view"), _only_filtered_rules)
    replace(eventbridge, "_archive_event", ("event", "view"), _only_live_events)


def _only_filtered_rules(original):
    def invoke(target, event, rule, view=None):
        only = event.get("_FilterArns")
        if only is None:
            return original(target, event, rule, view)
        if rule.get("Arn") in only:
            # The filter is for the rules of the replay's bus, not for those of a bus to which one of them forwards.
            return original(target, {key: value for key, value in event.items() if key != "_FilterArns"}, rule, view)
        return None

    return invoke


def _only_live_events(original):
    return lambda event, view=None: None if event.get("ReplayName") else original(event, view)


def _invalid(message):
    return error_response_json("ValidationException", message, 400)


def _start_replay(data):
    name, archive_arn, destination = data.get("ReplayName", ""), data.get("EventSourceArn", ""), data.get("Destination")
    if not NAME.fullmatch(name):
        return _invalid(f"1 validation error detected: Value '{name}' at 'replayName' failed to satisfy constraint: "
                        r"Member must be 1 to 64 characters of the pattern [\.\-_A-Za-z0-9]+")  # fmt: skip
    bus_arn = (destination or {}).get("Arn") or ""
    bus, error = eventbridge._event_bus_name_from_ref(bus_arn)
    if error or not bus_arn.startswith("arn:"):
        return _invalid("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
    if bus not in eventbridge._event_buses:
        return error_response_json("ResourceNotFoundException", f"Event bus {bus} does not exist.", 400)
    archive_name, error = eventbridge._archive_name_from_ref(archive_arn)
    archive = None if error else eventbridge._archives.get(archive_name)
    if not archive:
        return _invalid("Parameter EventSourceArn is not valid. "
                        f"Reason: Archive {archive_name or archive_arn} does not exist.")  # fmt: skip
    if archive["EventSourceArn"] != bus_arn:
        return _invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
    start, end = (eventbridge._coerce_timestamp(data.get(key)) for key in ("EventStartTime", "EventEndTime"))
    for key, value in (("EventStartTime", start), ("EventEndTime", end)):
        if not isinstance(value, int | float):
            return _invalid(f"Parameter {key} is not valid. Reason: It must be a time.")
    if end <= start:
        return _invalid("Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
    replay = {
        "ReplayName": name,
        "ReplayArn": f"arn:aws:events:{get_region()}:{get_account_id()}:replay/{name}",
        "Description": data.get("Description", ""),
        "EventSourceArn": archive_arn,
        "EventStartTime": start,
        "EventEndTime": end,
        "Destination": destination,
        "State": "STARTING",
        "ReplayStartTime": time.time(),
    }
    with _lock:
        if name in eventbridge._replays:
            return error_response_json("ResourceAlreadyExistsException", f"Replay {name} already exists.", 400)
        if sum(other["State"] in ACTIVE for other in eventbridge._replays.values()) >= MOST_ACTIVE:
            exceeded = f"The requested resource exceeds the maximum number of {MOST_ACTIVE} active replays."
            return error_response_json("LimitExceededException", exceeded, 400)
        eventbridge._replays[name] = replay
    context = contextvars.copy_context()
    events = list(archive.get("Events", []))
    threading.Thread(target=context.run, args=(_run, replay, events, bus), daemon=True).start()
    started = {key: replay[key] for key in ("ReplayArn", "ReplayStartTime")}
    return json_response({**started, "State": "STARTING"})


def _run(replay, events, bus):
    try:
        reason = _replay(replay, events, bus)
    except Exception as error:  # whatever it was, the replay must end and say so
        reason = f"{type(error).__name__}: {error}"
    with _lock:
        cancelled = replay["State"] == "CANCELLING"
        state = "FAILED" if reason else "CANCELLED" if cancelled else "COMPLETED"
        replay.update(State=state, ReplayEndTime=time.time(), **({"StateReason": reason} if reason else {}))


def _replay(replay, events, bus):
    """Says in words why it cannot go on, if it cannot."""
    with _lock:
        if replay["State"] == "STARTING":
            replay["State"] = "RUNNING"
    first, end = int(replay["EventStartTime"]), replay["EventEndTime"]
    timed = sorted(((_second(event), event) for event in events), key=lambda pair: pair[0])
    only = replay["Destination"].get("FilterArns") or None
    for moment, event in ((moment, event) for moment, event in timed if first <= moment < end):
        if replay["State"] == "CANCELLING":
            return None
        if bus not in eventbridge._event_buses:
            return f"Event bus {bus} does not exist."
        again = {**event, "EventBusName": bus, "ReplayName": replay["ReplayName"]}
        eventbridge._dispatch_event({**again, "_FilterArns": only} if only else again)
        replay["EventLastReplayedTime"] = moment
        time.sleep(float(os.environ.get("LANDFALL_REPLAY_EVENT_SECONDS", "0")))
    return None


def _second(event):
    return int(eventbridge._coerce_timestamp(event["Time"]))


def _cancel_replay(data):
    name = data.get("ReplayName")
    replay = eventbridge._replays.get(name)
    if not replay:
        return error_response_json("ResourceNotFoundException", f"Replay {name} does not exist.", 400)
    with _lock:
        if replay["State"] not in ("STARTING", "RUNNING"):
            invalid = f"Replay {name} is not in a valid state for this operation."
            return error_response_json("IllegalStatusException", invalid, 400)
        replay["State"] = "CANCELLING"
    return json_response({"ReplayArn": replay["ReplayArn"], "State": "CANCELLING"})


def _list_replays(data):
    prefix, state, source = (data.get(key) for key in ("NamePrefix", "State", "EventSourceArn"))
    if sum(bool(value) for value in (prefix, state, source)) > 1:
        return _invalid("At most one filter is allowed for ListReplays. "
                        "Use either : State, EventSourceArn, or NamePrefix.")  # fmt: skip
    found = [
        {key: replay[key] for key in SUMMARY if key in replay}
        for name, replay in sorted(eventbridge._replays.items())
        if name.startswith(prefix or "")
        and replay["State"] == (state or replay["State"])
        and replay["EventSourceArn"] == (source or replay["EventSourceArn"])
    ]
    start = int(data.get("NextToken") or 0)
    end = start + int(data.get("Limit") or 100)
    page = {"Replays": found[start:end]}
    return json_response({**page, "NextToken": str(end)} if end < len(found) else page)
