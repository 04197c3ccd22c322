"""Gap: Athena loses the precision of DECIMAL(p,s) and prints a small decimal as `0E-7`, a timestamp without millis.

Upstream: services/athena.py, `_duckdb_type` cuts the type at "("; `_datum_text` is `str(value)`.
"""

import datetime
import decimal
import re

from ministack.services import athena
from patching import replace

_DECIMAL = re.compile(r"decimal\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?", re.IGNORECASE)


def apply():
    replace(athena, "_duckdb_type", ("column",), _duckdb_type)
    replace(athena, "_datum_text", ("value",), _datum_text)


def _duckdb_type(original):
    def duckdb_type(column):
        found = _DECIMAL.fullmatch(str(column.get("Type", "")).strip())
        # Hive's decimal without precision is decimal(10,0).
        return f"DECIMAL({found[1] or 10},{found[2] or 0})" if found else original(column)

    return duckdb_type


def _datum_text(original):
    def datum_text(value):
        if isinstance(value, decimal.Decimal):
            return format(value, "f")
        if isinstance(value, datetime.datetime):
            return value.isoformat(" ", "milliseconds")
        return original(value)

    return datum_text
