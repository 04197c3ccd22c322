"""Gap: a query named in GetQueryExecution, GetQueryResults and their like is authorized as `*`, so that a policy on its
work group (as AWS documents it) is denied.

Upstream: core/iam_actions.py, `extract_resource_arn` knows only a request's `WorkGroup`.
"""

import json

from ministack.core import iam_actions
from ministack.services import athena
from patching import replace

PARAMETERS = ("service", "method", "path", "headers", "body", "query_params", "region", "account_id")


def apply():
    replace(iam_actions, "extract_resource_arn", PARAMETERS, _queries)


def _queries(original):
    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        query = json.loads(body or b"{}").get("QueryExecutionId") if service == "athena" else None
        if query in athena._executions:
            return f"arn:aws:athena:{region}:{account_id}:workgroup/{athena._executions[query]['WorkGroup']}"
        return original(service, method, path, headers, body, query_params, region, account_id)

    return extract_resource_arn
