"""Gap: Glue's BatchDeletePartition is unknown.

Upstream: services/glue.py, `_handle_request_sync` builds its table of actions without it.
"""

import json

from ministack.core.responses import json_response
from ministack.services import glue
from patching import replace


def apply():
    replace(glue, "_handle_request_sync", ("method", "path", "headers", "body", "query_params"), _add_action)


def _add_action(original):
    def handle(method, path, headers, body, query_params):
        if headers.get("x-amz-target", "").endswith(".BatchDeletePartition"):
            return _batch_delete_partition(json.loads(body))
        return original(method, path, headers, body, query_params)

    return handle


def _batch_delete_partition(data):
    key = f"{data.get('DatabaseName')}/{data.get('TableName')}"
    errors = []
    for values in (entry.get("Values", []) for entry in data.get("PartitionsToDelete", [])):
        if not any(partition.get("Values") == values for partition in glue._partitions.get(key, [])):
            missing = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "Partition not found."}
            errors.append({"PartitionValues": values, "ErrorDetail": missing})
            continue
        one = {"DatabaseName": data["DatabaseName"], "TableName": data["TableName"], "PartitionValues": values}
        glue._delete_partition(one)
    return json_response({"Errors": errors} if errors else {})
