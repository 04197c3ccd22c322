"""Gap: a crawler is a five second timer: it reads nothing, is never STOPPING, and sends no events.

Upstream: services/glue.py, `_start_crawler`, `_stop_crawler`. Here it crawls existing tables (Targets.CatalogTargets),
as our crawler does: it adds the partitions that it finds below a table's location and never changes or drops one. As on
AWS its success event is sent while it is STOPPING, when it cannot be started again. Not as on AWS: it reads with the
emulator's own rights instead of its role's. LANDFALL_CRAWL_SECONDS (default 0.2) is the least time a crawl takes,
LANDFALL_CRAWLER_STOPPING (default 0.3) how long it is STOPPING.
"""

import contextvars
import os
import threading
import time
from urllib.parse import unquote

import glue_events
from ministack.core.responses import error_response_json, get_account_id, json_response, new_uuid
from ministack.services import glue, s3
from patching import replace
from s3_location import split_location

_lock = threading.Lock()


def apply():
    replace(glue, "_start_crawler", ("data",), lambda _: _start_crawler)
    replace(glue, "_stop_crawler", ("data",), lambda _: _stop_crawler)


def _start_crawler(data):
    name = data.get("Name")
    crawler = glue._crawlers.get(name)
    if not crawler:
        return error_response_json("EntityNotFoundException", f"Crawler {name} not found", 400)
    with _lock:
        if crawler["State"] != "READY":
            return error_response_json("CrawlerRunningException", f"Crawler with name {name} has already started", 400)
        crawler.update(State="RUNNING", CrawlElapsedTime=0)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_crawl, crawler, time.time()), daemon=True).start()
    return json_response({})


def _stop_crawler(data):
    crawler = glue._crawlers.get(data.get("Name"))
    if not crawler:
        return error_response_json("EntityNotFoundException", f"Crawler {data.get('Name')} not found", 400)
    with _lock:
        if crawler["State"] != "RUNNING":
            code = "CrawlerStoppingException" if crawler["State"] == "STOPPING" else "CrawlerNotRunningException"
            return error_response_json(code, f"Crawler {crawler['Name']} is {crawler['State']}", 400)
        crawler["State"] = "STOPPING"
    return json_response({})


def _crawl(crawler, started):
    common = {"accountId": get_account_id(), "crawlerName": crawler["Name"]}
    try:
        moment = glue_events.iso(started)
        glue_events.emit("Glue Crawler State Change",
                         {**common, "startTime": moment, "state": "Started", "message": "Crawler Started"})  # fmt: skip
        time.sleep(float(os.environ.get("LANDFALL_CRAWL_SECONDS", "0.2")))
        status, event = _outcome(crawler, started)
        now = time.time()
        crawler.update(
            State="STOPPING",
            CrawlElapsedTime=int((now - started) * 1000),
            LastCrawl={
                "Status": status,
                "LogGroup": "/aws-glue/crawlers",
                "LogStream": crawler["Name"],
                "MessagePrefix": new_uuid(),
                "StartTime": started,
                **({"ErrorMessage": event["errorMessage"]} if status == "FAILED" else {}),
            },
        )
        if event:
            link = "https://console.aws.amazon.com/cloudwatch/home#logEventViewer:group=/aws-glue/crawlers"
            glue_events.emit("Glue Crawler State Change", {**common, **event, "cloudWatchLogLink": link})
        time.sleep(float(os.environ.get("LANDFALL_CRAWLER_STOPPING", "0.3")))
    finally:
        crawler["State"] = "READY"


def _outcome(crawler, started):
    if crawler["State"] == "STOPPING":
        return "CANCELLED", None
    try:
        targets = (crawler.get("Targets") or {}).get("CatalogTargets") or []
        if not targets:
            raise ValueError("only crawlers with CatalogTargets crawl on a laptop")
        created = sum(_add_partitions(t["DatabaseName"], table) for t in targets for table in t["Tables"])
    except Exception as error:  # a crawl that fails says so in its event, as on AWS
        return "FAILED", {"state": "Failed", "message": "Crawler Failed", "errorMessage": str(error)}
    now = time.time()
    return "SUCCEEDED", {
        "tablesCreated": "0",
        "warningMessage": "N/A",
        "partitionsUpdated": "0",
        "tablesUpdated": "0",
        "message": "Crawler Succeeded",
        "partitionsDeleted": "0",
        "runningTime (sec)": str(int(now - started)),
        "tablesDeleted": "0",
        "completionDate": glue_events.iso(now),
        "state": "Succeeded",
        "partitionsCreated": str(created),
    }


def _add_partitions(database, name):
    table = glue._tables.get(f"{database}/{name}")
    if not table:
        raise ValueError(f"table {database}.{name} does not exist")
    bucket, prefix = split_location(table["StorageDescriptor"]["Location"])
    if bucket not in s3._buckets:
        raise ValueError(f"bucket {bucket} of table {database}.{name} does not exist")
    inputs = [
        {"Values": values, "Parameters": {}, "StorageDescriptor": {**table["StorageDescriptor"], "Location": location}}
        for values, location in _folders(table, bucket, prefix)
    ]
    request = {"DatabaseName": database, "TableName": name, "PartitionInputList": inputs}
    before = len(glue._partitions.get(f"{database}/{name}", []))
    glue._batch_create_partition(request)  # answers with an error for those that exist, and leaves them as they are
    return len(glue._partitions.get(f"{database}/{name}", [])) - before


def _folders(table, bucket, prefix):
    """(values, location) of each folder that names all partition keys and holds an object."""
    keys = [key["Name"].lower() for key in table.get("PartitionKeys") or []]
    seen = set()
    for key in sorted(key for key in list(s3._buckets[bucket]["objects"]) if key.startswith(prefix)):
        *folders, file = key[len(prefix) :].split("/")
        pairs = [folder.partition("=") for folder in folders[: len(keys)]]
        if not keys or not file or [pair[0].lower() for pair in pairs] != keys:
            continue
        location = f"s3://{bucket}/{prefix}{'/'.join(folders[: len(keys)])}/"
        if location not in seen:
            seen.add(location)
            yield [unquote(pair[2]) for pair in pairs], location
