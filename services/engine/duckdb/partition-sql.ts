import type { Plan } from '../../../schemas/plan.ts'
import { parquet } from './convert-sql.ts'
import { anyText, hex, name, text } from './sql.ts'

const list = (files: string[]) => `[${files.map(text).join(', ')}]`
const read = (files: string[]) => `read_parquet(${list(files)}, union_by_name = true)`
/** The text of the partition value; an empty one is no value, as in Hive. */
const value = (plan: Plan) => `nullif(CAST(files.${name(plan.partitionBy)} AS VARCHAR), '')`

/** The distinct values, in an order that does not depend on the engine's threads. */
export const partitionValues = (plan: Plan, files: string[]): string =>
  `SELECT ${hex('value')} AS value FROM (SELECT DISTINCT ${value(plan)} AS value FROM ${read(files)} AS files) AS distinct_values ORDER BY distinct_values.value NULLS FIRST`

/** The names of the columns that files have. */
export const columnsOf = (files: string[]): string => `SELECT DISTINCT name FROM parquet_schema(${list(files)})`

/** The plan's columns but the partition's. Files that are older than a column lack it. */
function columns(plan: Plan, found: Input['found']): string {
  const all = plan.columns.map((column, i) => {
    const sql = found.has(column.name)
      ? `files.${name(column.name)}`
      : `CAST(NULL AS ${plan.duckdb.columns[i]?.type}) AS ${name(column.name)}`
    return column.name === plan.partitionBy ? [] : [sql]
  })
  return all.flat().join(', ')
}

interface Input {
  files: string[]
  /** Columns that some file has. */
  found: Set<string>
}

/**
 * Writes the rows of these values, one file each, in folders by the value's index: a value as such would be encoded in the
 * folder's name, and not as Hive does it.
 */
export function copyPartitions(plan: Plan, { files, found }: Input, values: (string | null)[], out: string): string {
  const ids = values.map((one, id) => `(${anyText(one)}, ${id})`)
  return `COPY (
      SELECT ${columns(plan, found)}, ids.id AS "~partition"
      FROM ${read(files)} AS files JOIN (VALUES ${ids.join(', ')}) AS ids(value, id)
        ON ${value(plan)} IS NOT DISTINCT FROM ids.value
    ) TO ${text(out)} (${parquet(1000)}, PARTITION_BY ("~partition"), OVERWRITE_OR_IGNORE)`
}

/** The files written below a folder: the index of the value and the rows, as the files' own footers say. */
export const partitionRows = (out: string): string =>
  `SELECT file_name AS file, regexp_extract(file_name, '~partition=([0-9]+)', 1) AS id, CAST(num_rows AS DOUBLE) AS rows
   FROM parquet_file_metadata(${text(`${out}/*/*.parquet`)})`
