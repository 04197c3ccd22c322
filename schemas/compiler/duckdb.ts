import { type FormatToken, formatGrammar, parseFormat } from '../formats.ts'
import type { DuckDbColumn, PlanColumn } from '../plan.ts'
import { DECIMAL, DOUBLE, decimalFits, decimalInRange, INTEGER } from './grammar.ts'
import { plainNumber } from './number-format.ts'
import { both, rulesOf } from './rules.ts'

interface Dialect {
  type: string
  /** The cast of any text. `c` stands for its result. */
  attempt: string
  /** True, cheaply, for a text that `c` prints exactly so. Such text is valid, so no grammar need see it. */
  canonical: string
  /** The value of a text that is not canonical, cast only when the grammar of the type has passed it; else null. */
  careful: string
  /** Reason for text that is not blank and has no value. */
  reason: string
}

const text = (value: string) => `'${value.replaceAll("'", "''")}'`
const matches = (sql: string, pattern: string) => `regexp_full_match(${sql}, ${text(pattern)})`

// U+0009-000D, U+0020, U+00A0: the one trim class of all engines.
const BLANKS = `(chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || ' ' || chr(160))`
const trimmed = (raw: string) => `trim(${raw}, ${BLANKS})`
/** `trim` costs more than reading the field: only text with a suspicious edge goes through it. */
const suspiciousEdge = (raw: string) =>
  `${raw} < '!' OR ${raw} >= chr(160) OR ${[9, 10, 11, 12, 13, 32, 160].map((c) => `ends_with(${raw}, chr(${c}))`).join(' OR ')}`

export function duckdbColumn(column: PlanColumn, index: number): DuckDbColumn {
  const raw = `r${index}`
  const value = `v${index}`
  const missing = `${raw} IS NULL OR ${trimmed(raw)} = ''`
  const blank = `WHEN ${missing} THEN ${column.required ? "'required_missing'" : 'NULL'}`
  if (column.kind === 'string') {
    const rules = rulesOf(column, value, text)
    return {
      type: 'VARCHAR',
      cast: null,
      format: null,
      value: `CASE WHEN ${suspiciousEdge(raw)} THEN nullif(${trimmed(raw)}, '') ELSE ${raw} END`,
      valid: both(column.required ? `${value} IS NOT NULL` : null, rules),
      reason: `CASE ${blank} ${rules?.cases ?? ''} END`,
    }
  }
  const { type, attempt, canonical, careful, reason } = dialect(column, raw, trimmed(raw), `c${index}`)
  const rules = rulesOf(column, value, (limit) => `CAST(${text(limit)} AS ${type})`)
  return {
    type,
    cast: attempt,
    format: column.formats?.[0] === undefined ? null : translate(column.formats[0], STRPTIME),
    value: `CASE WHEN ${canonical} THEN c${index} WHEN ${raw} IS NOT NULL THEN ${careful} END`,
    valid: both(
      column.required
        ? `${value} IS NOT NULL`
        : `CASE WHEN ${value} IS NOT NULL OR ${raw} IS NULL THEN true ELSE ${trimmed(raw)} = '' END`,
      rules,
    ),
    reason: `CASE ${blank} WHEN ${value} IS NULL THEN ${reason} ${rules?.cases ?? ''} END`,
  }
}

function dialect(column: PlanColumn, raw: string, trimmedRaw: string, cast: string): Dialect {
  const trim = plainNumber(column, trimmedRaw, { text, matches })
  const when = (test: string, type: string) => `CASE WHEN ${test} THEN TRY_CAST(${trim} AS ${type}) END`
  const { decimal } = column
  const pointed = decimal ? `replace(${raw}, ${text(decimal)}, '.')` : raw
  const print = `CAST(${cast} AS VARCHAR)`
  const printed = `${decimal ? `replace(${print}, '.', ${text(decimal)})` : print} = ${raw}`
  switch (column.kind) {
    case 'int':
    case 'bigint': {
      const type = column.kind === 'int' ? 'INTEGER' : 'BIGINT'
      return {
        type,
        attempt: `TRY_CAST(${raw} AS ${type})`,
        canonical: printed,
        careful: when(matches(trim, INTEGER), type),
        reason: `CASE WHEN ${matches(trim, INTEGER)} THEN 'out_of_range' ELSE 'not_an_integer' END`,
      }
    }
    case 'decimal': {
      const { precision = 38, scale = 0 } = column
      const type = `DECIMAL(${precision},${scale})`
      return {
        type,
        attempt: `TRY_CAST(${pointed} AS ${type})`,
        canonical: printed,
        careful: when(`${matches(trim, DECIMAL)} AND ${matches(trim, decimalFits(precision, scale))}`, type),
        reason: `CASE WHEN NOT ${matches(trim, DECIMAL)} THEN 'not_a_decimal' WHEN NOT ${matches(trim, decimalInRange(precision, scale))} THEN 'out_of_range' ELSE 'too_precise' END`,
      }
    }
    case 'date':
    case 'timestamp':
      return moment(column.kind, column.formats ?? [], raw, trim, cast)
    case 'boolean':
      return {
        type: 'BOOLEAN',
        attempt: `${raw} = 'true'`,
        canonical: `${raw} IN ('true', 'false')`,
        careful: `CASE WHEN lower(${trim}) IN ('true', 'false') THEN lower(${trim}) = 'true' END`,
        reason: `'not_a_boolean'`,
      }
    case 'double':
      return {
        type: 'DOUBLE',
        // -0 is 0: a parquet dictionary takes the one for the other.
        attempt: `TRY_CAST(${pointed} AS DOUBLE) + 0`,
        canonical: `isfinite(${cast}) AND ${printed}`,
        careful: `${when(`${matches(trim, DOUBLE)} AND isfinite(TRY_CAST(${trim} AS DOUBLE))`, 'DOUBLE')} + 0`,
        reason: `CASE WHEN ${matches(trim, DOUBLE)} THEN 'out_of_range' ELSE 'not_a_number' END`,
      }
    case 'string':
      throw new Error('A string column has no grammar.')
  }
}

const STRPTIME: Record<FormatToken, string> = {
  yyyy: '%Y',
  MM: '%m',
  M: '%m',
  dd: '%d',
  d: '%d',
  HH: '%H',
  H: '%H',
  mm: '%M',
  ss: '%S',
  SSS: '%g',
  SSSSSS: '%f',
}
const STRFTIME: Record<FormatToken, string> = { ...STRPTIME, M: '%-m', d: '%-d', H: '%-H' }

const translate = (format: string, tokens: Record<FormatToken, string>) =>
  parseFormat(format)
    .map((piece) => ('token' in piece ? tokens[piece.token] : piece.text.replaceAll('%', '%%')))
    .join('')

function moment(kind: 'date' | 'timestamp', formats: string[], raw: string, trim: string, cast: string): Dialect {
  const type = kind === 'date' ? 'DATE' : 'TIMESTAMP'
  const parse = (sql: string, format: string) => `try_strptime(${sql}, ${text(translate(format, STRPTIME))})`
  const [first = ''] = formats
  // A text that two formats can read belongs to the earlier.
  const readings = formats.map(
    (format) => `CASE WHEN ${matches(trim, formatGrammar(format))} THEN ${parse(trim, format)} END`,
  )
  return {
    type,
    attempt: `CAST(${parse(raw, first)} AS ${type})`,
    // strptime takes years outside 0001 to 9999, which the grammar does not.
    canonical: `strftime(${cast}, ${text(translate(first, STRFTIME))}) = ${raw} AND ${cast} >= ${type} '0001-01-01' AND ${cast} < ${type} '10000-01-01'`,
    careful: `CAST(coalesce(${readings.join(', ')}) AS ${type})`,
    reason: kind === 'date' ? `'not_a_date'` : `'not_a_timestamp'`,
  }
}
