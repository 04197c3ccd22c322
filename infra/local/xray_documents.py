"""Segment documents as X-Ray documents them: what is refused, and how those of one trace go together."""

import json
import re
import time

MOST_BYTES = 64 * 1024
OLDEST_SECONDS = 30 * 24 * 3600
ID = re.compile(r"[0-9a-fA-F]{16}")
TRACE_ID = re.compile(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}")
NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]{1,200}")
ANNOTATION = re.compile(r"\w{1,500}", re.ASCII)
OF_ONE_SENT_ALONE = ("type", "trace_id", "parent_id")


class Refused(Exception):
    """Of a document, with what is wrong with it in words, where X-Ray says only its code."""

    def __init__(self, segment_id, code, words):
        super().__init__(words)
        self.id, self.code = segment_id, code


def read(text):
    """The segment, or the subsegment that was sent alone. Raises Refused."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refused(None, "ParseError", f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Refused(None, "MissingId", "not a JSON object")
    if len(text.encode()) > MOST_BYTES:
        raise Refused(document.get("id"), "InvalidSegment", f"more than {MOST_BYTES} bytes")
    _check(document, document.get("type") == "subsegment", alone=True)
    return document


def _check(segment, sub, alone):
    def must(field, valid, words):
        value = segment.get(field)
        if value is None or not valid(value):
            name = "".join(word.capitalize() for word in field.split("_"))
            code = ("Missing" if value is None else "Invalid") + name
            segment_id = segment.get("id") if isinstance(segment.get("id"), str) else None
            kind = "subsegment" if sub else "segment"
            found = f", found {json.dumps(value)}" if value is not None else ""
            raise Refused(segment_id, code, f"Invalid {kind}. ErrorCode: {code}: {field} must be {words}{found}")

    def matches(pattern):
        return lambda value: isinstance(value, str) and pattern.fullmatch(value)

    must("id", matches(ID), "16 hexadecimal digits")
    must("name", matches(NAME), "1 to 200 letters, digits, blanks or any of _.:/%&#=+\\-@")
    must("start_time", _number, "a number of seconds")
    if alone:
        must("trace_id", matches(TRACE_ID), "1-<8 hexadecimal digits>-<24 hexadecimal digits>")
        oldest = time.time() - OLDEST_SECONDS
        must("start_time", lambda start: start >= oldest, "within the last 30 days")
    if sub and alone:
        must("parent_id", matches(ID), "16 hexadecimal digits")
    if segment.get("parent_id") is not None:
        must("parent_id", matches(ID), "16 hexadecimal digits")
    if segment.get("in_progress") is not True:
        must("end_time", _number, "a number of seconds, unless in_progress is true")
    for child in segment.get("subsegments") or []:
        if isinstance(child, dict):
            _check(child, sub=True, alone=False)


def _number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def walk(segment):
    """The segment and all subsegments below it."""
    yield segment
    for child in segment.get("subsegments") or []:
        if isinstance(child, dict):
            yield from walk(child)


def assemble(documents):
    """Subsegments that were sent alone are put into their parents; those without one stand for themselves."""
    copies = [json.loads(json.dumps(document)) for document in documents]
    parents = {node["id"]: node for document in copies for node in walk(document)}
    tops = []
    for document in copies:
        parent = parents.get(document.get("parent_id")) if document.get("type") == "subsegment" else None
        if parent is None or any(node is parent for node in walk(document)):
            tops.append(document)
            continue
        for field in OF_ONE_SENT_ALONE:
            document.pop(field, None)
        # The same one may have come within its parent, too.
        others = [child for child in parent.get("subsegments") or [] if child.get("id") != document["id"]]
        parent["subsegments"] = [*others, document]
    return tops


def services(segments):
    """What a trace's services are: its segments, and what their subsegments called."""
    for segment in segments:
        for node in walk(segment):
            if node is segment or node.get("namespace"):
                yield node


def roots(segments):
    return [segment for segment in segments if not segment.get("parent_id")] or segments[:1]


def annotations(segments):
    for segment in segments:
        for node in walk(segment):
            for key, value in (node.get("annotations") or {}).items():
                # As on AWS, others are kept in the document, but found by nobody.
                if ANNOTATION.fullmatch(key) and isinstance(value, str | bool | int | float):
                    yield key, value, segment


def start_of(segments):
    return min(segment["start_time"] for segment in segments)


def end_of(segments):
    return max(node.get("end_time", node["start_time"]) for segment in segments for node in walk(segment))
