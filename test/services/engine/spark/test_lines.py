from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from landfall_spark import lines as L
from landfall_spark.record import BLANKS, Layout, fields_of, is_blank
from landfall_spark.small import small_table
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

COMMA = L.Dialect(",", '"')
DIALECTS = [COMMA, L.Dialect(";", "'"), L.Dialect("\t", '"'), L.Dialect("|", "^")]
TOO_LONG = b"a," + b"x" * (L.MAX_LINE_BYTES - 1)


def table(spark: SparkSession, *values: str) -> DataFrame:
    return small_table(spark, [(value,) for value in values], {"value": "string"})


def fields_in(lines: DataFrame, dialect: L.Dialect) -> DataFrame:
    return L.with_fields(lines.withColumn("canonical", F.lit(False)), dialect)


def odd_lines(dialect: L.Dialect, seed: int) -> list[str]:
    dice = random.Random(seed)
    d, q = dialect.delimiter, dialect.quote
    pieces = ["a", "é", "😀", d, d, d, q, q, q + q, q + d, d + q, *BLANKS.replace("\n", "").replace("\r", ""), "\\", "\0", ".", "\u2003"]
    return sorted({"".join(dice.choices(pieces, k=dice.randrange(9))) for _ in range(400)})


def problems(lines: DataFrame, width: int, dialect: L.Dialect = COMMA) -> list[str | None]:
    found = L.with_problem(fields_in(lines.withColumn("width", F.lit(width)), dialect), dialect)
    return [row["problem"] for row in found.collect()]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: repr(dialect.delimiter + dialect.quote))
def test_lines_have_the_fields_of_the_grammar_of_headers(spark: SparkSession, dialect: L.Dialect) -> None:
    texts = odd_lines(dialect, 1)
    raw = L.with_raw(
        fields_in(table(spark, *texts), dialect).filter("fields IS NOT NULL"), 9, Layout(9, tuple(range(9))), dialect.quote
    )
    found = {row["value"]: [(row[f"r{i}"] or "").strip(BLANKS) for i in range(9)] for row in raw.collect()}
    wanted = {text: fields_of(text, dialect.delimiter, dialect.quote) for text in texts}
    records = {text: (fields + [""] * 9)[:9] for text, fields in wanted.items() if fields is not None}
    assert 0 < len(records) < len(texts)
    assert found == records


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: repr(dialect.delimiter + dialect.quote))
def test_lines_are_data_unless_they_are_blank(spark: SparkSession, dialect: L.Dialect) -> None:
    texts = [*odd_lines(dialect, 2), "", " ", "\t", "\u00a0 ", "\u00a1", "\u2003", dialect.delimiter]
    found = {row["value"] for row in table(spark, *texts).filter(L.is_data(dialect)).collect()}
    assert found == {text for text in texts if not is_blank(text.encode(), dialect.delimiter)}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,b", None),
        ('"a,b",c', None),
        ("a", "too_few_fields"),
        ('"a,b"', "too_few_fields"),
        ("a,b,c", "too_many_fields"),
        ('a,"b', "unclosed_quote"),
        ('"a,b', "unclosed_quote"),
        ('a,"b"x', "malformed_row"),
        ('a, "b"', "malformed_row"),
    ],
)
def test_a_line_that_is_no_record_has_a_reason(spark: SparkSession, line: str, problem: str | None) -> None:
    assert problems(table(spark, line), 2) == [problem]


def test_a_line_that_is_no_utf_8_is_wrong_whatever_its_fields_are(lines_of: Callable[[bytes], DataFrame]) -> None:
    assert problems(lines_of(b"a,\xe9\na\xc3\n\xf0\x9f\x98\x80,b\na,\xef\xbf\xbd\n"), 2) == [
        "invalid_encoding",
        "invalid_encoding",
        None,
        None,
    ]


def test_a_line_over_the_limit_is_wrong_whatever_its_fields_are(lines_of: Callable[[bytes], DataFrame]) -> None:
    assert problems(lines_of(TOO_LONG + b"\n" + TOO_LONG[:-1] + b"\n"), 2) == ["malformed_row", None]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'"a ""b""",c', '"a ""b""",c'),
        (b"\xe9t\xe9", "\ufffdt\ufffd"),
        (b"\xf0\x9f\x98", "\ufffd"),
        # The bytes of a surrogate, which are no character.
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xed\x9f\xbf", "\ud7ff"),
        (TOO_LONG, TOO_LONG[:10_000].decode()),
        (TOO_LONG[:-1], TOO_LONG[:-1].decode()),
    ],
    ids=["as it is", "latin", "cut", "surrogate", "before surrogates", "too long", "long"],
)
def test_the_original_text_keeps_what_can_be_kept(lines_of: Callable[[bytes], DataFrame], line: bytes, text: str) -> None:
    assert [row[0] for row in lines_of(line).select(L.original_text(F.col("value"))).collect()] == [text]


def test_fields_are_taken_from_the_places_of_one_layout_or_of_each_line(spark: SparkSession) -> None:
    lines = fields_in(table(spark, 'a,"b ""x""",', ',"",c'), COMMA)
    wanted = [[None, None, 'b "x"', "a"], ["c", None, None, None]]
    layout = Layout(3, (2, None, 1, 0))
    places = lines.withColumn("places", F.expr("array(2, CAST(NULL AS INT), 1, 0)"))
    for of_layout in (L.with_raw(lines, 4, layout, '"'), L.with_raw(places, 4, None, '"')):
        assert [[row[f"r{i}"] for i in range(4)] for row in of_layout.collect()] == wanted


def test_fields_of_lines_with_different_layouts_are_those_of_their_own(spark: SparkSession) -> None:
    places = {"a,b": [0, 1], "b,a": [1, 0], "b": [None, 0]}
    lines = small_table(spark, list(places.items()), {"value": "string", "places": "array<int>"})
    found = L.with_raw(fields_in(lines, COMMA), 2, None, '"').collect()
    assert [(row["r0"], row["r1"]) for row in found] == [("a", "b"), ("a", "b"), (None, "b")]


@pytest.mark.parametrize(
    ("layout", "right", "odd"),
    [
        (Layout(3, (0, 1, 2)), ["A,1,2", ",1,"], ["a,1,2", "A,,2", "A,1", "A,1,2,", '"A",1,2', "A,1,2\n", " A,1,2", ""]),
        (Layout(4, (3, 0, None)), ["1,x-y,,A", "1,,,"], ["A,x,,1", "1,x y,,A", '1,"",,A', "1,é,,A"]),
        (Layout(1, (None, 0, None)), ["1"], ["", "1,"]),
    ],
    ids=["in order", "turned", "alone"],
)
def test_a_line_is_canonical_if_each_field_is(
    spark: SparkSession, plan: dict[str, Any], layout: Layout, right: list[str], odd: list[str]
) -> None:
    found = {row["value"]: row["canonical"] for row in L.with_canonical(table(spark, *right, *odd), plan, layout).collect()}
    assert found == {**{line: True for line in right}, **{line: False for line in odd}}


def test_without_one_layout_or_a_pattern_for_each_column_no_line_is_canonical(spark: SparkSession, plan: dict[str, Any]) -> None:
    assert not L.with_canonical(table(spark, "A,1,2"), plan, None).head()["canonical"]
    plan["spark"]["columns"][1]["canonical"] = None
    assert not L.with_canonical(table(spark, "A,1,2"), plan, Layout(3, (0, 1, 2))).head()["canonical"]


def test_a_canonical_line_is_split_as_the_grammar_would(spark: SparkSession) -> None:
    lines = table(spark, "A,,2", ",").select("*", F.explode(F.array(F.lit(True), F.lit(False))).alias("canonical"), F.lit(3).alias("width"))
    split = {(row["value"], tuple(row["fields"])) for row in L.with_fields(lines, COMMA).collect()}
    assert split == {("A,,2", ("A", "", "2")), (",", ("", ""))}


def test_what_is_computed_once_is_not_copied_to_where_it_is_used(spark: SparkSession) -> None:
    def copies(rows: DataFrame) -> int:
        used = rows.filter("digest > 'a'").select(F.concat("digest", "digest"))
        plan: str = used._jdf.queryExecution().optimizedPlan().toString()
        return plan.count("sha2(")

    hashed = spark.range(3).select(F.sha2(F.col("id").cast("string"), 256).alias("digest"), "id")
    assert copies(hashed) > 1
    once = L.computed_once(hashed, "digest")
    assert copies(once) == 1
    assert once.columns == ["digest", "id"]
    assert once.collect() == hashed.collect()
