import { type FormatPiece, type FormatToken, formatGrammar, parseFormat } from '../formats.ts'
import type { Plan, PlanColumn, SparkColumn } from '../plan.ts'
import { DECIMAL, DOUBLE, decimalFits, decimalInRange, INTEGER } from './grammar.ts'
import { plainNumber } from './number-format.ts'
import { plainNumbers } from './plain-numbers.ts'
import { plainYears, rangePattern } from './plain-years.ts'
import { both, rulesOf } from './rules.ts'

interface Dialect {
  type: string
  /** A pattern of texts of which `quick` is the value, null where there is none. */
  canonical: string | null
  /** What such a text can have in it besides digits. */
  letters: string
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

export function sparkColumn(column: PlanColumn, index: number, source: Plan['source']): SparkColumn {
  const raw = `r${index}`
  const value = `v${index}`
  const missing = `${raw} IS NULL OR ${trimmed(raw)} = ''`
  const blank = `WHEN ${missing} THEN ${column.required ? "'required_missing'" : 'NULL'}`
  if (column.kind === 'string') {
    const rules = rulesOf(column, value, text)
    return {
      type: 'STRING',
      canonical: column.oneOf ? listed(column.oneOf, source) : trimmedText(source),
      quick: raw,
      value: `CASE WHEN ${suspiciousEdge(raw)} THEN nullif(${trimmed(raw)}, '') ELSE ${raw} END`,
      valid: both(column.required ? `${value} IS NOT NULL` : null, rules),
      reason: `CASE ${blank} ${rules?.cases ?? ''} END`,
    }
  }
  const { type, canonical, letters, quick, careful, reason } = dialect(column, raw, trimmed(raw))
  const plain = [source.delimiter, source.quote].some((char) => letters.includes(char)) ? null : canonical
  const rules = rulesOf(column, value, (limit) => `CAST(${text(limit)} AS ${type})`)
  return {
    type,
    canonical: plain,
    quick,
    // Most texts of a row that is not canonical are.
    value: `CASE ${plain ? `WHEN ${matches(raw, plain)} THEN ${quick} ` : ''}WHEN ${raw} IS NOT NULL THEN ${careful} END`,
    valid: both(
      column.required
        ? `${value} IS NOT NULL`
        : `CASE WHEN ${value} IS NOT NULL OR ${raw} IS NULL THEN true ELSE ${trimmed(raw)} = '' END`,
      rules,
    ),
    reason: `CASE ${blank} WHEN ${value} IS NULL THEN ${reason} ${rules?.cases ?? ''} END`,
  }
}

/**
 * Words with single blanks between them: no trim would shorten that. What is no UTF-8 reads as U+FFFD. Characters are named one by
 * one, since Java looks those up in a table and tries ranges in turn.
 */
function trimmedText({ delimiter, quote }: Plan['source']): string {
  const controls = Array.from({ length: 33 }, (_, code) => code)
  const others = [...controls, 127, 160, delimiter.charCodeAt(0), quote.charCodeAt(0)]
  const word = `[^${others.map((code) => `\\x${code.toString(16).padStart(2, '0')}`).join('')}\\x{fffd}]++`
  return delimiter === ' ' ? word : `${word}(?: ${word})*+`
}

/** One of the texts of a list, without those that would need quotes. */
function listed(texts: string[], { delimiter, quote }: Plan['source']): string | null {
  const plain = texts.filter((one) => !one.includes(delimiter) && !one.includes(quote))
  return plain.length === 0 ? null : plain.map((one) => one.replace(/[!-/:-@[-`{-~]/g, '\\$&')).join('|')
}

/** Digits of which the value is plainly within the limits of its column. */
function plainDigits(column: PlanColumn, digits: number): string | null {
  const numbers = plainNumbers(column, digits)
  if (!numbers) return null
  const { least, most, negative } = numbers
  return `${negative ? '-?' : ''}${least > 0 ? `[1-9][0-9]{${least - 1},${most - 1}}+` : `[0-9]{1,${most}}+`}`
}

function dialect(column: PlanColumn, raw: string, trimmedRaw: string): Dialect {
  const trim = plainNumber(column, trimmedRaw, { text, matches })
  const { decimal = '.' } = column
  const pointed = decimal === '.' ? raw : `replace(${raw}, ${text(decimal)}, '.')`
  const attempt = (sql: string, type: string) => `try_cast(${sql} AS ${type})`
  const when = (test: string, type: string) => `CASE WHEN ${test} THEN ${attempt(trim, type)} END`
  switch (column.kind) {
    case 'int':
    case 'bigint': {
      const type = column.kind === 'int' ? 'INT' : 'BIGINT'
      return {
        type,
        canonical: column.oneOf ? column.oneOf.join('|') : plainDigits(column, column.kind === 'int' ? 9 : 18),
        letters: '-',
        quick: attempt(raw, type),
        careful: when(matches(trim, INTEGER), type),
        reason: `CASE WHEN ${matches(trim, INTEGER)} THEN 'out_of_range' ELSE 'not_an_integer' END`,
      }
    }
    case 'decimal': {
      const { precision = 38, scale = 0 } = column
      const type = `DECIMAL(${precision},${scale})`
      const digits = plainDigits(column, precision - scale)
      return {
        type,
        canonical: digits && scale > 0 ? `${digits}(?:\\${decimal}[0-9]{1,${scale}}+)?+` : digits,
        letters: `-${decimal}`,
        quick: attempt(pointed, type),
        careful: when(`${matches(trim, DECIMAL)} AND ${matches(trim, decimalFits(precision, scale))}`, type),
        reason: `CASE WHEN NOT ${matches(trim, DECIMAL)} THEN 'not_a_decimal' WHEN NOT ${matches(trim, decimalInRange(precision, scale))} THEN 'out_of_range' ELSE 'too_precise' END`,
      }
    }
    case 'date':
    case 'timestamp':
      return moment(column, column.kind, raw, trim)
    case 'boolean':
      return {
        type: 'BOOLEAN',
        canonical: 'true|false',
        letters: 'truefals',
        quick: `${raw} = 'true'`,
        careful: `CASE WHEN lower(${trim}) IN ('true', 'false') THEN lower(${trim}) = 'true' END`,
        reason: `'not_a_boolean'`,
      }
    case 'double': {
      const finite = `abs(${attempt(trim, 'DOUBLE')}) < double('Infinity')`
      return {
        type: 'DOUBLE',
        canonical: null,
        letters: '',
        // -0 is 0: a parquet dictionary takes the one for the other.
        quick: `${attempt(pointed, 'DOUBLE')} + 0D`,
        careful: `${when(`${matches(trim, DOUBLE)} AND ${finite}`, 'DOUBLE')} + 0D`,
        reason: `CASE WHEN ${matches(trim, DOUBLE)} THEN 'out_of_range' ELSE 'not_a_number' END`,
      }
    }
    case 'string':
      throw new Error('A string column has no grammar.')
  }
}

function moment(column: PlanColumn, kind: 'date' | 'timestamp', raw: string, trim: string): Dialect {
  const formats = column.formats ?? []
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
    canonical: canonicalMoment(first, plainYears(column)),
    letters: parseFormat(first)
      .map((piece) => ('text' in piece ? piece.text : ''))
      .join(''),
    quick: read(raw, first),
    careful,
    reason: kind === 'date' ? `'not_a_date'` : `'not_a_timestamp'`,
  }
}

const ANY_DAY: Partial<Record<FormatToken, string>> = {
  yyyy: '(?!0000)[0-9]{4}',
  HH: '(?:[01][0-9]|2[0-3])',
  H: '(?:1[0-9]|2[0-3]|0?[0-9])',
  mm: '[0-5][0-9]',
  ss: '[0-5][0-9]',
}
/** Months by their length, with the days that they have every year. */
const MONTHS_AND_DAYS: Partial<Record<FormatToken, string>>[] = [
  {
    MM: '(?:0[13578]|1[02])',
    M: '(?:1[02]|0?[13578])',
    dd: '(?:0[1-9]|[12][0-9]|3[01])',
    d: '(?:[12][0-9]|3[01]|0?[1-9])',
  },
  { MM: '(?:0[469]|11)', M: '(?:11|0?[469])', dd: '(?:0[1-9]|[12][0-9]|30)', d: '(?:[12][0-9]|30|0?[1-9])' },
  { MM: '02', M: '0?2', dd: '(?:0[1-9]|1[0-9]|2[0-8])', d: '(?:1[0-9]|2[0-8]|0?[1-9])' },
]
function canonicalMoment(format: string, years: ReturnType<typeof plainYears>): string | null {
  if (years && years.first > years.last) return null
  const year = years && { yyyy: rangePattern(years.first, years.last) }
  const of = (tokens: Partial<Record<FormatToken, string>>) =>
    parseFormat(format).map((piece) => {
      if ('text' in piece) return formatGrammar(`'${piece.text.replaceAll("'", "''")}'`)
      return { ...ANY_DAY, ...year, ...tokens }[piece.token] ?? formatGrammar(piece.token)
    })
  return MONTHS_AND_DAYS.map((tokens) => of(tokens).join('')).join('|')
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
