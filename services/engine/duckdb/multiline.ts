import { type Dialect, walk } from './record.ts'

const LF = 10
const CR = 13

/** Where the line end of a record of several lines begins; or why the line that begins it stands alone; or `more`: the bytes do not tell yet. */
export type Joined = number | 'unclosed_quote' | 'malformed_row' | 'more'

/**
 * Joins a line whose quote is open at its end with the lines after it, up to the one at whose end the record is complete.
 * What the lines after it are does not depend on the line that opened the quote: so none is looked at twice, however many
 * before it turn out to stand alone.
 */
export class Joiner {
  readonly #dialect: Dialect
  readonly #longest: number
  #bytes: Uint8Array = Buffer.alloc(0)
  #lines = 0
  #filled = 0
  #last = false
  // Lines that begin from #from up to #next, without the latter, leave a quote open that was open before them.
  #from = 0
  #next = 0
  /** What the line at #next is instead, if that is known, and where it ends. */
  #found: { is: 'complete' | 'malformed_row'; end: number } | null = null

  /** @param longest bytes that a record of several lines may have */
  constructor(dialect: Dialect, longest: number) {
    this.#dialect = dialect
    this.#longest = longest
  }

  /** @param lines where the last complete line ends, `filled` where the bytes do, and `last` that no others follow */
  give(bytes: Uint8Array, lines: number, filled: number, last: boolean): void {
    this.#bytes = bytes
    this.#lines = lines
    this.#filled = filled
    this.#last = last
    this.#from = 0
    this.#next = 0
    this.#found = null
  }

  /** @returns null for a line that is not to be joined. Lines must be asked for in their order */
  join(start: number, end: number): Joined | null {
    if (end - start > this.#longest) return null
    if (walk(this.#bytes.subarray(start, end), this.#dialect) !== 'unclosed_quote') return null
    const second = afterLineEnd(this.#bytes, end)
    if (second < this.#from || second > this.#next) {
      this.#from = second
      this.#next = second
      this.#found = null
    }
    while (!this.#found && this.#next < this.#lines && this.#next - start <= this.#longest) this.#look()
    if (this.#found) {
      const { is, end } = this.#found
      if (end - start > this.#longest) return 'unclosed_quote'
      return is === 'complete' ? end : is
    }
    // The last byte may be the CR that ends the record.
    const all = this.#last || this.#next < this.#lines || this.#filled - 1 - start > this.#longest
    return all ? 'unclosed_quote' : 'more'
  }

  #look(): void {
    const end = lineEnd(this.#bytes, this.#next)
    const is = whenOpen(this.#bytes.subarray(this.#next, end), this.#dialect)
    if (is === 'open') this.#next = afterLineEnd(this.#bytes, end)
    else this.#found = { is, end }
  }
}

/** What a line is that begins inside of quotes. */
export function whenOpen(line: Uint8Array, dialect: Dialect): 'complete' | 'malformed_row' | 'open' {
  const { quote } = dialect
  if (line.indexOf(quote) < 0) return 'open'
  const opened = new Uint8Array(line.length + 1)
  opened[0] = quote
  opened.set(line, 1)
  const fields = walk(opened, dialect)
  if (typeof fields === 'number') return 'complete'
  return fields === 'malformed_row' ? fields : 'open'
}

/** How many lines end in a record before its own end. */
export function lineEnds(record: Uint8Array): number {
  let count = 0
  for (let at = lineEnd(record, 0); at < record.length; at = lineEnd(record, afterLineEnd(record, at))) count += 1
  return count
}

function lineEnd(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at += 1
  return at
}

const afterLineEnd = (bytes: Uint8Array, end: number) =>
  bytes[end] === CR && bytes[end + 1] === LF ? end + 2 : end + 1
