"""Gap: a state machine's tasks and item readers run with the emulator's own rights, whatever its role may do.

Upstream: services/stepfunctions.py, `_invoke_resource`, `_read_map_items` and `_s3_object_text` call the services'
functions directly. Here the machine's role is asked first, as AWS documents the rights: for JSON services (dynamodb,
events, glue and their like), sqs:sendMessage, Lambda, other machines, item readers, and a distributed map's children
(states:StartExecution on the machine itself). A task of any other integration fails, since nobody could say whether it
is allowed. Not as on AWS: the rights of `.sync` tasks to watch what they started are not asked for.
"""

import contextlib
import json
import secrets

import sfn_execution
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions as sfn
from ministack.services import sts
from patching import replace

# How an optimized integration calls the errors that its service's model does not name, AccessDenied among them.
OPTIMIZED = {
    "dynamodb": "DynamoDB.AmazonDynamoDBException",
    "events": "EventBridge.EventBridgeException",
    "sqs": "SQS.AmazonSQSException",
}
MAP = ("state_def", "raw_input", "effective", "iterator", "execution", "ctx")


def apply():
    sfn_execution.follow()
    replace(sfn, "_invoke_resource", ("resource", "input_data"), _task)
    replace(sfn, "_run_distributed_map", MAP, _children)
    replace(sfn, "_read_map_items", ("reader", "effective", "ctx"), _reader)
    replace(sfn, "_s3_object_text", ("bucket", "key"), _object)


def _task(original):
    def invoke(resource, input_data):
        if sfn_execution.current.get() and ":activity:" not in resource:
            _demand(*_task_checks(resource, input_data))
        return original(resource, input_data)

    return invoke


def _children(original):
    def run(state_def, raw_input, effective, iterator, execution, ctx):
        _demand("States.Runtime", [("states", "states:StartExecution", execution["stateMachineArn"])])
        return original(state_def, raw_input, effective, iterator, execution, ctx)

    return run


def _reader(original):
    def read(reader, effective, ctx):
        arguments = sfn._resolve_params_obj(reader.get("Parameters") or reader.get("Arguments") or {}, effective, ctx)
        if reader.get("Resource", "").endswith("s3:listObjectsV2"):
            bucket = f"arn:aws:s3:::{arguments.get('Bucket')}"
            _demand("States.ItemReaderFailed", [("s3", "s3:ListBucket", bucket)])
        return original(reader, effective, ctx)

    return read


def _object(original):
    def text(bucket, key):
        _demand("States.ItemReaderFailed", [("s3", "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")])
        return original(bucket, key)

    return text


def _task_checks(resource, input_data):
    """The error of a task that may not do so, and each (service, action, resource) that it needs."""
    function = sfn._extract_lambda_ref(resource)
    if function or ":lambda:invoke" in resource:
        named = function or input_data.get("FunctionName", "")
        here = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:"
        arn = named if named.startswith("arn:") else here + named
        return "Lambda.AWSLambdaException", [("lambda", "lambda:InvokeFunction", arn)]
    if "states:::states:startExecution" in resource:
        arn = input_data.get("StateMachineArn", "*")
        return "StepFunctions.AWSStepFunctionsException", [("states", "states:StartExecution", arn)]
    *_, integration, action = resource.removesuffix(".waitForTaskToken").removesuffix(".sync").split(":")
    known = sfn._AWS_SDK_SERVICE_MAP.get(integration, {})
    if "aws-sdk:" in resource and known.get("protocol") == "json":
        name = sfn._prefix_sdk_error(integration, "").rstrip(".")
        service, error = known.get("service_key", integration), f"{name}.{name}Exception"
    elif "aws-sdk:" not in resource and integration in OPTIMIZED:
        service, error = integration, OPTIMIZED[integration]
    else:
        unknown = f"{resource}: infra/local/extensions/sfn_role.py does not know which rights this task needs."
        raise sfn._ExecutionError("States.Runtime", unknown)
    return error, _json_checks(service, action[0].upper() + action[1:], input_data)


def _json_checks(service, action, input_data):
    body, region, account = json.dumps(input_data).encode(), get_region(), get_account_id()
    headers = {"x-amz-target": f"X.{action}"}
    iam_action = iam_actions.extract_iam_action(service, "POST", "/", headers, body, {})
    if service == "dynamodb":
        items = iam_actions.dynamodb_transaction_checks(iam_action, body, region, account)
        arns = iam_actions.dynamodb_resource_arns(body, region, account)
        return [(service, *item) for item in items] or [(service, iam_action, arn) for arn in arns or ["*"]]
    arns = iam_actions.eventbridge_resource_arns(body, region, account) if service == "events" else []
    one = iam_actions.extract_resource_arn(service, "POST", "/", headers, body, {}, region, account)
    return [(service, iam_action, arn) for arn in arns or [one]]


def _demand(error, checks):
    execution = sfn_execution.current.get()
    from ministack.app import AUTH

    if not (AUTH and execution):
        return
    with _session(execution) as key:
        for service, action, arn in checks:
            denied = iam_evaluator.enforce(key, action, service, get_region(), resource_arn=arn)
            if denied:
                who, explicit = getattr(denied, "principal_arn", key), getattr(denied, "decision", "") == "Deny"
                raise sfn._ExecutionError(error, iam_actions.identity_denial_message(action, who, arn, explicit))


@contextlib.contextmanager
def _session(execution):
    """An access key of the machine's role, as in core/lambda_runtime.execution_credentials."""
    machine = execution["stateMachineArn"].split("/", 1)[0]  # a map's child belongs to `machine/label`
    role = sfn._state_machines[machine]["roleArn"].rsplit("/", 1)[-1]
    key = f"ASIA{secrets.token_hex(8).upper()}"
    name = f"assumed-role/{role}/{execution['name']}"
    sts.register_session(key, {
        "Arn": f"arn:aws:sts::{get_account_id()}:{name}",
        "UserId": f"{role}:{execution['name']}",
        "SecretAccessKey": secrets.token_hex(),
        "SessionToken": secrets.token_hex(),
    })  # fmt: skip
    # What the request that started the execution was signed with, or was not, is not this role's matter.
    tokens = [(variable, variable.set(value)) for variable, value in (
        (iam_evaluator._signed_request, None),
        (iam_evaluator._anonymous, False),
        (iam_evaluator._request_origin, ("127.0.0.1", True)),
    )]  # fmt: skip
    try:
        yield key
    finally:
        for variable, token in tokens:
            variable.reset(token)
        sts._sessions.pop(key, None)
