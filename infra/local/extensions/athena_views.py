"""Gap: a view in the Glue catalog cannot be queried.

Athena keeps a view as a VIRTUAL_VIEW whose ViewOriginalText is `/* Presto View: <JSON in base64> */`. Upstream:
services/athena.py, `_rewrite_data_paths` finds no data below it and leaves its name in the query, where DuckDB does not
know it. Here the name becomes the view's SQL first, also within views; a name without a database is there one of the
view's own. Differences between DuckDB's SQL and Trino's remain, as in any query.
"""

import base64
import json
import re

from ministack.services import athena, glue
from patching import replace

_TEXT = re.compile(r"/\* Presto View: (\S+) \*/")
# A view that names itself would never end.
_DEEPEST = 16


def apply():
    replace(athena, "_rewrite_data_paths", ("query", "database", "catalog"), _expanding)


def _expanding(upstream):
    async def rewrite(query, database, catalog=None):
        return await upstream(_expand(query, database), database, catalog)

    return rewrite


def _expand(query, database, depth=0):
    """The query with the SQL of views in the place of their names; below the top, every name gets its database."""
    edits = []
    for ref in athena._table_references(query):
        name = f"{ref.database or database or 'default'}/{ref.table}"
        table = glue._tables.get(name)
        if not table or (ref.catalog or "").lower() not in ("", "awsdatacatalog"):
            continue
        relation = _sql_of(table, depth) if table.get("TableType") == "VIRTUAL_VIEW" else None
        if relation is None and depth == 0:
            continue
        alias = "" if ref.aliased else f" AS {_quoted(ref.table)}"
        edits.append((ref.start, ref.end, (relation or ".".join(map(_quoted, name.split("/")))) + alias))
        if relation and not ref.aliased:
            edits.extend(athena._qualified_column_prefixes(query, table["DatabaseName"], ref.table, edits[-1]))
    for start, end, replacement in sorted(set(edits), reverse=True):
        query = query[:start] + replacement + query[end:]
    return query


def _sql_of(table, depth):
    found = _TEXT.fullmatch((table.get("ViewOriginalText") or "").strip())
    if not found:
        raise ValueError(f"View {table['Name']}: only views as Athena makes them can be read on a laptop.")
    if depth == _DEEPEST:
        raise ValueError(f"View {table['Name']}: views are nested more than {_DEEPEST} deep.")
    view = json.loads(base64.b64decode(found[1]))
    return f"({_expand(view['originalSql'], view.get('schema'), depth + 1)})"


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'
