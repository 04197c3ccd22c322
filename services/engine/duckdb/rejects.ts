import { type FileHandle, open } from 'node:fs/promises'
import type { Reject, RejectReason, SourceReport } from '../../../schemas/report.ts'

const EXAMPLES = 20
const EXAMPLE_CHARS = 500
const FLUSH_CHARS = 1 << 20

export interface RejectedRow extends Reject {
  line: number
  original: string
}

/** Rejects of one source on their way to parquet: newline-delimited JSON on disk, and what the report says about them. */
export class RejectLog {
  static readonly columns = {
    line: 'BIGINT',
    column_name: 'VARCHAR',
    value: 'VARCHAR',
    reason: 'VARCHAR',
    original: 'VARCHAR',
  } as const
  readonly file: string
  count = 0
  readonly #handle: FileHandle
  readonly #reasons = new Map<string, SourceReport['reasons'][number]>()
  #examples: Reject[] = []
  #pending: string[] = []
  #chars = 0
  #written: Promise<unknown> = Promise.resolve()

  private constructor(file: string, handle: FileHandle) {
    this.file = file
    this.#handle = handle
  }
  static async create(file: string): Promise<RejectLog> {
    return new RejectLog(file, await open(file, 'w'))
  }

  /** Takes rows of any order. Call `flush` now and then: until then they are in memory. */
  add({ line, column, value, reason, original }: RejectedRow): void {
    this.count += 1
    const row = JSON.stringify({ line, column_name: column, value, reason, original })
    this.#pending.push(row)
    this.#chars += row.length
    this.#tally(column, reason)
    if (this.#examples.length < EXAMPLES || line < (this.#examples.at(-1)?.line ?? 0)) {
      this.#examples.push({ line, column, value: value && shorten(value), reason })
      this.#examples = this.#examples.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)).slice(0, EXAMPLES)
    }
  }

  async flush(force = true): Promise<void> {
    if (this.#pending.length === 0 || (!force && this.#chars < FLUSH_CHARS)) return
    const rows = `${this.#pending.join('\n')}\n`
    this.#pending = []
    this.#chars = 0
    // One after the other: the source is still being read while its rows are checked.
    this.#written = this.#written.then(() => this.#handle.appendFile(rows))
    await this.#written
  }

  async close(): Promise<void> {
    await this.flush()
    await this.#handle.close()
  }

  /** The first rejects of the file. */
  get examples(): Reject[] {
    return this.#examples
  }
  get reasons(): SourceReport['reasons'] {
    return [...this.#reasons.values()].sort((a, b) => b.rows - a.rows)
  }

  #tally(column: string | null, reason: RejectReason): void {
    const key = JSON.stringify([reason, column])
    const seen = this.#reasons.get(key)
    if (seen) seen.rows += 1
    else this.#reasons.set(key, { reason, column, rows: 1 })
  }
}

const shorten = (value: string) => (value.length > EXAMPLE_CHARS ? `${value.slice(0, EXAMPLE_CHARS)}…` : value)
