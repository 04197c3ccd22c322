from __future__ import annotations

from typing import Any

import pytest
from landfall_spark.record import LONGEST_HEADER, SHOWN, Layout, fields_of, header_line, is_blank, match_header
from landfall_spark.refused import RefusedSource

HEADER = b"Key,First Number,Second"


def refusal(line: bytes, plan: dict[str, Any]) -> str:
    with pytest.raises(RefusedSource) as refused:
        match_header(line, plan, "data/small/x.csv")
    return str(refused.value)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a,b", ["a", "b"]),
        ("", [""]),
        ("a,", ["a", ""]),
        (",a", ["", "a"]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""hi""",', ['say "hi"', ""]),
        ('""', [""]),
        ("\ta\u00a0, b\v", ["a", "b"]),
        ('a "b" c', ['a "b" c']),
        ("\u2003a", ["\u2003a"]),
    ],
)
def test_a_record_has_trimmed_fields(line: str, fields: list[str]) -> None:
    assert fields_of(line, ",", '"') == fields


@pytest.mark.parametrize("line", ['"open', 'a,"open', '"a"b,c', ' "a"', '"a" ,b', '"a""', '\u00a0"a"'])
def test_a_line_with_a_misplaced_quote_is_no_record(line: str) -> None:
    assert fields_of(line, ",", '"') is None


def test_a_tab_that_delimits_is_no_blank() -> None:
    assert fields_of("\t a\t", "\t", '"') == ["", "a", ""]
    assert is_blank(b" \t\xc2\xa0", ",")
    assert not is_blank(b" \t", "\t")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_header_is_the_first_line_that_is_not_blank_wherever_blocks_end(end: bytes) -> None:
    content = b"\xef\xbb\xbf \t" + end + end + HEADER + end + b"a,1,2" + end
    for at in range(3, len(content)):
        assert header_line(iter([content[:at], content[at:]]), "x.csv", ",") == HEADER, at


def test_a_header_needs_no_line_end() -> None:
    assert header_line(iter([HEADER]), "x.csv", ",") == HEADER


def test_a_first_line_that_does_not_end_is_judged_by_its_beginning() -> None:
    read = []

    def blocks() -> Any:
        for _ in range(100):
            read.append(1)
            yield b"x" * (1 << 20)

    assert len(header_line(blocks(), "x.csv", ",")) == LONGEST_HEADER + (1 << 20)
    assert len(read) == 5


@pytest.mark.parametrize(
    ("blocks", "code"),
    [([], "empty_file"), ([b"\n \r\n\xc2\xa0"], "empty_file"), ([b"\xff\xfeK\0e\0y\0"], "wrong_encoding")],
)
def test_a_source_without_a_header_that_can_be_read_is_refused_by_name(blocks: list[bytes], code: str) -> None:
    with pytest.raises(RefusedSource, match=r"^x\.csv ") as refused:
        header_line(iter(blocks), "x.csv", ",")
    assert refused.value.code == code


def test_columns_are_found_in_any_order_with_blanks_around_them(plan: dict[str, Any]) -> None:
    assert match_header(HEADER, plan, "x.csv") == Layout(3, (0, 1, 2))
    assert match_header(b' Second ,"First Number",Key\t', plan, "x.csv") == Layout(3, (2, 1, 0))


def test_a_header_that_is_not_as_the_contract_says_is_refused_with_what_was_found(plan: dict[str, Any]) -> None:
    assert refusal(b"Key,Second", plan) == (
        'Header of data/small/x.csv has no column "First Number" (found: Key,Second). The contract expects delimiter ",". '
        "Correct the file, or the contract of small, and land it again."
    )
    assert 'has the column "Key" twice' in refusal(b"Key,First Number,Second,Key", plan)
    assert 'has a column "Third" that the contract does not list' in refusal(HEADER + b",Third", plan)
    assert "is not UTF-8" in refusal(HEADER + b",\xff", plan)
    assert f"(found: Key,{'x' * (SHOWN - 4)}…)" in refusal(b"Key," + b"x" * 1000, plan)


@pytest.mark.parametrize(("other", "named"), [(b";", '";"'), (b"\t", "a tab"), (b"|", '"|"')])
def test_a_header_with_another_delimiter_says_which(other: bytes, named: str, plan: dict[str, Any]) -> None:
    assert f'expects delimiter ","; this header looks like {named}.' in refusal(HEADER.replace(b",", other), plan)


def test_a_lenient_contract_ignores_and_fills_but_does_not_take_another_file(plan: dict[str, Any]) -> None:
    lenient = {**plan, "unknownColumns": "ignore", "missingColumns": "null"}
    assert match_header(b"First Number,Other,Key", lenient, "x.csv") == Layout(3, (2, 0, None))
    assert 'has no column "First Number"' in refusal(b"Key,Second", lenient)
    for column in lenient["columns"]:
        column["required"] = False
    assert match_header(b"Second", lenient, "x.csv") == Layout(1, (None, None, 0))
    assert "has none of the columns" in refusal(b"a,b", lenient)
