import type { Plan } from '../../../schemas/plan.ts'
import { MAX_LINE_BYTES } from './cleaner.ts'
import type { Layout } from './header.ts'
import type { Segment } from './prepare.ts'
import { hex, name, text } from './sql.ts'

/**
 * DuckDB's own limit for a dictionary is so high that nearly unique columns get one: a partition of ten thousand rows then takes
 * half as much time and room again. Level 1 of zstd costs less than its default, 3, and on such columns is no larger.
 * @param dictionary distinct values of a row group up to which a column gets one
 */
export const parquet = (dictionary: number) =>
  `FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT ${dictionary}, PARQUET_VERSION v1`
const PARQUET = parquet(3000)

interface Columns {
  /** Names and types in the order of the file. */
  columns: [name: string, type: string][]
  /** Further options of the reader. */
  more?: string[]
}

function readCsv({ source: { delimiter, quote } }: Plan, file: string, { columns, more = [] }: Columns): string {
  const options = [
    'auto_detect = false, header = false',
    `delim = ${text(delimiter)}, quote = ${text(quote)}, escape = ${text(quote)}`,
    `columns = {${columns.map(([name, type]) => `${name}: ${text(type)}`).join(', ')}}`,
    `nullstr = '', strict_mode = true, new_line = '\\n'`,
    `max_line_size = ${2 * MAX_LINE_BYTES}`,
    ...more,
  ]
  return `read_csv(${text(file)}, ${options.join(', ')})`
}

/** r0, r1, … of the plan, and whatever else there is, in the order of the file. */
const inOrder = ({ width, places }: Layout, typeOf: (column: number) => string) =>
  Array.from({ length: width }, (_, place): [string, string] => {
    const column = places.indexOf(place)
    return column >= 0 ? [`r${column}`, typeOf(column)] : [`x${place}`, 'VARCHAR']
  })

/**
 * The rows of canonical values, typed by DuckDB's own reader: on such texts it does as the contract says, three times faster
 * than a cast and a check of each.
 */
function canonicalRows(plan: Plan, layout: Layout, { file }: Segment['clean']): string {
  const { columns } = plan.duckdb
  // The reader has one format for all columns of a kind, and one decimal separator.
  const formats = { date: firstFormat(plan, 'date'), timestamp: firstFormat(plan, 'timestamp') }
  const isTyped = (i: number) => {
    const { kind, decimal } = plan.columns[i] ?? {}
    if (decimal !== undefined) return false
    return kind !== 'date' && kind !== 'timestamp' ? true : columns[i]?.format === formats[kind]
  }
  const typeOf = (i: number) => (isTyped(i) ? (columns[i]?.type ?? '') : 'VARCHAR')
  const more = Object.entries(formats).flatMap(([kind, format]) => (format ? [`${kind}format = ${text(format)}`] : []))
  const values = columns.map(({ type, cast }, i) => {
    const value = layout.places[i] === null ? `CAST(NULL AS ${type})` : isTyped(i) ? `r${i}` : cast
    return `${value} AS ${name(plan.columns[i]?.name ?? '')}`
  })
  return `SELECT ${values.join(', ')} FROM ${readCsv(plan, file, { columns: inOrder(layout, typeOf), more })}`
}

const firstFormat = (plan: Plan, kind: 'date' | 'timestamp') =>
  plan.duckdb.columns[plan.columns.findIndex((column) => column.kind === kind)]?.format

const uniqueColumns = (plan: Plan): number[] => plan.columns.flatMap(({ unique }, i) => (unique ? [i] : []))

/** For each unique column a table of the values that the rows of the segments before have. What memory does not hold is spilled. */
export const createSeen = (plan: Plan): string[] =>
  uniqueColumns(plan).map((i) => `CREATE TEMP TABLE seen${i} (value ${plan.duckdb.columns[i]?.type})`)
/** Adds the values of the odd lines. */
export const addSeen = (plan: Plan): string[] =>
  uniqueColumns(plan).map((i) => `INSERT INTO seen${i} SELECT v${i} FROM odd WHERE NOT u${i}`)
export const dropSeen = (plan: Plan): string[] => uniqueColumns(plan).map((i) => `DROP TABLE IF EXISTS seen${i}`)

/** Adds u<i> for each unique column: whether a row before, of all that are right by themselves, has the value; null for other rows. */
function withRepeats(plan: Plan, rows: string): string {
  const unique = uniqueColumns(plan)
  const repeats = unique.map((i) => {
    const earlier = `row_number() OVER (PARTITION BY broken IS NULL, v${i} ORDER BY line) > 1`
    return `CASE WHEN broken IS NULL AND v${i} IS NOT NULL THEN seen${i}.value IS NOT NULL OR ${earlier} END AS u${i}`
  })
  const joins = unique.map((i) => `LEFT JOIN seen${i} ON seen${i}.value = v${i}`)
  return unique.length === 0
    ? rows
    : `SELECT checked.*, ${repeats.join(', ')} FROM (${rows}) AS checked ${joins.join(' ')}`
}

/**
 * Makes a table of the odd lines, each checked by the plan's expressions: its place; v0, v1, …; and, where a value is wrong,
 * the first column that is (`wrong`), what is found there and the reason.
 */
export function createOdd(plan: Plan, layout: Layout, { file }: Segment['odd']): string {
  const { columns } = plan.duckdb
  const places: [string, string][] = ['line', 'byte', 'size'].map((name) => [name, 'BIGINT'])
  // Where a thread begins it cannot tell whether it is inside of quotes.
  const more = plan.source.multiline ? ['parallel = false'] : []
  const rows = readCsv(plan, file, { columns: [...places, ...inOrder(layout, () => 'VARCHAR')], more })
  const absent = layout.places.flatMap((place, i) => (place === null ? [`CAST(NULL AS VARCHAR) AS r${i}`] : []))
  // Step by step, so that each is computed once.
  const raw = `SELECT ${['*', ...absent].join(', ')} FROM ${rows}`
  const casts = columns.flatMap(({ cast }, i) => (cast === null ? [] : [`${cast} AS c${i}`]))
  const values = columns.map(({ value }, i) => `${value} AS v${i}`)
  const valued = `SELECT *, ${values.join(', ')} FROM (SELECT ${['*', ...casts].join(', ')} FROM (${raw}))`
  const unique = uniqueColumns(plan)
  const checks = columns.flatMap(({ valid, reason }, i) => (valid === null ? [] : [{ valid, reason, i }]))
  const broken = cases(checks.map(({ valid, i }) => `WHEN NOT (${valid}) THEN ${i}`))
  const repeated = cases(unique.map((i) => `WHEN u${i} THEN ${i}`))
  const found = cases(columns.map((_, i) => `WHEN wrong = ${i} THEN ${hex(`r${i}`)}`))
  const reason = cases([
    ...checks.map(({ reason, i }) => `WHEN broken = ${i} THEN ${reason}`),
    `WHEN wrong IS NOT NULL THEN 'not_unique'`,
  ])
  const checked = withRepeats(plan, `SELECT *, CAST(${broken} AS INTEGER) AS broken FROM (${valued})`)
  const kept = [...columns.map((_, i) => `v${i}`), ...unique.map((i) => `u${i}`), 'wrong']
  return `CREATE OR REPLACE TEMP TABLE odd AS
    SELECT line, byte, size, ${kept.join(', ')}, ${found} AS found, ${reason} AS reason
    FROM (SELECT *, CAST(coalesce(broken, ${repeated}) AS INTEGER) AS wrong FROM (${checked}))`
}

const cases = (branches: string[]) => (branches.length > 0 ? `CASE ${branches.join(' ')} END` : 'NULL')

export const selectRejected = `SELECT line, byte, size, wrong, found, reason FROM odd WHERE wrong IS NOT NULL ORDER BY line`
export const dropOdd = `DROP TABLE odd`

/** Writes the rows of which every value is right; of the odd ones, those in the table that `createOdd` has made. */
export function copyAccepted(plan: Plan, layout: Layout, { clean, odd }: Segment, target: string): string {
  const names = plan.columns.map((column, i) => `v${i} AS ${name(column.name)}`).join(', ')
  const rows = [
    ...(clean.lines > 0 ? [canonicalRows(plan, layout, clean)] : []),
    ...(odd.lines > 0 ? [`SELECT ${names} FROM odd WHERE wrong IS NULL`] : []),
  ]
  // Without a row it has the right types all the same: the next stage wakes by it, and clears what an older version left.
  const query = rows.length > 0 ? rows.join(' UNION ALL ') : noRows(plan)
  return `COPY (${query}) TO ${text(target)} (${PARQUET})`
}

const noRows = (plan: Plan) =>
  `SELECT ${plan.columns.map((column, i) => `CAST(NULL AS ${plan.duckdb.columns[i]?.type}) AS ${name(column.name)}`).join(', ')} WHERE false`

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
