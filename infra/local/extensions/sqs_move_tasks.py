"""Gap: SQS's StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask are unknown.

Upstream: services/sqs.py, `_HANDLERS` lacks them; core/iam_actions.py, `extract_resource_arn` finds no queue in them.

As on AWS: a task moves what is visible in a dead-letter queue when it starts, as new messages (new id, received never,
their attributes and trace kept), to where each came from or to one queue; the caller needs the rights to receive and
delete there and to send to the destinations; a message that was sent to the dead-letter queue itself fails a task
without a destination. Not as on AWS: without a rate it moves as fast as it can; the older Query protocol is not
answered.
"""

import asyncio
import base64
import json
import time

from ministack.core import iam_actions, iam_evaluator
from ministack.core.concurrency import esm_wake
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import sqs
from patching import replace

MOST_PER_SECOND = 500
KEPT = 10
OF_ONE_QUEUE = ("receipt_handle", "first_receive_at", "enqueued_at", "dedup_cache_key", "seq")
PARAMETERS = ("service", "method", "path", "headers", "body", "query_params", "region", "account_id")

_tasks = {}  # ARN of the dead-letter queue -> its tasks, newest first


def apply():
    if "StartMessageMoveTask" in sqs._HANDLERS:
        raise RuntimeError("Upstream knows StartMessageMoveTask by now: see how well, then drop this or adapt it.")
    sqs._HANDLERS["StartMessageMoveTask"] = _start
    sqs._HANDLERS["ListMessageMoveTasks"] = _list
    sqs._HANDLERS["CancelMessageMoveTask"] = _cancel
    replace(iam_actions, "extract_resource_arn", PARAMETERS, _by_source)


def _by_source(original):
    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        if service == "sqs" and headers.get("x-amz-target", "").endswith(("MessageMoveTask", "MessageMoveTasks")):
            data = json.loads(body or b"{}")
            return data.get("SourceArn") or _source_of(data.get("TaskHandle")) or "*"
        return original(service, method, path, headers, body, query_params, region, account_id)

    return extract_resource_arn


def _source_of(handle):
    try:
        return json.loads(base64.b64decode(handle or ""))["sourceArn"]
    except (ValueError, KeyError, TypeError):
        return None


def _queue(arn, parameter):
    queue = sqs._queue_by_arn(arn or "")
    if queue is None:
        missing = f"The resource that you specified for the {parameter} parameter doesn't exist."
        raise sqs._Err("ResourceNotFoundException", missing, 404)
    return queue


def _feeders(arn):
    """The queues of which this one is the dead-letter queue."""
    policies = ((queue, queue["attributes"].get("RedrivePolicy")) for queue in list(sqs._queues.values()))
    return [queue for queue, policy in policies if policy and json.loads(policy).get("deadLetterTargetArn") == arn]


def _demand(arn, *actions):
    """That the caller of this request may do so; root, which has no verified key, may do anything."""
    key = iam_evaluator._verified_key.get()
    for action in actions if key else ():
        if iam_evaluator.enforce(key, f"sqs:{action}", "sqs", get_region(), resource_arn=arn):
            denied = f"Queue Permissions to Redrive: the caller is not authorized to perform sqs:{action} on {arn}."
            raise sqs._Err("AccessDenied", denied, 403)


def _start(data, _):
    source_arn, destination_arn = data.get("SourceArn"), data.get("DestinationArn")
    source = _queue(source_arn, "SourceArn")
    feeders = _feeders(source_arn)
    if not feeders:
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    destination = _queue(destination_arn, "DestinationArn") if destination_arn else None
    if destination is source:
        raise sqs._Err("InvalidParameterValue", "Source queue arn and destination queue arn cannot be the same.")
    rate = data.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= int(rate) <= MOST_PER_SECOND:
        raise sqs._Err("InvalidParameterValue", f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. "
                       f"Reason: Must be between 1 and {MOST_PER_SECOND}, if provided.")  # fmt: skip
    tasks = _tasks.setdefault(source_arn, [])
    if any(task["Status"] in ("RUNNING", "CANCELLING") for task in tasks):
        raise sqs._Err("UnsupportedOperation", "There is already a task running. "
                       "Only one active task is allowed for a source queue arn at a given time.")  # fmt: skip
    _demand(source_arn, "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    for queue in [destination] if destination else feeders:
        _demand(queue["attributes"]["QueueArn"], "SendMessage")
    sqs._expire_retained(source)
    now = time.time()
    waiting = [message for message in source["messages"] if message["visible_at"] <= now]
    handle = base64.b64encode(json.dumps({"taskId": new_uuid(), "sourceArn": source_arn}).encode()).decode()
    task = {
        "TaskHandle": handle,
        "Status": "RUNNING",
        "SourceArn": source_arn,
        **({"DestinationArn": destination_arn} if destination_arn else {}),
        **({"MaxNumberOfMessagesPerSecond": int(rate)} if rate is not None else {}),
        "ApproximateNumberOfMessagesMoved": 0,
        "ApproximateNumberOfMessagesToMove": len(waiting),
        "StartedTimestamp": int(now * 1000),
    }
    tasks.insert(0, task)
    del tasks[KEPT:]
    # On the loop that runs the other actions, so that none of them sees a message halfway.
    task["_running"] = asyncio.get_running_loop().create_task(_run(task, source, waiting, 1 / int(rate) if rate else 0))
    return {"TaskHandle": handle}


async def _run(task, source, waiting, pause):
    reason = None
    try:
        for message in waiting:
            await asyncio.sleep(pause)
            if task["Status"] == "CANCELLING":
                break
            reason = _move(task, source, message)
            if reason:
                break
    except Exception as error:  # whatever it was, the task must end and say so
        reason = f"{type(error).__name__}: {error}"
    if reason:
        task.update(Status="FAILED", FailureReason=reason)
    else:
        task["Status"] = "CANCELLED" if task["Status"] == "CANCELLING" else "COMPLETED"


def _move(task, source, message):
    """Says why not, if it cannot be moved."""
    system = dict(message.get("sys") or {})
    origin = system.pop("DeadLetterQueueSourceArn", None)
    if not (task.get("DestinationArn") or origin):
        return "CouldNotDetermineMessageSource"
    target = sqs._queue_by_arn(task.get("DestinationArn") or origin)
    if target is None:
        return "AWS.SimpleQueueService.NonExistentQueue"
    now = time.time()
    with sqs._queues_lock:
        # Someone may have received or deleted it meanwhile.
        if message["visible_at"] > now or not any(other is message for other in source["messages"]):
            return None
        source["messages"] = [other for other in source["messages"] if other is not message]
        moved = {key: value for key, value in message.items() if key not in OF_ONE_QUEUE}
        system.update(SenderId=get_account_id(), SentTimestamp=str(int(now * 1000)))
        moved.update(id=new_uuid(), receive_count=0, sent_at=now, visible_at=now + sqs.queue_delay(target), sys=system)
        if target["is_fifo"]:
            target["fifo_seq"] += 1
            moved["seq"] = str(target["fifo_seq"]).zfill(20)
        sqs._ensure_msg_fields(moved)
        target["messages"].append(moved)
    esm_wake.set()
    task["ApproximateNumberOfMessagesMoved"] += 1
    return None


def _list(data, _):
    source_arn = data.get("SourceArn")
    _queue(source_arn, "SourceArn")
    _demand(source_arn, "GetQueueAttributes")
    most = int(data.get("MaxResults") or 1)
    if not 1 <= most <= KEPT:
        raise sqs._Err("InvalidParameterValue", f"Value {most} for parameter MaxResults is invalid. "
                       f"Reason: Must be between 1 and {KEPT}, if provided.")  # fmt: skip
    return {"Results": [_view(task) for task in _tasks.get(source_arn, [])[:most]]}


def _view(task):
    # Only a task that can be cancelled has a handle.
    hidden = ("_running",) if task["Status"] == "RUNNING" else ("_running", "TaskHandle")
    return {key: value for key, value in task.items() if key not in hidden}


def _cancel(data, _):
    handle = data.get("TaskHandle")
    source_arn = _source_of(handle)
    task = next((task for task in _tasks.get(source_arn, []) if task["TaskHandle"] == handle), None)
    if task is None:
        raise sqs._Err("ResourceNotFoundException", "Task does not exist.", 404)
    _demand(source_arn, "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    if task["Status"] != "RUNNING":
        raise sqs._Err("UnsupportedOperation", f"Only a running task can be cancelled; this one is {task['Status']}.")
    task["Status"] = "CANCELLING"
    return {"ApproximateNumberOfMessagesMoved": task["ApproximateNumberOfMessagesMoved"]}
