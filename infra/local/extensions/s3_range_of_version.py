"""Gap: GetObject with a `versionId` ignores `Range` and answers 200 with the whole object (AWS answers 206).

Upstream: services/s3.py, the versioned branch of `_get_object` returns before the range is looked at.
"""

from ministack.services import s3
from patching import replace


def apply():
    replace(s3, "_get_object", ("bucket_name", "key", "headers", "query_params"), _sliced)


def _sliced(original):
    def get_object(bucket_name, key, headers, query_params=None):
        status, answer, body = original(bucket_name, key, headers, query_params)
        wanted = headers.get("range", "")
        if status != 200 or not wanted or not s3._qp(query_params or {}, "versionId", ""):
            return status, answer, body
        found = s3._parse_range(wanted, len(body))
        if found is None:
            text = s3._xml_body(s3._range_error_xml(bucket_name, key))
            return 416, {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}, text
        start, end = found
        answer["Content-Length"] = str(end - start + 1)
        answer["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
        # A checksum of the whole cannot vouch for a slice; the SDK would try.
        for name in [name for name in answer if name.lower().startswith("x-amz-checksum-")]:
            del answer[name]
        return 206, answer, body[start : end + 1]

    return get_object
