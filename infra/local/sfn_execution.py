"""Which execution of a state machine the code runs for, for the extensions of Step Functions."""

import contextvars

from ministack.services import stepfunctions
from patching import replace

current = contextvars.ContextVar("landfall_sfn_execution", default=None)
_followed = []


def follow():
    """From now on `current` is the execution's record (a distributed map's child has one of its own), once for all."""
    if not _followed:
        _followed.append(True)
        replace(stepfunctions, "_run_execution", ("exec_arn",), _in_execution)
        replace(
            stepfunctions,
            "_run_sub_machine",
            ("states", "start_at", "input_data", "execution", "ctx"),
            _in_child,
        )


def _in_execution(original):
    def run(exec_arn):
        token = current.set(stepfunctions._executions.get(exec_arn))
        try:
            return original(exec_arn)
        finally:
            current.reset(token)

    return run


def _in_child(original):
    def run(states, start_at, input_data, execution, ctx):
        token = current.set(execution)
        try:
            return original(states, start_at, input_data, execution, ctx)
        finally:
            current.reset(token)

    return run
