import { open } from 'node:fs/promises'
import type { WrongRow } from './convert-sql.ts'
import { recordEnd } from './multiline.ts'
import { type Dialect, walk } from './record.ts'

const CHUNK = 4 * 1024 ** 2
const LF = 10

export interface WrongLine extends WrongRow {
  /** In the clean file, from 1. */
  ordinal: number
  text: string
}

/**
 * Where wrong rows are in the clean file. DuckDB's parallel pass knows their fields and not their places; but lines of the
 * same fields are all right or all wrong, so finding the fields is finding the rows.
 * @param skip bytes before the first line
 * @param multiline whether a record may have several lines: then they count as one
 */
export async function wrongLines(
  file: string,
  rows: WrongRow[],
  dialect: Dialect,
  skip: number,
  multiline = false,
): Promise<WrongLine[]> {
  const found: WrongLine[] = []
  const wanted = new Wanted(rows, dialect)
  const handle = await open(file)
  try {
    let buffer = Buffer.allocUnsafe(CHUNK)
    let filled = 0
    let at = skip
    let ordinal = 0
    for (;;) {
      if (filled === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)])
      const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, at)
      if (bytesRead === 0) return found
      at += bytesRead
      filled += bytesRead
      const bytes = buffer.subarray(0, filled)
      let start = 0
      let quote = bytes.indexOf(dialect.quote)
      for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
        if (quote >= 0 && quote < start) quote = bytes.indexOf(dialect.quote, start)
        const quoted = quote >= 0 && quote < end
        if (quoted && multiline) end = recordEnd(bytes, start, end, dialect)
        if (end < 0) break
        ordinal += 1
        const row = wanted.look(bytes, start, end, quoted)
        if (row) found.push({ ...row, ordinal, text: bytes.toString('utf8', start, end) })
        start = end + 1
      }
      buffer.copyWithin(0, start, filled)
      filled -= start
    }
  } finally {
    await handle.close()
  }
}

class Wanted {
  readonly #dialect: Dialect
  /** Marks of the lines that are worth making a text of. */
  readonly #marks = new Set<number>()
  readonly #byText = new Map<string, WrongRow>()
  readonly #byFields = new Map<string, WrongRow>()

  constructor(rows: WrongRow[], dialect: Dialect) {
    this.#dialect = dialect
    const [delimiter, quote] = [String.fromCharCode(dialect.delimiter), String.fromCharCode(dialect.quote)]
    for (const row of rows) {
      this.#byFields.set(JSON.stringify(row.fields), row)
      // With either of them inside a field, the line has a quote.
      if (row.fields.some((field) => field.includes(delimiter) || field.includes(quote))) continue
      const text = row.fields.join(delimiter)
      const bytes = Buffer.from(text)
      this.#byText.set(text, row)
      this.#marks.add(mark(bytes, 0, bytes.length))
    }
  }

  look(bytes: Buffer, start: number, end: number, quoted: boolean): WrongRow | undefined {
    if (quoted) return this.#byFields.get(JSON.stringify(fieldsOf(bytes.subarray(start, end), this.#dialect)))
    if (!this.#marks.has(mark(bytes, start, end))) return undefined
    return this.#byText.get(bytes.toString('utf8', start, end))
  }
}

/** Differs for most lines that differ, and looks at a few bytes only. */
function mark(bytes: Buffer, start: number, end: number): number {
  let sum = end - start
  for (let i = Math.max(start, end - 12); i < end; i++) sum = (Math.imul(sum, 31) + (bytes[i] as number)) | 0
  return sum
}

function fieldsOf(line: Buffer, dialect: Dialect): string[] {
  const quote = String.fromCharCode(dialect.quote)
  const fields: string[] = []
  walk(line, dialect, (field, quoted) => {
    const text = Buffer.from(field).toString('utf8')
    fields.push(quoted ? text.replaceAll(quote + quote, quote) : text)
  })
  return fields
}
