"""A source on its way to Spark: its header is read and checked on the driver, its lines are only ever read by tasks."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from . import objects
from .protocol import Place, Source
from .record import Layout, header_line, match_header
from .record_copy import copy_records
from .refused import RefusedSource
from .transcode import in_utf8

BLOCK = 4 << 20
# Hadoop takes other names for patterns, hidden files or packed ones; those are read from a copy.
PLAIN = r"^[a-z0-9]+://[A-Za-z0-9._~=/-]*/[A-Za-z0-9~=-][A-Za-z0-9._~=-]*"
PLAIN_CSV = re.compile(rf"{PLAIN}\.csv$", re.IGNORECASE)
PLAIN_PARQUET = re.compile(rf"{PLAIN}\.parquet$")


@dataclass(frozen=True)
class Intake:
    # What Spark reads.
    uri: str
    header: str
    layout: Layout
    # The input if Spark reads it in place, so that its version is checked again afterwards.
    pinned: dict[str, Any] | None


def take_in(
    source: Source, number: int, plan: dict[str, Any], place: Place, in_place: bool, local: bool, boundary: str | None
) -> Intake:
    """
    With a boundary, what Spark reads is a copy in which it is behind each record, whatever lines that has.
    Raises RefusedSource for a source that is not readable as a whole.
    """
    if len(source["inputs"]) != 1:
        raise ValueError(f"convert takes one input a source, not {len(source['inputs'])}.")
    (given,) = source["inputs"]
    key = objects.key_of(given["uri"])
    packed = key.lower().endswith(".gz")
    encoding = plan["source"]["encoding"]
    with closing(objects.open_source(given)) as stream:
        if in_place and boundary is None and not packed and encoding == "utf-8" and PLAIN_CSV.match(given["uri"]):
            header, layout = _header(_blocks(stream), plan, key, given["bytes"])
            objects.check_current(given)
            return Intake(given["uri"], header, layout, given)
        file = f"{place.temp}/{number:05}.csv"
        content = in_utf8(_inflated(stream) if packed else _blocks(stream), encoding, key)
        try:
            if boundary is None:
                _copy(content, file, plan, key)
            else:
                blocks = _limited(_in_blocks(content), plan, key)
                header, layout = copy_records(blocks, file, boundary, plan, key)
        except zlib.error as error:
            # A stream is judged by what comes first.
            with open(file, "rb") as copied:
                if boundary is None and copied.seek(0, 2) >= BLOCK:
                    copied.seek(0)
                    _header(_blocks(copied), plan, key, 0)
            raise RefusedSource(
                "corrupt_gzip",
                f"{key} is not a whole gzip file ({error}). Pack it again and land it again.",
            ) from error
    if boundary is None:
        with open(file, "rb") as copied:
            header, layout = _header(_blocks(copied), plan, key, 0)
    if local:
        return Intake(f"file://{file}", header, layout, None)
    uri = f"{place.staging}in/{number:05}.csv"
    objects.upload(file, uri)
    return Intake(uri, header, layout, None)


def fetch_parquet(
    source: Source, number: int, place: Place, reaches: Callable[[str], bool], local: bool
) -> list[str]:
    """What Spark reads of a source's parts. Raises ObjectGone."""
    uris: list[str] = []
    for at, given in enumerate(source["inputs"]):
        if reaches(given["uri"]) and PLAIN_PARQUET.match(given["uri"]):
            objects.check_current(given)
            uris.append(given["uri"])
            continue
        file = f"{place.temp}/{number:05}-{at:05}.parquet"
        with closing(objects.open_source(given)) as stream, open(file, "wb") as target:
            shutil.copyfileobj(stream, target, 1 << 20)
        if local:
            uris.append(f"file://{file}")
        else:
            uris.append(f"{place.staging}in/{number:05}-{at:05}.parquet")
            objects.upload(file, uris[-1])
    return uris


def _header(blocks: Iterator[bytes], plan: dict[str, Any], key: str, size: int) -> tuple[str, Layout]:
    line = header_line(blocks, key, plan["source"]["delimiter"])
    layout = match_header(line, plan, key)
    _check_size(size, plan, key)
    return line.decode("utf-8"), layout


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    return iter(partial(stream.read, BLOCK), b"")


def _in_blocks(content: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at least a block, but for the last."""
    held: list[bytes] = []
    missing = BLOCK
    for piece in content:
        held.append(piece)
        missing -= len(piece)
        if missing <= 0:
            yield b"".join(held)
            held, missing = [], BLOCK
    yield b"".join(held)


def _limited(blocks: Iterator[bytes], plan: dict[str, Any], key: str) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        _check_size(size, plan, key)
        yield block


def _copy(content: Iterator[bytes], file: str, plan: dict[str, Any], key: str) -> None:
    size = 0
    with open(file, "wb") as target:
        for block in content:
            size += len(block)
            if size > plan["limits"]["maxBytes"]:
                with open(file, "rb") as copied:
                    if size > BLOCK:
                        target.flush()
                        _header(_blocks(copied), plan, key, 0)
                _check_size(size, plan, key)
            target.write(block)


def _check_size(size: int, plan: dict[str, Any], key: str) -> None:
    limit = plan["limits"]["maxBytes"]
    if size > limit:
        raise RefusedSource(
            "too_large",
            f"{key} holds more than {limit} bytes, the limit of the contract of {plan['dataset']} (limits.maxBytes). "
            "Split it, or raise the limit.",
        )


def _inflated(stream: BinaryIO) -> Iterator[bytes]:
    """The content of all members. What follows them and is no member does not count. Raises zlib.error."""
    inflate = zlib.decompressobj(31)
    rest = b""
    while True:
        if inflate.eof:
            rest += stream.read(2 - len(rest)) if len(rest) < 2 else b""
            if not rest.startswith(b"\x1f\x8b"):
                return
            inflate = zlib.decompressobj(31)
        rest = rest or stream.read(1 << 20)
        yield inflate.decompress(rest, BLOCK) if rest else inflate.flush()
        if not rest and not inflate.eof:
            raise zlib.error("unexpected end of file")
        rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
