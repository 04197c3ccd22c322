"""The first lines of a source: the same grammar as services/engine/duckdb/record.ts and header.ts, for a header only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .refused import RefusedSource
from .transcode import LONGEST_MARK, check_mark, header_text

BLANKS = "\t\n\v\f\r \u00a0"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SHOWN = 300
# What is longer without a line end is judged by its beginning.
LONGEST_HEADER = 4 << 20


@dataclass(frozen=True)
class Layout:
    # Fields in each line of the file.
    width: int
    # For each column of the plan its place in the file, None where the file lacks it.
    places: tuple[int | None, ...]


def is_blank(line: bytes, delimiter: str) -> bool:
    """A line of nothing but blanks. A delimiter is none, even where it is a tab."""
    return not line.decode("utf-8", "replace").strip(BLANKS.replace(delimiter, ""))


def fields_of(line: str, delimiter: str, quote: str) -> list[str] | None:
    """The trimmed fields of a record, None for a line that is none."""
    fields: list[str] = []
    at = 0
    while True:
        if line.startswith(quote, at):
            close = line.find(quote, at + 1)
            while close >= 0 and line.startswith(quote, close + 1):
                close = line.find(quote, close + 2)
            if close < 0:
                return None
            field = line[at + 1 : close].replace(quote * 2, quote)
            at = close + 1
            if at < len(line) and line[at] != delimiter:
                return None
        else:
            if line[at:].lstrip(BLANKS.replace(delimiter, "")).startswith(quote):
                return None
            end = line.find(delimiter, at)
            end = len(line) if end < 0 else end
            field, at = line[at:end], end
        fields.append(field.strip(BLANKS))
        if at >= len(line):
            return fields
        at += 1


def header_line(blocks: Iterator[bytes], key: str, delimiter: str) -> bytes:
    """The first line that is not blank. Raises RefusedSource for UTF-16, or if there is none."""
    rest = b""
    for number, block in enumerate(blocks):
        if number == 0:
            block = first_block(block, key)
        *lines, rest = _lines(rest + block)
        for line in lines:
            if not is_blank(line, delimiter):
                return line
        if len(rest) > LONGEST_HEADER:
            return rest
    if is_blank(rest, delimiter):
        raise no_header(key)
    return rest


def first_block(block: bytes, key: str) -> bytes:
    """Skips the byte order mark. Raises RefusedSource for UTF-16 and gzip."""
    if block.startswith(b"\x1f\x8b"):
        raise RefusedSource(
            "not_a_csv",
            f"{key} begins as a gzip file does, and its name does not say so. Land it with a name that ends in .csv.gz.",
        )
    # Of another encoding it is UTF-8 by now.
    check_mark(block[:LONGEST_MARK], "utf-8", key)
    return block.removeprefix(BYTE_ORDER_MARK)


def no_header(key: str) -> RefusedSource:
    return RefusedSource("empty_file", f"{key} has no header line: it is empty. Land it again with its header.")


def _lines(block: bytes) -> list[bytes]:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def match_header(line: bytes, plan: dict[str, Any], key: str) -> Layout:
    """Finds the plan's columns in a header, in whatever order. Raises RefusedSource."""
    text = header_text(line, plan["source"]["encoding"], key)
    delimiter, quote, columns = plan["source"]["delimiter"], plan["source"]["quote"], plan["columns"]
    fields = fields_of(text, delimiter, quote) or [text]

    def refuse(what: str) -> RefusedSource:
        found = f"{text[:SHOWN]}…" if len(text) > SHOWN else text
        other = _other_delimiter(text, plan)
        hint = f"; this header looks like {_show(other)}" if other else ""
        return RefusedSource(
            "header_mismatch",
            f"Header of {key} {what} (found: {found}). The contract expects delimiter {_show(delimiter)}{hint}. "
            f"Correct the file, or the contract of {plan['dataset']}, and land it again.",
        )

    for column in columns:
        if fields.count(column["source"]) > 1:
            raise refuse(f'has the column "{column["source"]}" twice')
    places = tuple(fields.index(c["source"]) if c["source"] in fields else None for c in columns)
    strict = plan["missingColumns"] == "refuse"
    missing = [c["source"] for c, at in zip(columns, places) if at is None and (strict or c["required"])]
    if missing:
        raise refuse(f"has no column {_list(missing)}")
    # A file of which no column is known is another file, however lenient the contract.
    if all(at is None for at in places):
        raise refuse("has none of the columns")
    unknown = [field for at, field in enumerate(fields) if at not in places]
    if unknown and plan["unknownColumns"] == "refuse":
        raise refuse(f"has a column {_list(unknown)} that the contract does not list")
    return Layout(len(fields), places)


def _list(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _show(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else f'"{delimiter}"'


def _other_delimiter(line: str, plan: dict[str, Any]) -> str | None:
    """The delimiter that would show more of the columns than the contract's does."""

    def known(delimiter: str) -> int:
        fields = [field.replace(plan["source"]["quote"], "").strip() for field in line.split(delimiter)]
        return sum(column["source"] in fields for column in plan["columns"])

    own = plan["source"]["delimiter"]
    others = (other for other in (",", ";", "\t", "|") if other != own)
    return next((other for other in others if known(other) > max(known(own), 1)), None)
