"""A source of another encoding as UTF-8: the same rules as services/engine/duckdb/transcode.ts and encoding.ts."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from .refused import RefusedSource

# A byte that no UTF-8 has: what is no character makes its line a reject, and no other.
NO_CHARACTER = b"\xff"
MARKS = {b"\xff\xfe": "utf-16le", b"\xfe\xff": "utf-16be", b"\xef\xbb\xbf": "utf-8"}
LONGEST_MARK = 3
NAMES = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16le": "UTF-16 (little-endian)",
    "utf-16be": "UTF-16 (big-endian)",
    "latin-1": "Latin-1",
}


def in_utf8(content: Iterator[bytes], encoding: str, key: str) -> Iterator[bytes]:
    """The content as UTF-8. A byte order mark stays one. Raises RefusedSource."""
    if encoding == "utf-8":
        yield from content
        return
    codec = ""
    rest = b""
    for chunk in content:
        rest += chunk
        if codec or len(rest) >= LONGEST_MARK:
            codec = codec or _codec(rest, encoding, key)
            whole = _whole(rest, codec)
            yield _transcoded(rest[:whole], codec)
            rest = rest[whole:]
    if rest:
        codec = codec or _codec(rest, encoding, key)
        cut = 0 if codec == "latin-1" else len(rest) % 2
        yield _transcoded(rest[: len(rest) - cut], codec) + NO_CHARACTER * cut


def check_mark(begin: bytes, encoding: str, key: str) -> str | None:
    """The encoding that the first bytes of a source say it has, None where they say nothing. Raises RefusedSource."""
    found = next((name for mark, name in MARKS.items() if begin.startswith(mark)), None)
    if encoding == "utf-16" and found is None:
        raise RefusedSource(
            "wrong_encoding",
            f"{key} has no byte order mark, which the contract's encoding utf-16 expects. Save it with one, "
            f'or name its order in the contract: {_setting("utf-16le")} or "utf-16be".',
        )
    if found is not None and found != encoding and (encoding != "utf-16" or found == "utf-8"):
        raise RefusedSource(
            "wrong_encoding",
            f"{key} begins with the byte order mark of {NAMES[found]}; the contract expects {NAMES[encoding]}. "
            f"{_mend(encoding, found if found == 'utf-8' else 'utf-16')}",
        )
    return found


def header_text(line: bytes, encoding: str, key: str) -> str:
    """The text of a header that is UTF-8 by now. Raises RefusedSource."""
    for found, zero in (("utf-16le", 1), ("utf-16be", 0)):
        if len(line) > 1 and line[zero] == 0 and line[1 - zero] != 0:
            raise RefusedSource(
                "wrong_encoding",
                f"Header of {key} looks like {NAMES[found]}; the contract expects {NAMES[encoding]}. {_mend(encoding, found)}",
            )
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        mend = _mend(encoding, "latin-1") if encoding == "utf-8" else f"Save it as {NAMES[encoding]} and land it again."
        raise RefusedSource(
            "wrong_encoding", f"Header of {key} is not {NAMES[encoding]}, which the contract expects. {mend}"
        ) from error


def _codec(begin: bytes, encoding: str, key: str) -> str:
    found = check_mark(begin, encoding, key)
    return {"utf-16be": "utf-16-be", "utf-16le": "utf-16-le"}.get((found or "") if encoding == "utf-16" else encoding, encoding)


def _whole(data: bytes, codec: str) -> int:
    """Where the last character ends that is there as a whole."""
    if codec == "latin-1":
        return len(data)
    end = len(data) & ~1
    high = data[end - 2 if codec == "utf-16-be" else end - 1] if end else 0
    return end - 2 if high & 0xFC == 0xD8 else end


def _transcoded(data: bytes, codec: str) -> bytes:
    if codec == "latin-1":
        return data.decode("latin-1").encode("utf-8")
    return data.decode(codec, "surrogatepass").encode("utf-8", "no_character")


def _no_character(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return NO_CHARACTER * (error.end - error.start), error.end


codecs.register_error("no_character", _no_character)


def _setting(encoding: str) -> str:
    return f'"source": {{ "encoding": "{encoding}" }}'


def _mend(expected: str, other: str) -> str:
    return f"Save it as {NAMES[expected]} and land it again, or have the contract say {_setting(other)}."
