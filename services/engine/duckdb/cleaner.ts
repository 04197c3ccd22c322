import { isUtf8 } from 'node:buffer'
import type { Plan } from '../../../schemas/plan.ts'
import type { RejectReason } from '../../../schemas/report.ts'
import { RefusedSource } from '../refused.ts'
import { checkMark, headerText } from './encoding.ts'
import { type Layout, matchHeader } from './header.ts'
import { Joiner, lineEnds } from './multiline.ts'
import { OddLines } from './odd-lines.ts'
import { type Dialect, dialectOf, headerFields, rowProblem, skipBlanks } from './record.ts'
import type { RejectLog } from './rejects.ts'
import { ACCEPT, FAIL, type RowAutomaton, rowAutomaton } from './row-automaton.ts'

/** A longer line, or record of several lines, is a reject. DuckDB is told twice that. */
export const MAX_LINE_BYTES = 1_000_000
const KEPT_OF_LONG_LINE = 10_000
const LF = 10
const CR = 13

export interface Prepared {
  layout: Layout
  /** Data rows of the source: lines that are not blank, without the header. */
  rowsIn: number
}

/**
 * Turns blocks of a source into blocks of the clean file, in place. A line whose values are all canonical stays where it is; any
 * other record goes to the odd lines, and a line that is no record to the rejects.
 */
export class Cleaner {
  readonly odd: OddLines
  readonly #plan: Plan
  readonly #key: string
  readonly #rejects: RejectLog
  readonly #dialect: Dialect
  readonly #joiner: Joiner | null
  #layout: Layout | undefined
  #automaton: RowAutomaton | undefined
  #bytes = 0
  #line = 0
  #rows = 0
  #clean = 0
  #inLongLine = false
  /** How a long line begins of which nothing but blanks has been seen. */
  #blanks: string | null = null

  constructor(plan: Plan, key: string, rejects: RejectLog) {
    this.#plan = plan
    this.#key = key
    this.#rejects = rejects
    this.#dialect = dialectOf(plan)
    this.#joiner = plan.source.multiline ? new Joiner(this.#dialect, MAX_LINE_BYTES) : null
    this.odd = new OddLines(plan.source.delimiter)
  }

  /** Lines in the clean file so far. */
  get clean(): number {
    return this.#clean
  }
  /** Known once the header has been read. */
  get layout(): Layout | undefined {
    return this.#layout
  }

  result(): Prepared {
    if (!this.#layout)
      throw new RefusedSource(
        'empty_file',
        `${this.#key} has no header line: it is empty. Land it again with its header.`,
      )
    return { layout: this.#layout, rowsIn: this.#rows }
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
    const utf8 = isUtf8(bytes.subarray(start, Math.min(lines, end)))
    const joiner = this.#joiner
    joiner?.give(bytes, lines, end, last)
    let taken = Math.min(lines, end)
    let kept = 0
    let runStart = start
    const moveRun = (to: number) => {
      if (kept !== runStart) bytes.copyWithin(kept, runStart, to)
      kept += to - runStart
    }
    while (start < lines) {
      const stop = this.#canonicalEnd(bytes, start, utf8)
      let end = stop < 0 ? lineEnd(bytes, start) : stop
      let broken: RejectReason | null = null
      let further = 0
      if (stop < 0 && joiner && !this.#inLongLine) {
        const joined = joiner.join(start, end)
        if (joined === 'more' && start > 0) {
          taken = start
          break
        }
        if (typeof joined === 'number') {
          further = lineEnds(bytes.subarray(start, joined))
          end = joined
        } else if (joined === 'malformed_row') broken = joined
      }
      const crlf = bytes[end] === CR && end + 1 < lines && bytes[end + 1] === LF
      const next = crlf ? end + 2 : end + 1
      this.#line += 1
      if (stop >= 0) {
        this.#rows += 1
        this.#clean += 1
        bytes[end] = LF
        if (crlf) {
          moveRun(end + 1)
          runStart = next
        }
      } else {
        moveRun(start)
        runStart = next
        this.#odd(bytes.subarray(start, end), broken)
        this.#line += further
      }
      start = next
    }
    moveRun(start)
    this.#bytes -= Math.min(lines, end) - taken
    return { taken, kept }
  }

  /** Skips the byte order mark. */
  #begin(bytes: Buffer, end: number): number {
    if (end >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b)
      throw new RefusedSource(
        'not_a_csv',
        `${this.#key} begins as a gzip file does, and its name does not say so. Land it with a name that ends in .csv.gz.`,
      )
    // Of another encoding it is UTF-8 by now.
    return checkMark(bytes.subarray(0, end), 'utf-8', this.#key) === 'utf-8' ? 3 : 0
  }

  /** Where a line of canonical values ends, or -1 for any other. There must be a line end. */
  #canonicalEnd(bytes: Buffer, start: number, utf8: boolean): number {
    if (!this.#automaton || this.#inLongLine) return -1
    const { kinds, next, start: before } = this.#automaton
    let state = before
    let at = start
    while (state > ACCEPT) state = next[state + (kinds[bytes[at++] as number] as number)] as number
    if (state === FAIL || at - 1 - start > MAX_LINE_BYTES) return -1
    return utf8 || isUtf8(bytes.subarray(start, at - 1)) ? at - 1 : -1
  }

  /** The careful look at a line. @param broken what is wrong with the record that it would begin with the lines after it */
  #odd(line: Buffer, broken: RejectReason | null = null): void {
    if (this.#inLongLine) {
      this.#restOfLongLine(line)
      this.#inLongLine = false
      this.#blanks = null
      return
    }
    if (this.#isBlank(line)) return
    if (!this.#layout) {
      this.#layout = this.#header(line)
      this.#automaton = rowAutomaton(this.#plan, this.#layout)
      return
    }
    this.#rows += 1
    const long = line.length > MAX_LINE_BYTES
    const problem = long ? 'malformed_row' : rowProblem(line, this.#dialect, this.#layout.width)
    if (problem === null) {
      this.odd.add(this.#line, line)
      return
    }
    const reason = problem === 'unclosed_quote' && broken ? broken : problem
    const original = line.toString('utf8', 0, long ? KEPT_OF_LONG_LINE : line.length)
    this.#rejects.add({ line: this.#line, column: null, value: null, reason, original })
  }

  #header(line: Buffer): Layout {
    const text = headerText(line, this.#plan.source.encoding, this.#key)
    const fields = headerFields(line, this.#dialect) ?? [text]
    return matchHeader(fields, text, this.#plan, this.#key)
  }

  /** A line that fills the block: its beginning is judged. */
  #longLine(bytes: Buffer, end: number): number {
    // A CR at the end may be the line's own.
    const taken = bytes[end - 1] === CR ? end - 1 : end
    this.#bytes -= end - taken
    const line = bytes.subarray(0, taken)
    this.#line += 1
    if (this.#inLongLine) this.#restOfLongLine(line)
    else {
      if (this.#layout && this.#isBlank(line)) this.#blanks = line.toString('utf8', 0, KEPT_OF_LONG_LINE)
      this.#odd(line)
    }
    this.#line -= 1
    this.#inLongLine = true
    return taken
  }

  /** Belongs to no row, but may show that the line is not blank. */
  #restOfLongLine(line: Buffer): void {
    if (this.#blanks === null || this.#isBlank(line)) return
    this.#rows += 1
    const original = this.#blanks
    this.#rejects.add({ line: this.#line, column: null, value: null, reason: 'malformed_row', original })
    this.#blanks = null
  }

  #isBlank(line: Buffer): boolean {
    return skipBlanks(line, 0, this.#dialect.delimiter) >= line.length
  }
}

/** Where the line ends that begins at `from`. There must be a line end. */
function lineEnd(bytes: Buffer, from: number): number {
  let at = from
  while (bytes[at] !== LF && bytes[at] !== CR) at += 1
  return at
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
