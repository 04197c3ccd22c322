"""The number of rows in a parquet file, by its own footer: some bytes read on the driver instead of a Spark job."""

from __future__ import annotations

from collections.abc import Iterator

MAGIC = b"PAR1"
TRAILER = 8
# Field of FileMetaData in Thrift's compact protocol, and the protocol's types.
NUM_ROWS = 3
STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)


def footer_bytes(tail: bytes) -> int:
    """How many bytes at the end of the file are its footer, given at least the last eight."""
    if tail[-4:] != MAGIC:
        raise ValueError("not a parquet file: its end is another")
    return int.from_bytes(tail[-TRAILER:-4], "little") + TRAILER


def rows_of(tail: bytes) -> int:
    """The rows of a file, given at least its footer."""
    reader = _Reader(tail, len(tail) - footer_bytes(tail))
    for field, kind in reader.fields():
        if field == NUM_ROWS:
            return reader.integer()
        reader.skip(kind)
    raise ValueError("a parquet footer without a number of rows")


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def integer(self) -> int:
        """A zigzag number."""
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and type of each field of a struct; the caller reads or skips each value."""
        field = 0
        while (head := self.byte()) != STOP:
            field = field + (head >> 4) if head >> 4 else self.integer()
            yield field, head & 0x0F

    def skip(self, kind: int) -> None:
        if kind in (TRUE, FALSE):
            return
        if kind == BYTE:
            self.at += 1
        elif kind in (I16, I32, I64):
            self.varint()
        elif kind == DOUBLE:
            self.at += 8
        elif kind == BINARY:
            size = self.varint()
            self.at += size
        elif kind in (LIST, SET):
            head = self.byte()
            size = head >> 4 if head >> 4 < 15 else self.varint()
            for _ in range(size):
                self.skip_element(head & 0x0F)
        elif kind == MAP:
            size = self.varint()
            kinds = self.byte() if size else 0
            for _ in range(size):
                self.skip_element(kinds >> 4)
                self.skip_element(kinds & 0x0F)
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        else:
            raise ValueError(f"a parquet footer with a field of type {kind}")

    def skip_element(self, kind: int) -> None:
        """In a list a truth value is a byte of its own."""
        self.skip(BYTE if kind in (TRUE, FALSE) else kind)
