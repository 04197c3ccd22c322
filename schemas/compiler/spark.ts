import { type FormatPiece, formatGrammar, parseFormat } from '../formats.ts'
import type { DialectColumn, PlanColumn } from '../plan.ts'
import { DECIMAL, DOUBLE, decimalFits, decimalInRange, INTEGER } from './grammar.ts'

interface Dialect {
  type: string
  /** True, cheaply, for a text of which `quick` is the value. */
  canonical: string
  quick: string
  /** The value of a text that is not canonical, cast only when the grammar of the type has passed it; else null. */
  careful: string
  /** Reason for text that is not blank and has no value. */
  reason: string
}

/** A string literal: Spark's parser unescapes backslashes. */
const text = (value: string) =>
  `'${value
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}'`
// Java's `$` also matches before a last line end, `\z` nowhere but at the end.
const matches = (sql: string, pattern: string) => `${sql} RLIKE ${text(`^(?:${pattern})\\z`)}`

// U+0009-000D, U+0020, U+00A0: the one trim class of all engines.
const BLANKS = '\t\n\v\f\r \u00a0'
const trimmed = (raw: string) => `trim(BOTH ${text(BLANKS)} FROM ${raw})`
/** `trim` costs more than reading the field: only text with a suspicious edge goes through it. */
const suspiciousEdge = (raw: string) =>
  `${raw} < '!' OR ${raw} >= ${text('\u00a0')} OR substring(${raw}, -1) < '!' OR endswith(${raw}, ${text('\u00a0')})`

export function sparkColumn(column: PlanColumn, index: number): DialectColumn {
  const raw = `r${index}`
  const value = `v${index}`
  const missing = `${raw} IS NULL OR ${trimmed(raw)} = ''`
  const blank = `WHEN ${missing} THEN ${column.required ? "'required_missing'" : 'NULL'}`
  if (column.kind === 'string')
    return {
      type: 'STRING',
      cast: null,
      format: null,
      value: `CASE WHEN ${suspiciousEdge(raw)} THEN nullif(${trimmed(raw)}, '') ELSE ${raw} END`,
      valid: column.required ? `${value} IS NOT NULL` : null,
      reason: `CASE ${blank} END`,
    }
  const { type, canonical, quick, careful, reason } = dialect(column, raw, trimmed(raw))
  return {
    type,
    // A column of casts costs a copy of the whole row between two projections: more than casting twice.
    cast: null,
    format: null,
    value: `CASE WHEN ${canonical} THEN ${quick} WHEN ${raw} IS NOT NULL THEN ${careful} END`,
    valid: column.required
      ? `${value} IS NOT NULL`
      : `CASE WHEN ${value} IS NOT NULL OR ${raw} IS NULL THEN true ELSE ${trimmed(raw)} = '' END`,
    reason: `CASE ${blank} WHEN ${value} IS NULL THEN ${reason} END`,
  }
}

function dialect(column: PlanColumn, raw: string, trim: string): Dialect {
  const attempt = (sql: string, type: string) => `try_cast(${sql} AS ${type})`
  const when = (test: string, type: string) => `CASE WHEN ${test} THEN ${attempt(trim, type)} END`
  switch (column.kind) {
    case 'int':
    case 'bigint': {
      const type = column.kind === 'int' ? 'INT' : 'BIGINT'
      return {
        type,
        canonical: `CAST(${attempt(raw, type)} AS STRING) = ${raw}`,
        quick: attempt(raw, type),
        careful: when(matches(trim, INTEGER), type),
        reason: `CASE WHEN ${matches(trim, INTEGER)} THEN 'out_of_range' ELSE 'not_an_integer' END`,
      }
    }
    case 'decimal': {
      const { precision = 38, scale = 0 } = column
      const type = `DECIMAL(${precision},${scale})`
      const plain = scale > 0 ? `-?[0-9]{1,${precision - scale}}\\.[0-9]{1,${scale}}` : `-?[0-9]{1,${precision}}`
      return {
        type,
        canonical: precision > scale ? matches(raw, plain) : 'false',
        quick: attempt(raw, type),
        careful: when(`${matches(trim, DECIMAL)} AND ${matches(trim, decimalFits(precision, scale))}`, type),
        reason: `CASE WHEN NOT ${matches(trim, DECIMAL)} THEN 'not_a_decimal' WHEN NOT ${matches(trim, decimalInRange(precision, scale))} THEN 'out_of_range' ELSE 'too_precise' END`,
      }
    }
    case 'date':
    case 'timestamp':
      return moment(column.kind, column.formats ?? [], raw, trim)
    case 'boolean':
      return {
        type: 'BOOLEAN',
        canonical: `${raw} IN ('true', 'false')`,
        quick: `${raw} = 'true'`,
        careful: `CASE WHEN lower(${trim}) IN ('true', 'false') THEN lower(${trim}) = 'true' END`,
        reason: `'not_a_boolean'`,
      }
    case 'double': {
      const finite = `abs(${attempt(trim, 'DOUBLE')}) < double('Infinity')`
      return {
        type: 'DOUBLE',
        canonical: 'false',
        quick: attempt(raw, 'DOUBLE'),
        careful: when(`${matches(trim, DOUBLE)} AND ${finite}`, 'DOUBLE'),
        reason: `CASE WHEN ${matches(trim, DOUBLE)} THEN 'out_of_range' ELSE 'not_a_number' END`,
      }
    }
    case 'string':
      throw new Error('A string column has no grammar.')
  }
}

function moment(kind: 'date' | 'timestamp', formats: string[], raw: string, trim: string): Dialect {
  const type = kind === 'date' ? 'DATE' : 'TIMESTAMP_NTZ'
  const [first = ''] = formats
  // ISO text is what Spark's cast reads fastest; a day or an hour that does not exist becomes null.
  const read = (sql: string, format: string) => `try_cast(${isoText(sql, format)} AS ${type})`
  // A text that two formats can read belongs to the earlier.
  const readings = formats.map(
    (format) => `CASE WHEN ${matches(trim, formatGrammar(format))} THEN ${read(trim, format)} END`,
  )
  const careful = `coalesce(${readings.join(', ')})`
  return {
    type,
    canonical: matches(raw, formatGrammar(first)),
    // What is no day by the first format may be one by another.
    quick: formats.length > 1 ? `coalesce(${read(raw, first)}, ${careful})` : read(raw, first),
    careful,
    reason: kind === 'date' ? `'not_a_date'` : `'not_a_timestamp'`,
  }
}

/** A text that the grammar of its format has passed, as `y-M-d` or `y-M-d H:m:s.S`. */
function isoText(sql: string, format: string): string {
  const pieces = parseFormat(format)
  const field = (letter: string) => {
    const place = pieces.findIndex((piece) => 'token' in piece && piece.token.startsWith(letter))
    return place < 0 ? undefined : fieldText(sql, pieces, place)
  }
  const parts: string[] = []
  for (const [letter, before] of [
    ['y', ''],
    ['M', '-'],
    ['d', '-'],
    ['H', ' '],
    ['m', ':'],
    ['s', ':'],
    ['S', '.'],
  ] as const) {
    const found = field(letter)
    if (found === undefined) continue
    if (before) parts.push(text(before))
    parts.push(found)
  }
  return `concat(${parts.join(', ')})`
}

function fieldText(sql: string, pieces: FormatPiece[], place: number): string {
  const separators = new Set(pieces.flatMap((piece) => ('text' in piece ? [piece.text] : [])))
  const [separator = ''] = separators
  const alternating = pieces.every((piece, i) => 'text' in piece === (i % 2 === 1))
  // Cheaper than a second pass of the pattern, and right where nothing but digits is between equal separators.
  if (alternating && separators.size === 1 && separator.length === 1 && !/[0-9]/.test(separator)) {
    const [number, last] = [place / 2 + 1, (pieces.length + 1) / 2]
    const upTo = number === last ? sql : `substring_index(${sql}, ${text(separator)}, ${number})`
    return number === 1 ? upTo : `substring_index(${upTo}, ${text(separator)}, -1)`
  }
  const pattern = pieces.map((piece, i) => {
    const one = formatGrammar('token' in piece ? piece.token : `'${piece.text.replaceAll("'", "''")}'`)
    return i === place ? `(${one})` : one
  })
  return `regexp_extract(${sql}, ${text(`^${pattern.join('')}\\z`)}, 1)`
}
