"""Gap: SQS's batch calls ask for rights of their own, such as `sqs:ChangeMessageVisibilityBatch`; on AWS the right to the single
call is that to its batch.

Upstream: core/iam_actions.py, `extract_iam_action` takes the name of the call for the right.
"""

from ministack.core import iam_actions
from patching import replace


def apply():
    replace(iam_actions, "extract_iam_action", ("service", "method", "path"), _without_batch)


def _without_batch(original):
    def extract_iam_action(service, *more, **named):
        action = original(service, *more, **named)
        return action.removesuffix("Batch") if service == "sqs" and action else action

    return extract_iam_action
