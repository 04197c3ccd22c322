"""Events that Glue sends to EventBridge and MiniStack does not."""

import json
import time


def emit(detail_type, detail):
    from ministack.services import eventbridge

    entry = {"Source": "aws.glue", "DetailType": detail_type, "Detail": json.dumps(detail)}
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def iso(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
