"""Gap: a machine's `events:putEvents` succeeds when an event was not taken, and its events do not name the machine.

Upstream: services/stepfunctions.py, `_invoke_events_put_events`. As AWS documents: the state fails with
EventBridge.FailedEntry, and each event's `resources` get the ARNs of the execution and of its machine.
"""

import json

import sfn_execution
from ministack.services import stepfunctions as sfn
from patching import replace


def apply():
    sfn_execution.follow()
    replace(sfn, "_invoke_events_put_events", ("resource", "input_data"), _put_events)
    # The table of integrations holds the function itself.
    sfn._SERVICE_DISPATCH["arn:aws:states:::events:putEvents"] = sfn._invoke_events_put_events


def _put_events(original):
    def put_events(resource, input_data):
        execution = sfn_execution.current.get() or {}
        arns = [execution[key] for key in ("executionArn", "stateMachineArn") if key in execution]
        entries = [{**entry, "Resources": [*entry.get("Resources", []), *arns]} for entry in input_data["Entries"]]
        result = original(resource, {**input_data, "Entries": entries})
        if result.get("FailedEntryCount"):
            raise sfn._ExecutionError("EventBridge.FailedEntry", json.dumps(result))
        return result

    return put_events
