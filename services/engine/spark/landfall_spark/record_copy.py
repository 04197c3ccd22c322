"""
A source as its records, for a contract that says multiline. Where a record ends depends on the lines before it: so the driver
alone finds the ends, and tasks read the records from a copy in which something else than a line end is between them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, BinaryIO

from .lines import MALFORMED_MARK, dialect_of
from .multiline import LINE_END, MALFORMED, MORE, Joiner, line_end
from .record import BYTE_ORDER_MARK, LONGEST_HEADER, Layout, first_block, is_blank, match_header, no_header


def new_boundary() -> str:
    """What is behind each record of a copy. Its first character is not in it again: half a boundary hides no whole one."""
    return f"\x1e{uuid.uuid4().hex}"


def copy_records(blocks: Iterator[bytes], file: str, boundary: str, plan: dict[str, Any], key: str) -> tuple[str, Layout]:
    """Writes the copy. Returns the header. Raises RefusedSource."""
    with open(file, "wb") as target:
        copy = RecordCopy(target, boundary, plan, key)
        copy.add(first_block(next(blocks, b""), key))
        for block in blocks:
            copy.add(block)
        copy.add(b"", last=True)
    if copy.header is None:
        raise no_header(key)
    return copy.header


class RecordCopy:
    """Takes a source block by block."""

    def __init__(self, target: BinaryIO, boundary: str, plan: dict[str, Any], key: str) -> None:
        self.target, self.boundary, self.plan, self.key = target, boundary.encode(), plan, key
        dialect = dialect_of(plan)
        self.delimiter, self.quote = dialect.delimiter, dialect.quote.encode()
        self.joiner = Joiner(dialect)
        # The first record that is not blank.
        self.header: tuple[str, Layout] | None = None
        self.rest = b""
        self.in_long_line = False
        # Spark skips one: with this one there, a header that looks as if it began with one is safe.
        target.write(BYTE_ORDER_MARK)

    def add(self, block: bytes, last: bool = False) -> None:
        data = self.rest + block
        if last and data and data[-1:] not in b"\r\n":
            data += b"\n"
        lines = _complete_lines(data, last)
        if lines == 0:
            self.rest = data
            if len(data) > LONGEST_HEADER:
                self._begin_long_line(data)
            return
        at = 0
        if self.in_long_line:
            end, at = line_end(data, 0)
            self._write(data[:end])
            self.in_long_line = False
        self.joiner.give(data, lines, last)
        while at < lines:
            if self.header is not None:
                # Lines without a quote are what they are.
                quote = data.find(self.quote, at, lines)
                start = lines if quote < 0 else max(at, data.rfind(b"\n", at, quote) + 1, data.rfind(b"\r", at, quote) + 1)
                if start > at:
                    self.target.write(LINE_END.sub(self.boundary, data[at:start]))
                    at = start
                    continue
            end, after = line_end(data, at)
            joined = self.joiner.join(at, end, after)
            if joined == MORE:
                break
            if isinstance(joined, int):
                end, after = line_end(data, joined)
            record = data[at:end]
            if self.header is None and not is_blank(record, self.delimiter):
                self._begin(record)
            self._write(record + MALFORMED_MARK.encode() if joined == MALFORMED else record)
            at = after
        self.rest = data[at:]

    def _begin(self, header: bytes) -> None:
        layout = match_header(header, self.plan, self.key)
        self.header = header.decode("utf-8"), layout

    def _write(self, record: bytes) -> None:
        self.target.write(record)
        self.target.write(self.boundary)

    def _begin_long_line(self, data: bytes) -> None:
        if self.header is None:
            self._begin(data)
        # A CR at the end may be the line's own.
        line = data.removesuffix(b"\r")
        self.target.write(line)
        self.rest = data[len(line) :]
        self.in_long_line = True


def _complete_lines(data: bytes, last: bool) -> int:
    """Where the last line that has an end ends. Whether an LF belongs to a CR is known only when it is there."""
    if last:
        return len(data)
    end = len(data) - 1 if data.endswith(b"\r") else len(data)
    return max(data.rfind(b"\n", 0, end), data.rfind(b"\r", 0, end)) + 1
