from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from landfall_spark.refused import RefusedSource
from landfall_spark.transcode import in_utf8

PIECES = ["a", "é", "北", "😀", "\ufeff", "\ufffd", "\n", "\ud800", "\udfff", "\ud83d"]


def whole(content: bytes, encoding: str, size: int = 1 << 20) -> bytes:
    chunks = (content[at : at + size] for at in range(0, len(content), size))
    return b"".join(in_utf8(chunks, encoding, "x.csv"))


def reference(text: str) -> Iterator[bytes]:
    """Unit by unit: pairs of surrogates are characters, others are none."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    for char in joined:
        yield b"\xff" if "\ud800" <= char <= "\udfff" else char.encode()


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be"])
@pytest.mark.parametrize("seed", range(20))
def test_utf_16_is_the_same_in_utf_8_however_it_is_cut(encoding: str, seed: int) -> None:
    dice = random.Random(seed)
    text = "ab" + "".join(dice.choices(PIECES, k=60))
    codec = encoding.replace("16", "16-")
    content = text.encode(codec, "surrogatepass")
    for size in (1, 2, 3, 7, 1000):
        assert whole(content, encoding, size) == b"".join(reference(text))
        assert whole(content + b"\x00", encoding, size) == b"".join(reference(text)) + b"\xff"


def test_a_byte_order_mark_says_the_order_and_stays_one() -> None:
    for mark, codec in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert whole(mark + "é".encode(codec), "utf-16", 1) == "\ufeffé".encode()


def test_each_byte_of_latin_1_is_the_character_of_its_number() -> None:
    every = bytes(range(256))
    assert whole(every, "latin-1", 7).decode() == "".join(map(chr, range(256)))


@pytest.mark.parametrize(
    ("encoding", "content"),
    [("utf-16", b"a"), ("utf-16", b"a,b\n"), ("utf-16", b"\xef\xbb\xbfa"), ("utf-16be", b"\xff\xfea\0"), ("latin-1", b"\xfe\xff\0a")],
)
def test_a_mark_of_another_encoding_or_none_where_one_must_be_is_refused(encoding: str, content: bytes) -> None:
    with pytest.raises(RefusedSource) as refused:
        whole(content, encoding)
    assert refused.value.code == "wrong_encoding"
    assert "byte order mark" in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_nothing_is_nothing(encoding: str) -> None:
    assert whole(b"", encoding) == b""
