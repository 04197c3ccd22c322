"""Gap: a crawler named in StartCrawler, GetCrawler and their like is authorized as the *table* of that name, so that a
policy on `crawler/<name>` (as AWS documents it) is denied.

Upstream: core/iam_actions.py, `extract_resource_arn` takes the request's `Name` for a table's.
"""

import json

from ministack.core import iam_actions
from patching import replace

PARAMETERS = ("service", "method", "path", "headers", "body", "query_params", "region", "account_id")


def apply():
    replace(iam_actions, "extract_resource_arn", PARAMETERS, _crawlers)


def _crawlers(original):
    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        if service == "glue" and action.endswith("Crawler"):
            return f"arn:aws:glue:{region}:{account_id}:crawler/{json.loads(body or b'{}').get('Name', '*')}"
        return original(service, method, path, headers, body, query_params, region, account_id)

    return extract_resource_arn
