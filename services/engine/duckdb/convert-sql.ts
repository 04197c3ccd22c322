import type { Plan } from '../../../schemas/plan.ts'
import { MAX_LINE_BYTES } from './cleaner.ts'
import type { Layout } from './header.ts'
import { fromHex, hex, name, text } from './sql.ts'

/** Without it the optimizer moves the check below the projection, and computes every value twice. */
export const NO_FILTER_PUSHDOWN = `SET disabled_optimizers = 'filter_pushdown'`

/**
 * DuckDB's own limit for a dictionary is so high that nearly unique columns get one: a partition of ten thousand rows then takes
 * half as much time and room again. Level 1 of zstd costs less than its default, 3, and on such columns is no larger.
 * @param dictionary distinct values of a row group up to which a column gets one
 */
export const parquet = (dictionary: number) =>
  `FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT ${dictionary}, PARQUET_VERSION v1`
const PARQUET = parquet(3000)

/** Where DuckDB keeps what `copyAccepted` finds wrong, until `forgetWrong`. */
export const KEEP_LOG = `CALL enable_logging(level = 'info')`
const LOG = 'landfall_wrong'
export const selectWrong = `SELECT message FROM duckdb_logs WHERE type = ${text(LOG)}`
export const forgetWrong = `CALL truncate_duckdb_logs()`

/** The clean file as text: columns r0, r1, … of the plan, whatever their order in the file. */
function rawRows(plan: Plan, layout: Layout, file: string): string {
  const places = Array.from({ length: layout.width }, (_, place) => {
    const column = layout.places.indexOf(place)
    return `${column >= 0 ? `r${column}` : `x${place}`}: 'VARCHAR'`
  })
  const absent = layout.places.flatMap((place, column) =>
    place === null ? [`CAST(NULL AS VARCHAR) AS r${column}`] : [],
  )
  const { delimiter, quote, multiline } = plan.source
  // Where a thread begins it cannot tell whether it is inside of quotes.
  const threads = multiline ? ', parallel = false' : ''
  const read = `read_csv(${text(file)}, auto_detect = false, header = false, delim = ${text(delimiter)}, quote = ${text(quote)}, escape = ${text(quote)}, columns = {${places.join(', ')}}, nullstr = '', strict_mode = true, new_line = '\\n', max_line_size = ${2 * MAX_LINE_BYTES}${threads})`
  return `SELECT ${['*', ...absent].join(', ')} FROM ${read}`
}

/** In two steps, so that each cast is computed once. */
function withValues(plan: Plan, rows: string): string {
  const casts = plan.duckdb.columns.flatMap(({ cast }, i) => (cast === null ? [] : [`${cast} AS c${i}`]))
  const values = plan.duckdb.columns.map(({ value }, i) => `${value} AS v${i}`)
  return `SELECT *, ${values.join(', ')} FROM (SELECT ${['*', ...casts].join(', ')} FROM (${rows}))`
}

const output = (plan: Plan) => plan.columns.map((column, i) => `v${i} AS ${name(column.name)}`).join(', ')

/**
 * Writes the rows of which every value is right, and each of the others to the log, where `selectWrong` finds them: in the
 * same pass, since a second one would take as long as the first.
 */
export function copyAccepted(plan: Plan, layout: Layout, file: string, target: string): string {
  const columns = plan.duckdb.columns.flatMap(({ valid }, i) => (valid === null ? [] : [{ valid, i }]))
  const filled = columns.map(({ i }) => `v${i} IS NOT NULL`).join(' AND ')
  const valid = columns.map(({ valid }) => `(${valid})`).join(' AND ')
  const log = `write_log(${wrongRow(plan, layout)}, level := 'info', log_type := ${text(LOG)})`
  // The log's answer, whatever it is, must be asked for and count for nothing.
  const where =
    columns.length > 0
      ? `WHERE CASE WHEN ${filled} THEN true WHEN ${valid} THEN true ELSE length(coalesce(${log}, '')) < 0 END`
      : ''
  return `COPY (SELECT ${output(plan)} FROM (${withValues(plan, rawRows(plan, layout, file))}) ${where}) TO ${text(target)} (${PARQUET})`
}

/** A wrong row in one text, for `parseWrong`: first wrong column, reason, and the fields as they are in the file. */
function wrongRow(plan: Plan, layout: Layout): string {
  const columns = plan.duckdb.columns.flatMap((column, i) => (column.valid === null ? [] : [{ ...column, i }]))
  const first = (pick: (column: { i: number; reason: string }) => string | number) =>
    `CASE ${columns.map((column) => `WHEN NOT (${column.valid}) THEN ${pick(column)}`).join(' ')} END`
  const fields = Array.from({ length: layout.width }, (_, place) => {
    const column = layout.places.indexOf(place)
    return `coalesce(${hex(column >= 0 ? `r${column}` : `x${place}`)}, '')`
  })
  return `concat_ws(',', ${first(({ i }) => i)}, ${first(({ reason }) => reason)}, ${fields.join(', ')})`
}

export interface WrongRow {
  /** The first wrong column, by its place in the plan. */
  column: number
  reason: string
  /** In the file's order; empty where there is nothing. */
  fields: string[]
}

export function parseWrong(message: string): WrongRow {
  const [column, reason = '', ...fields] = message.split(',')
  return { column: Number(column), reason, fields: fields.map((field) => fromHex(field) ?? '') }
}

/** Writes a file of the right types without a row: the next stage wakes by it, and clears what an older version left. */
export function copyNothing(plan: Plan, target: string): string {
  const columns = plan.columns.map(
    (column, i) => `CAST(NULL AS ${plan.duckdb.columns[i]?.type}) AS ${name(column.name)}`,
  )
  return `COPY (SELECT ${columns.join(', ')} WHERE false) TO ${text(target)} (${PARQUET})`
}

/**
 * The other rows: `n`, the line in the clean file; `i`, the first wrong column; its `value` as found and the `reason`.
 * The numbering costs a second, ordered pass over the file: for when the log of the first one does not suffice.
 */
export function selectRejected(plan: Plan, layout: Layout, file: string): string {
  const columns = plan.duckdb.columns.flatMap((column, i) => (column.valid === null ? [] : [{ ...column, i }]))
  const wrong = columns.map(({ valid, i }) => `WHEN NOT (${valid}) THEN ${i}`).join(' ')
  const pick = (sql: (column: { i: number; reason: string }) => string) =>
    `CASE i ${columns.map((column) => `WHEN ${column.i} THEN ${sql(column)}`).join(' ')} END`
  const numbered = `SELECT row_number() OVER () AS n, * FROM (${rawRows(plan, layout, file)})`
  return `SELECT n, i, ${hex(pick(({ i }) => `r${i}`))} AS value, ${pick(({ reason }) => reason)} AS reason
    FROM (SELECT *, CASE ${wrong} END AS i FROM (${withValues(plan, numbered)})) WHERE i IS NOT NULL ORDER BY n`
}

export function copyRejects(
  columns: Record<string, string>,
  file: string,
  target: string,
  constants: Record<string, string>,
): string {
  const types = Object.entries(columns).map(([column, type]) => `${column}: '${type}'`)
  const fixed = Object.entries(constants).map(([column, value]) => `${text(value)} AS ${column}`)
  // The longest line, each of its characters escaped.
  const read = `read_json(${text(file)}, format = 'newline_delimited', columns = {${types.join(', ')}}, maximum_object_size = ${16 * MAX_LINE_BYTES})`
  return `COPY (SELECT ${[...fixed, ...Object.keys(columns)].join(', ')} FROM ${read} ORDER BY line) TO ${text(target)} (${PARQUET})`
}

/** Rows of parquet files as their own footers say. */
export const countRows = (files: string[]): string =>
  `SELECT CAST(coalesce(sum(num_rows), 0) AS DOUBLE) AS rows FROM parquet_file_metadata([${files.map(text).join(', ')}])`
