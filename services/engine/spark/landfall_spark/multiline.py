"""Where a record of several lines ends: the same rules as services/engine/duckdb/multiline.ts."""

from __future__ import annotations

import re

from .lines import MAX_LINE_BYTES, Dialect

OPEN, COMPLETE, MALFORMED, MORE = "open", "complete", "malformed", "more"
LINE_END = re.compile(rb"\r\n|\r|\n")


class Joiner:
    """
    Joins a line whose quote is open at its end with the lines after it, up to the one at whose end the record is complete.
    What those are does not depend on the line that opened the quote: so none is looked at twice.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.quote, self.delimiter = dialect.quote.encode(), dialect.delimiter.encode()
        blanks = "|".join(re.escape(blank) for blank in dialect.blanks)
        self.quote_after_blanks = re.compile(f"(?:{blanks})+{re.escape(dialect.quote)}".encode())
        d, q = re.escape(dialect.delimiter), re.escape(dialect.quote)
        one = f"(?:{q}[^{q}]*(?:{q}{q}[^{q}]*)*{q}|(?!{q})[^{d}]*)"
        # For nearly all lines; a quote after blanks is malformed, which is as complete.
        self.quick = re.compile(f"{one}(?:{d}{one})*".encode())
        self.give(b"", 0, True)

    def give(self, data: bytes, lines: int, last: bool) -> None:
        """`lines` is where the last complete line ends; `last` that nothing follows the data."""
        self.data, self.lines, self.last = data, lines, last
        # Lines that begin from `first` up to `next`, without the latter, leave a quote open that was open before them.
        self.first = self.next = 0
        # What the line at `next` is instead, if that is known, and where it ends.
        self.found: tuple[str, int] | None = None

    def join(self, start: int, end: int, after: int) -> int | str | None:
        """Where the record ends that begins with a line; MORE; OPEN or MALFORMED for a line that stands alone; else None."""
        if end - start > MAX_LINE_BYTES or self.kind(self.data[start:end]) != OPEN:
            return None
        if not self.first <= after <= self.next:
            self.first = self.next = after
            self.found = None
        while self.found is None and self.next < self.lines and self.next - start <= MAX_LINE_BYTES:
            stop, following = line_end(self.data, self.next)
            kind = self.kind(self.data[self.next : stop], inside=True)
            if kind == OPEN:
                self.next = following
            else:
                self.found = kind, stop
        if self.found is not None:
            kind, record_end = self.found
            if record_end - start > MAX_LINE_BYTES:
                return OPEN
            return record_end if kind == COMPLETE else MALFORMED
        # The last byte may be the CR that ends the record.
        known = self.last or self.next < self.lines or len(self.data) - 1 - start > MAX_LINE_BYTES
        return OPEN if known else MORE

    def kind(self, line: bytes, inside: bool = False) -> str:
        """What a line is by itself, or where it begins inside of quotes."""
        at = line.find(self.quote)
        if at < 0:
            return OPEN if inside else COMPLETE
        if not inside and self.quick.fullmatch(line):
            return COMPLETE
        at = 0
        while True:
            if inside or line.startswith(self.quote, at):
                close = line.find(self.quote, at if inside else at + 1)
                while close >= 0 and line.startswith(self.quote, close + 1):
                    close = line.find(self.quote, close + 2)
                if close < 0:
                    return OPEN
                at, inside = close + 1, False
                if at < len(line) and not line.startswith(self.delimiter, at):
                    return MALFORMED
            else:
                if self.quote_after_blanks.match(line, at):
                    return MALFORMED
                end = line.find(self.delimiter, at)
                at = len(line) if end < 0 else end
            if at >= len(line):
                return COMPLETE
            at += 1


def line_end(data: bytes, start: int) -> tuple[int, int]:
    """Where the line end after `start` begins, and where it ends."""
    found = LINE_END.search(data, start)
    return found.span() if found else (len(data), len(data))
