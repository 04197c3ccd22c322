"""Gap: of a table of JSON, Athena guesses columns and types from the files.

AWS gives the catalog's columns in its types, NULL for what a file lacks, and nothing that the catalog does not name.
Upstream: services/athena.py, `_table_relation` reads such a table by `read_json_auto`. Tables without partitions only:
what has partitions is athena_partitions' to read. One JSON object a line, as the SerDes want it.
"""

from ministack.services import athena
from patching import replace


def apply():
    replace(athena, "_table_relation", ("table_data", "files"), _relation)


def _relation(upstream):
    # By the names of upstream's parameters: athena_partitions looks at them when it wraps this.
    def relation(table_data, files):
        columns = (table_data.get("StorageDescriptor") or {}).get("Columns")
        if athena._data_format(table_data) != "json" or table_data.get("PartitionKeys") or not columns:
            return upstream(table_data, files)
        types = ", ".join(f"{_text(str(column['Name']).lower())}: '{athena._duckdb_type(column)}'" for column in columns)
        return (
            f"read_json({athena._sql_list(files)}, format = 'newline_delimited', columns = {{{types}}}, "
            "hive_partitioning = false)"
        )

    return relation


def _text(value):
    return "'" + value.replace("'", "''") + "'"
