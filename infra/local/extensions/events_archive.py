"""Gap: CloudFormation does not know AWS::Events::Archive ("Unrecognized resource types").

Upstream: services/cloudformation/provisioners.py, `_RESOURCE_HANDLERS` lacks it.
"""

import json
import re

from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

TYPE = "AWS::Events::Archive"
NAME = re.compile(r"[.\-_A-Za-z0-9]{1,48}")


def apply():
    if TYPE in provisioners._RESOURCE_HANDLERS:
        raise RuntimeError(f"Upstream knows {TYPE} by now: see how well, then drop this extension or adapt it.")
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": _create, "update": _update, "delete": _delete}
    provisioners._REPLACING_PROPERTIES[TYPE] = frozenset({"ArchiveName", "SourceArn"})


def _create(logical_id, properties, stack_name):
    name = properties.get("ArchiveName") or provisioners._physical_name(stack_name, logical_id, max_len=48)
    if not NAME.fullmatch(name):
        raise ValueError(f"{TYPE} {logical_id}: ArchiveName {name} is not 1 to 48 of A-Z a-z 0-9 . - _")
    source = properties.get("SourceArn", "")
    bus, error = eventbridge._event_bus_name_from_ref(source)
    eventbridge._ensure_default_bus()
    if error or not source.startswith("arn:") or bus not in eventbridge._event_buses:
        raise ValueError(f"{TYPE} {logical_id}: Event bus {source} does not exist.")
    request = {"ArchiveName": name, "EventSourceArn": source, **_changeable(properties)}
    _done(logical_id, eventbridge._create_archive(request))
    return _resource(name)


def _update(physical_id, _old, properties, _stack_name):
    _done(physical_id, eventbridge._update_archive({"ArchiveName": physical_id, **_changeable(properties)}))
    return _resource(physical_id)


def _delete(physical_id, _properties):
    # One that is gone already is deleted, as for every resource.
    eventbridge._delete_archive({"ArchiveName": physical_id})


def _changeable(properties):
    """All of them, so that a property which the template has dropped is reset."""
    pattern = properties.get("EventPattern") or ""
    return {
        "EventPattern": pattern if isinstance(pattern, str) else json.dumps(pattern),
        "Description": properties.get("Description", ""),
        "RetentionDays": int(properties.get("RetentionDays") or 0),
        "KmsKeyIdentifier": properties.get("KmsKeyIdentifier", ""),
    }


def _resource(name):
    return name, {"Arn": eventbridge._archives[name]["ArchiveArn"], "ArchiveName": name}


def _done(name, response):
    if response[0] != 200:
        raise ValueError(f"{TYPE} {name}: {json.loads(response[2]).get('message')}")
