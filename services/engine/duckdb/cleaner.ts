import { isUtf8 } from 'node:buffer'
import type { Plan } from '../../../schemas/plan.ts'
import type { RejectReason } from '../../../schemas/report.ts'
import { RefusedSource } from '../refused.ts'
import { type Layout, matchHeader } from './header.ts'
import { LineNumbers } from './line-numbers.ts'
import { Joiner, lineEnds } from './multiline.ts'
import { type Dialect, headerFields, rowProblem, skipBlanks } from './record.ts'
import type { RejectLog } from './rejects.ts'

/** A longer line, or record of several lines, is a reject. DuckDB is told twice that. */
export const MAX_LINE_BYTES = 1_000_000
const KEPT_OF_LONG_LINE = 10_000
const LF = 10
const CR = 13
const DELIMITER = 1
const QUOTE = 2
const LINE_END = 3

export interface Prepared {
  layout: Layout
  /** Data rows of the source: lines that are not blank, without the header. */
  rowsIn: number
  /** Of these, the lines in the clean file. */
  clean: number
  lineNumbers: LineNumbers
}

/** Turns blocks of a source into blocks of the clean file, in place. */
export class Cleaner {
  readonly #plan: Plan
  readonly #key: string
  readonly #rejects: RejectLog
  readonly #dialect: Dialect
  readonly #joiner: Joiner | null
  readonly #bytesThatCount = { kinds: new Uint8Array(256), highest: 0 }
  readonly #lineNumbers = new LineNumbers()
  #layout: Layout | undefined
  #bytes = 0
  #line = 0
  #rows = 0
  #clean = 0
  #inLongLine = false

  constructor(plan: Plan, key: string, rejects: RejectLog) {
    this.#plan = plan
    this.#key = key
    this.#rejects = rejects
    this.#dialect = { delimiter: plan.source.delimiter.charCodeAt(0), quote: plan.source.quote.charCodeAt(0) }
    this.#joiner = plan.source.multiline ? new Joiner(this.#dialect, MAX_LINE_BYTES) : null
    const { delimiter, quote } = this.#dialect
    const { kinds } = this.#bytesThatCount
    kinds[delimiter] = DELIMITER
    kinds[quote] = QUOTE
    kinds[LF] = LINE_END
    kinds[CR] = LINE_END
    this.#bytesThatCount.highest = Math.max(delimiter, quote, CR)
  }

  /** Lines in the clean file so far. */
  get clean(): number {
    return this.#clean
  }
  /** Known once the header has been read. */
  get layout(): Layout | undefined {
    return this.#layout
  }
  /** Which line of the source each clean line so far was. */
  get lineNumbers(): LineNumbers {
    return this.#lineNumbers
  }

  result(): Prepared {
    if (!this.#layout)
      throw new RefusedSource(
        'empty_file',
        `${this.#key} has no header line: it is empty. Land it again with its header.`,
      )
    return { layout: this.#layout, rowsIn: this.#rows, clean: this.#clean, lineNumbers: this.#lineNumbers }
  }

  /** Handles the complete lines in `bytes` up to `end`, and leaves those to keep at its start, `kept` bytes long. */
  block(bytes: Buffer, end: number, last: boolean): { taken: number; kept: number } {
    let start = this.#bytes === 0 ? this.#begin(bytes, end) : 0
    this.#bytes += end
    const lines = completeLines(bytes, end, last)
    if (lines === 0 && !last) return { taken: this.#longLine(bytes, end), kept: 0 }
    this.#bytes -= end - Math.min(lines, end)
    if (this.#bytes > this.#plan.limits.maxBytes)
      throw new RefusedSource(
        'too_large',
        `${this.#key} holds more than ${this.#plan.limits.maxBytes} bytes, the limit of the contract of ${this.#plan.dataset} (limits.maxBytes). Split it, or raise the limit.`,
      )
    const { kinds, highest } = this.#bytesThatCount
    const utf8 = isUtf8(bytes.subarray(start, Math.min(lines, end)))
    let expected = this.#layout ? this.#layout.width - 1 : -1
    let delimiters = 0
    let quoted = false
    let runStart = start
    let kept = 0
    let taken = Math.min(lines, end)
    const joiner = this.#joiner
    joiner?.give(bytes, lines, end, last)
    const moveRun = (to: number) => {
      if (kept !== runStart) bytes.copyWithin(kept, runStart, to)
      kept += to - runStart
    }
    for (let i = start; i < lines; i++) {
      let byte = bytes[i] as number
      // Most bytes are higher than all that count, and the last one of `lines` is a line end.
      while (byte > highest) byte = bytes[++i] as number
      const kind = kinds[byte]
      if (kind === DELIMITER) delimiters += 1
      else if (kind === QUOTE) quoted = true
      else if (kind === LINE_END) {
        let broken: RejectReason | null = null
        let further = 0
        if (quoted && joiner !== null && !this.#inLongLine) {
          const joined = joiner.join(start, i)
          if (joined === 'more' && start > 0) {
            taken = start
            break
          }
          if (typeof joined === 'number') {
            further = lineEnds(bytes.subarray(start, joined))
            i = joined
            byte = bytes[i] as number
          } else if (joined === 'malformed_row') broken = joined
        }
        const crlf = byte === CR && i + 1 < lines && bytes[i + 1] === LF
        const next = crlf ? i + 2 : i + 1
        this.#line += 1
        const plain = utf8 && !quoted && delimiters > 0 && !this.#inLongLine && i - start <= MAX_LINE_BYTES
        const isRecord = (plain && delimiters === expected) || this.#isRecord(bytes.subarray(start, i), broken)
        this.#line += further
        if (isRecord) {
          this.#rows += 1
          this.#clean += 1
          if (crlf) {
            moveRun(i)
            bytes[kept++] = LF
            runStart = next
          } else bytes[i] = LF
          if (further > 0) this.#lineNumbers.gap(this.#clean + 1, this.#line + 1)
        } else {
          expected = this.#layout ? this.#layout.width - 1 : -1
          moveRun(start)
          runStart = next
          this.#lineNumbers.gap(this.#clean + 1, this.#line + 1)
        }
        start = next
        i = next - 1
        delimiters = 0
        quoted = false
      }
    }
    moveRun(start)
    this.#bytes -= Math.min(lines, end) - taken
    return { taken, kept }
  }

  /** Skips the byte order mark. */
  #begin(bytes: Buffer, end: number): number {
    if (end >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)))
      throw new RefusedSource(
        'wrong_encoding',
        `${this.#key} is UTF-16; the contract expects UTF-8. Save it as UTF-8 and land it again.`,
      )
    return end >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  }

  /**
   * The careful look at a line.
   * @param broken what is wrong with the record that it would begin with the lines after it
   * @returns whether it belongs into the clean file; if not, it is seen to
   */
  #isRecord(line: Buffer, broken: RejectReason | null = null): boolean {
    if (this.#inLongLine) {
      this.#inLongLine = false
      return false
    }
    if (skipBlanks(line, 0, this.#dialect.delimiter) >= line.length) return false
    if (!this.#layout) {
      this.#layout = this.#header(line)
      return false
    }
    const long = line.length > MAX_LINE_BYTES
    const problem = long ? 'malformed_row' : rowProblem(line, this.#dialect, this.#layout.width)
    if (problem === null) return true
    const reason = problem === 'unclosed_quote' && broken ? broken : problem
    this.#rows += 1
    const original = line.toString('utf8', 0, long ? KEPT_OF_LONG_LINE : line.length)
    this.#rejects.add({ line: this.#line, column: null, value: null, reason, original })
    return false
  }

  #header(line: Buffer): Layout {
    if (!isUtf8(line))
      throw new RefusedSource(
        'wrong_encoding',
        `Header of ${this.#key} is not UTF-8, which the contract expects. Save it as UTF-8 and land it again.`,
      )
    const text = line.toString('utf8')
    const fields = headerFields(line, this.#dialect) ?? [text]
    return matchHeader(fields, text, this.#plan, this.#key)
  }

  /** A line that fills the block: its beginning is judged, the rest of it belongs to no row. */
  #longLine(bytes: Buffer, end: number): number {
    if (!this.#inLongLine) {
      this.#line += 1
      this.#isRecord(bytes.subarray(0, end))
      this.#line -= 1
      this.#inLongLine = true
    }
    return end
  }
}

/** Where the last line that has an end ends. The last line of a file gets one if it has none. */
function completeLines(bytes: Buffer, end: number, last: boolean): number {
  if (last) {
    if (end === 0 || bytes[end - 1] === LF || bytes[end - 1] === CR) return end
    bytes[end] = LF
    return end + 1
  }
  // Whether an LF belongs to the CR before it is known only when it is there.
  let at = bytes[end - 1] === CR ? end - 1 : end
  while (at > 0 && bytes[at - 1] !== LF && bytes[at - 1] !== CR) at -= 1
  return at
}
