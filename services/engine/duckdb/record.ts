import { isUtf8 } from 'node:buffer'
import type { Plan } from '../../../schemas/plan.ts'
import type { RejectReason } from '../../../schemas/report.ts'

/** U+0009-000D, U+0020 and the second byte of U+00A0 in UTF-8, after its first. */
const isBlank = (byte: number | undefined) => byte !== undefined && ((byte >= 9 && byte <= 13) || byte === 32)
const NBSP = [0xc2, 0xa0] as const

/** The one trim class of all engines, for text. */
export const trim = (text: string): string => text.replace(/^[\t-\r \u00a0]+|[\t-\r \u00a0]+$/g, '')

/** Where blanks of the trim class end, from `from` on. A delimiter is no blank, even if it is a tab. */
export function skipBlanks(line: Uint8Array, from: number, delimiter: number): number {
  let at = from
  for (;;) {
    if (isBlank(line[at]) && line[at] !== delimiter) at += 1
    else if (line[at] === NBSP[0] && line[at + 1] === NBSP[1]) at += 2
    else return at
  }
}

export interface Dialect {
  delimiter: number
  quote: number
}
export const dialectOf = ({ source: { delimiter, quote } }: Plan): Dialect => ({
  delimiter: delimiter.charCodeAt(0),
  quote: quote.charCodeAt(0),
})

/**
 * Walks one line by the grammar of RFC 4180: a field that begins with a quote ends at a quote that is not doubled, just before a
 * delimiter or the line's end; in any other field a quote is text like any other.
 * @param onField gets each field's bytes, without quotes around it but with the doubled ones inside, and whether it was quoted
 * @returns the number of fields, or the reason why the line is no record
 */
export function walk(
  line: Uint8Array,
  { delimiter, quote }: Dialect,
  onField?: (bytes: Uint8Array, quoted: boolean) => void,
): number | RejectReason {
  let fields = 0
  let at = 0
  for (;;) {
    fields += 1
    if (line[at] === quote) {
      let close = line.indexOf(quote, at + 1)
      while (close >= 0 && line[close + 1] === quote) close = line.indexOf(quote, close + 2)
      if (close < 0) return 'unclosed_quote'
      onField?.(line.subarray(at + 1, close), true)
      at = close + 1
      if (at < line.length && line[at] !== delimiter) return 'malformed_row'
    } else {
      // Some engines take the quote after blanks for an opening one, some for text: reported, not guessed.
      if (line[skipBlanks(line, at, delimiter)] === quote) return 'malformed_row'
      const end = line.indexOf(delimiter, at)
      onField?.(line.subarray(at, end < 0 ? line.length : end), false)
      at = end < 0 ? line.length : end
    }
    if (at >= line.length) return fields
    at += 1
  }
}

/** Why a line is no record of so many fields, or null if it is one. The careful way: for lines that a quick look does not pass. */
export function rowProblem(line: Uint8Array, dialect: Dialect, expected: number): RejectReason | null {
  if (!isUtf8(line)) return 'invalid_encoding'
  const fields = walk(line, dialect)
  if (typeof fields === 'string') return fields
  if (fields === expected) return null
  return fields < expected ? 'too_few_fields' : 'too_many_fields'
}

/** The trimmed texts of a header line. @returns null for a line that is no record */
export function headerFields(line: Uint8Array, dialect: Dialect): string[] | null {
  const quote = String.fromCharCode(dialect.quote)
  const fields: string[] = []
  const result = walk(line, dialect, (bytes, quoted) => {
    const text = Buffer.from(bytes).toString('utf8')
    fields.push(trim(quoted ? text.replaceAll(quote + quote, quote) : text))
  })
  return typeof result === 'number' ? fields : null
}
