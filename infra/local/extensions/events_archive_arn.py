"""Gap: calls that name an archive or a replay (StartReplay, DescribeReplay, CreateArchive and their like) are
authorized as `*`, so that a policy on `archive/<name>` or `replay/<name>` (as AWS documents it) is denied.

Upstream: core/iam_actions.py, `eventbridge_resource_arns` knows only PutEvents; the first ARN is the call's resource,
and each further one is checked too. AWS asks for StartReplay on the archive, the bus and the replay.
"""

import json

from ministack.core import iam_actions
from patching import replace


def apply():
    replace(iam_actions, "eventbridge_resource_arns", ("body", "region", "account_id"), _archives_and_replays)


def _archives_and_replays(original):
    def arns(body, region, account_id):
        try:
            data = json.loads(body or b"{}")
        except ValueError:
            return original(body, region, account_id)
        here = f"arn:aws:events:{region}:{account_id}"
        named = {}
        if isinstance(data, dict) and "Entries" not in data:
            named = {
                "archive": data.get("ArchiveName") and f"{here}:archive/{data['ArchiveName']}",
                "source": ("ReplayName" in data or "ArchiveName" in data) and data.get("EventSourceArn"),
                "bus": isinstance(data.get("Destination"), dict) and data["Destination"].get("Arn"),
                "replay": data.get("ReplayName") and f"{here}:replay/{data['ReplayName']}",
            }
        return [arn for arn in named.values() if arn] or original(body, region, account_id)

    return arns
