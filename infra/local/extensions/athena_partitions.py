"""Gap: Athena reads everything under a table's location and takes partition values from the path, if the case matches.

AWS reads the objects of the *registered* partitions only, takes the values from the catalog, and gives the catalog's
columns, in its types, whatever a file's own look like. Upstream: services/athena.py, `_rewrite_data_paths` calls
`_materialize_table_files(location)` and then `_table_relation(table, files)`. Here the first puts off its work, the
second knows the table: without partition keys upstream does both, with them this file does. Parquet only, others are
refused in words. Differences between DuckDB's SQL and Trino's remain (`/` on integers, avg of a decimal).
"""

import os
import tempfile

from ministack.services import athena, glue, s3
from patching import replace
from s3_location import split_location

NULL_VALUE = "__HIVE_DEFAULT_PARTITION__"


class _Later:
    def __init__(self, location, workdirs):
        self.location = location
        self.workdirs = workdirs


def apply():
    copy_all = athena._materialize_table_files
    replace(athena, "_materialize_table_files", ("location", "workdirs"), lambda _: _Later)
    replace(athena, "_table_relation", ("table_data", "files"), lambda upstream: _relation(upstream, copy_all))


def _relation(upstream, copy_all):
    def relation(table, later):
        if not table.get("PartitionKeys"):
            files = copy_all(later.location, later.workdirs)
            return upstream(table, files) if files else athena._empty_relation(table)
        if athena._data_format(table) != "parquet":
            raise ValueError(f"Table {table['Name']}: only partitioned tables of parquet can be read on a laptop.")
        files = _copy_registered(table, later.workdirs)
        return _typed(table, files) if files else athena._empty_relation(table)

    return relation


def _copy_registered(table, workdirs):
    """[(path of a copy, the values of its partition)]"""
    files = []
    root = tempfile.mkdtemp(prefix="ministack-athena-")
    workdirs.append(root)
    for partition in glue._partitions.get(f"{table['DatabaseName']}/{table['Name']}", []):
        bucket, prefix = split_location(partition["StorageDescriptor"]["Location"])
        objects = (s3._buckets.get(bucket) or {"objects": {}})["objects"]
        for key in sorted(key for key in list(objects) if key.startswith(prefix)):
            data = None if key.endswith("/") or athena._hidden(key[len(prefix) :]) else s3._get_object_data(bucket, key)
            if data:
                path = os.path.join(root, f"{len(files)}.parquet")
                with open(path, "wb") as copy:
                    copy.write(data)
                files.append((path, partition["Values"]))
    return files


def _typed(table, files):
    """The catalog's columns over the files; the empty first branch stands for columns that no file has."""
    columns = table["StorageDescriptor"]["Columns"]
    keys = table["PartitionKeys"]
    nothing = ", ".join(f"CAST(NULL AS {athena._duckdb_type(column)}) AS {_name(column)}" for column in columns)
    paths = ", ".join(_text(path) for path, _ in files)
    rows = ", ".join(f"({_text(path)}, {', '.join(_value(value) for value in values)})" for path, values in files)
    names = ", ".join(f'"k{i}"' for i in range(len(keys)))
    data = [f"CAST(d.{_name(column)} AS {athena._duckdb_type(column)}) AS {_name(column)}" for column in columns]
    data += [f'CAST(p."k{i}" AS {athena._duckdb_type(key)}) AS {_name(key)}' for i, key in enumerate(keys)]
    return (
        f"(SELECT {', '.join(data)} FROM ("
        f"SELECT {nothing}, CAST(NULL AS VARCHAR) AS __path WHERE FALSE UNION ALL BY NAME "
        f"SELECT * FROM read_parquet([{paths}], union_by_name = true, hive_partitioning = false, filename = '__path')"
        f") d JOIN (VALUES {rows}) p(__file, {names}) ON d.__path = p.__file)"
    )


def _name(column):
    return '"' + str(column["Name"]).lower().replace('"', '""') + '"'


def _text(value):
    return "'" + value.replace("'", "''") + "'"


def _value(value):
    return "NULL" if value == NULL_VALUE else _text(value)
