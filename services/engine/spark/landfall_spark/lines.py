"""Lines of text to fields: the grammar of services/engine/duckdb/record.ts as Spark expressions, no row in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from .record import BLANKS, Layout

# A longer line is a reject, here and in services/engine/duckdb/cleaner.ts.
MAX_LINE_BYTES = 1_000_000
KEPT_OF_LONG_LINE = 10_000
# Behind a line that, of a multiline source, begins a record that is malformed. No line or record ends so otherwise.
MALFORMED_MARK = "\n"


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    quote: str

    @property
    def blanks(self) -> str:
        return BLANKS.replace(self.delimiter, "")


def dialect_of(plan: dict[str, Any]) -> Dialect:
    return Dialect(plan["source"]["delimiter"], plan["source"]["quote"])


def is_data(dialect: Dialect) -> Column:
    """Not a line of nothing but blanks. The first byte decides for nearly all."""
    blanks = "".join(f"\\u{ord(blank):04x}" for blank in dialect.blanks)
    return F.expr(f"(value >= '!' AND value < '\\u00a0') OR trim(BOTH '{blanks}' FROM value) <> ''")


def computed_once(rows: DataFrame, *names: str) -> DataFrame:
    """
    Keeps Spark from copying the expressions of these columns to wherever they are used, also into filters it moves down:
    each would be computed up to dozens of times. What depends on the task is never copied, and costs nothing.
    """
    here = F.spark_partition_id() >= 0
    return rows.select(*(F.when(here, F.col(c)).alias(c) if c in names else F.col(f"`{c}`") for c in rows.columns))


def with_canonical(lines: DataFrame, plan: dict[str, Any], layout: Layout | None) -> DataFrame:
    """Adds `canonical`: whether every value of the line is plainly right. The others may be right, too."""
    pattern = None if layout is None else canonical_row(plan, layout)
    line = F.col("value")
    plain = F.lit(False) if pattern is None else (F.octet_length(line) <= MAX_LINE_BYTES) & line.rlike(pattern)
    return computed_once(lines.withColumn("canonical", plain), "canonical")


def canonical_row(plan: dict[str, Any], layout: Layout) -> str | None:
    """The regular expression of a line of canonical fields, None if a column has none."""
    dialect = dialect_of(plan)
    delimiter = _escaped(dialect.delimiter)
    fields: list[str] = []
    for place in range(layout.width):
        at = layout.places.index(place) if place in layout.places else None
        # In a column that the contract does not list, whatever needs no care.
        field = plan["spark"]["columns"][at]["canonical"] if at is not None else rf"[!-~&&[^{delimiter}{_escaped(dialect.quote)}]]++"
        if field is None:
            return None
        # An empty line is no row.
        required = layout.width == 1 or (at is not None and plan["columns"][at]["required"])
        fields.append(f"(?:{field})" if required else f"(?:{field})?")
    return f"^{delimiter.join(fields)}\\z"


def with_fields(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Adds `fields`, null for a line that is no record: as found, a quoted one still with its quotes."""
    delimiter, record = _escaped(dialect.delimiter), _Grammar(dialect)
    line = F.col("value")
    parsed = (
        F.when(F.col("canonical"), F.split(line, delimiter, -1))
        .when(F.octet_length(line) > MAX_LINE_BYTES, None)
        .when(~line.contains(dialect.quote), F.split(line, delimiter, -1))
        .when(
            line.rlike(record.whole),
            # Each match takes its delimiter along, so that none is empty: after an empty one Java skips a character.
            F.regexp_extract_all(F.concat(F.lit(dialect.delimiter), line), F.lit(record.field), F.lit(1)),
        )
    )
    return computed_once(lines.withColumn("fields", parsed), "fields")


def with_problem(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Adds `problem`, the reason why a line is no record of `width` fields, null if it is one."""
    line, fields, width = F.col("value"), F.col("fields"), F.col("width")
    bytes_ = line.cast("binary")
    problem = (
        F.when(F.col("canonical"), None)
        .when(F.octet_length(line) > MAX_LINE_BYTES, "malformed_row")
        # Spark keeps the bytes of the file whatever they are; Java replaces what is no UTF-8.
        .when(F.decode(bytes_, "UTF-8") != line, "invalid_encoding")
        .when(F.size(fields) == width, None)
        .when(F.size(fields) < width, F.when(fields.isNotNull(), "too_few_fields").otherwise(_broken(line, dialect)))
        .otherwise("too_many_fields")
    )
    return lines.withColumn("problem", problem)


def original_text(line: Column) -> Column:
    """The text of a rejected line, its beginning if it is too long, with U+FFFD for what is no UTF-8."""
    bytes_ = line.cast("binary")
    kept = (
        F.when(F.octet_length(line) > MAX_LINE_BYTES, F.substring(bytes_, 1, KEPT_OF_LONG_LINE))
        .when(_begins_malformed(line), F.substr(bytes_, F.lit(1), F.octet_length(line) - len(MALFORMED_MARK)))
        .otherwise(bytes_)
    )
    # Java gives one U+FFFD for a surrogate's three bytes where the Unicode Standard, and so the other engine, gives three.
    latin = F.regexp_replace(F.decode(kept, "ISO-8859-1"), "\u00ed(?=[\u00a0-\u00bf])", "\u00ff")
    return F.decode(F.encode(latin, "ISO-8859-1"), "UTF-8")


def with_raw(lines: DataFrame, columns: int, layout: Layout | None, quote: str) -> DataFrame:
    """Adds r0, r1, … of the plan, whatever their order in the file. Without one layout for all, `places` has each line's."""
    names = [f"r{i}" for i in range(columns)]

    def raw(index: int) -> Column:
        if layout is not None and layout.places[index] is None:
            return F.lit(None).cast("string")
        place = F.lit(layout.places[index]) if layout is not None else F.col("places")[index]
        found = F.get(F.col("fields"), place)
        inner = F.replace(F.substr(found, F.lit(2), F.length(found) - 2), F.lit(quote * 2), F.lit(quote))
        # In a record only a quoted field begins with a quote.
        quoted = F.col("value").contains(quote) & found.startswith(quote)
        return F.when(found == "", None).when(F.col("canonical"), found).when(quoted, F.nullif(inner, F.lit(""))).otherwise(found)

    return computed_once(lines.select("*", *(raw(i).alias(name) for i, name in enumerate(names))), *names)


class _Grammar:
    """Regular expressions of a record. All repetitions are possessive: Java recurses over others, and overflows."""

    def __init__(self, dialect: Dialect) -> None:
        d, q = _escaped(dialect.delimiter), _escaped(dialect.quote)
        inside = f"{q}[^{q}]*+(?:{q}{q}[^{q}]*+)*+"
        blanks = "".join(f"\\u{ord(blank):04x}" for blank in dialect.blanks)
        one = f"(?:{inside}{q}|(?![{blanks}]*+{q})[^{d}]*+)"
        self.field = f"(?s){d}({one})"
        self.whole = f"(?s)^{one}(?:{d}{one})*+\\z"
        self.unclosed = f"(?s)^(?:{one}{d})*+{inside}\\z"


def _broken(line: Column, dialect: Dialect) -> Column:
    unclosed = line.rlike(_Grammar(dialect).unclosed) & ~_begins_malformed(line)
    return F.when(unclosed, "unclosed_quote").otherwise("malformed_row")


def _begins_malformed(line: Column) -> Column:
    return line.endswith(MALFORMED_MARK)


def _escaped(char: str) -> str:
    """A character in a regular expression; in this form Java splits by it without one."""
    return char if char.isalnum() or char in "\t " else f"\\{char}"
