"""Where a job's bytes come from and go to: `s3://` and `file://`, each object pinned to the version that was meant."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from .refused import ObjectGone

CHUNK = 1 << 20
# 405 is what a version that is a delete marker answers.
GONE = (404, 405, 412)


@dataclass(frozen=True)
class Written:
    etag: str
    bytes: int


def key_of(uri: str) -> str:
    """The part of a URI that people know: the key of an S3 object, the path of a file."""
    if uri.startswith("s3://"):
        return uri.removeprefix("s3://").partition("/")[2]
    return path_of(uri) if uri.startswith("file://") else uri


def open_source(source: dict[str, Any]) -> BinaryIO:
    """A stream of one input of the manifest. Close it. Raises ObjectGone if that very version is no longer there."""
    uri = source["uri"]
    if uri.startswith("file://"):
        try:
            return open(path_of(uri), "rb")
        except FileNotFoundError as error:
            raise ObjectGone(key_of(uri)) from error
    return cast(BinaryIO, _call(uri, "get_object", **_pinned(source))["Body"])


def check_current(source: dict[str, Any]) -> None:
    """Raises ObjectGone unless a reader who asks for the object without its version gets the one that was meant."""
    uri = source["uri"]
    if uri.startswith("file://"):
        if not os.path.isfile(path_of(uri)):
            raise ObjectGone(key_of(uri))
        return
    head = _call(uri, "head_object")
    for name, field in (("etag", "ETag"), ("versionId", "VersionId")):
        # S3 quotes ETags, the manifest does not.
        if source.get(name) is not None and str(head.get(field)).strip('"') != source[name].strip('"'):
            raise ObjectGone(key_of(uri))


def read(uri: str) -> bytes:
    with closing(open_source({"uri": uri})) as stream:
        return stream.read()


def read_tail(uri: str, size: int) -> bytes:
    """The last bytes of an object, all of it if it has fewer."""
    if uri.startswith("file://"):
        with open(path_of(uri), "rb") as stream:
            stream.seek(-min(size, os.path.getsize(path_of(uri))), os.SEEK_END)
            return stream.read()
    with closing(_call(uri, "get_object", Range=f"bytes=-{size}")["Body"]) as stream:
        return cast(bytes, stream.read())


def upload(file: str, uri: str) -> Written:
    """Sends a local file. Memory does not grow with its size."""
    if uri.startswith("file://"):
        target = path_of(uri)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(file, target)
        return head(uri)
    from boto3.s3.transfer import TransferConfig

    bucket, key = _place(uri)
    size = os.path.getsize(file)
    part = max(16 << 20, -(-size // 10_000))
    config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=4)
    _s3().upload_file(file, bucket, key, Config=config)
    return head(uri)


def head(uri: str) -> Written:
    if uri.startswith("file://"):
        digest = hashlib.md5(usedforsecurity=False)
        with open(path_of(uri), "rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
        return Written(f'"{digest.hexdigest()}"', os.path.getsize(path_of(uri)))
    found = _call(uri, "head_object")
    return Written(found["ETag"], found["ContentLength"])


def size_of(uri: str) -> int:
    return os.path.getsize(path_of(uri)) if uri.startswith("file://") else int(_call(uri, "head_object")["ContentLength"])


def put_if_absent(uri: str, text: str) -> bool:
    """False if something is there already: it stays."""
    if uri.startswith("file://"):
        target = Path(path_of(uri))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("x") as file:
                file.write(text)
            return True
        except FileExistsError:
            return False
    from botocore.exceptions import ClientError

    bucket, key = _place(uri)
    try:
        _s3().put_object(
            Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json", IfNoneMatch="*"
        )
        return True
    except ClientError as error:
        if _status(error) == 412:
            return False
        raise


def list_below(folder: str) -> list[str]:
    """URIs of the objects below a folder, which ends with `/`."""
    if folder.startswith("file://"):
        root = path_of(folder)
        return sorted(Path(at, name).as_uri() for at, _, names in os.walk(root) for name in names)
    bucket, prefix = _place(folder)
    pages = _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [f"s3://{bucket}/{item['Key']}" for page in pages for item in page.get("Contents", [])]


def path_of(uri: str) -> str:
    """The local path of a `file:` URI."""
    return unquote(urlsplit(uri).path)


def _place(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        raise ValueError(f"Not the URI of an S3 object: {uri}")
    return bucket, key


def _pinned(source: dict[str, Any]) -> dict[str, str]:
    pins = {"VersionId": source.get("versionId"), "IfMatch": source.get("etag")}
    return {name: pin for name, pin in pins.items() if pin is not None}


def _call(uri: str, operation: str, **arguments: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    bucket, key = _place(uri)
    try:
        return cast("dict[str, Any]", getattr(_s3(), operation)(Bucket=bucket, Key=key, **arguments))
    except ClientError as error:
        if _status(error) in GONE:
            raise ObjectGone(key) from error
        raise


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@cache
def _s3() -> Any:
    """A client as the environment says: region, and on a laptop the emulator's endpoint. boto3 is not needed for files."""
    import boto3
    from botocore.config import Config

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    style = {"addressing_style": "path"} if endpoint else {}
    config = Config(s3=style, max_pool_connections=32, retries={"max_attempts": 5, "mode": "standard"})
    return boto3.client("s3", endpoint_url=endpoint, config=config)
