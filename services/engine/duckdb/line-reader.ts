import { type FileHandle, open } from 'node:fs/promises'
import { whenOpen } from './multiline.ts'
import { type Dialect, walk } from './record.ts'

const CHUNK = 1 << 20
const LF = 10

/** Reads chosen lines of a clean file in rising order, forwards only, with one chunk and one line in memory. */
export class LineReader {
  readonly #handle: FileHandle
  readonly #multiline: Dialect | null
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  #next = 1

  private constructor(handle: FileHandle, multiline: Dialect | null) {
    this.#handle = handle
    this.#multiline = multiline
  }
  /**
   * @param skip bytes before the first line
   * @param multiline the dialect, where a record may have several lines: then they count as one
   */
  static async open(file: string, skip = 0, multiline: Dialect | null = null): Promise<LineReader> {
    const handle = await open(file)
    await handle.read(Buffer.alloc(skip), 0, skip)
    return new LineReader(handle, multiline)
  }
  close(): Promise<void> {
    return this.#handle.close()
  }

  /** The text of line `number` (from 1), which must be beyond the last one asked for. */
  async line(number: number): Promise<string> {
    while (this.#next < number) await this.#record(false)
    return (await this.#record(true)).toString('utf8')
  }

  async #record(keep: boolean): Promise<Buffer> {
    const dialect = this.#multiline
    const first = await this.#upToLineEnd(keep || dialect !== null)
    this.#next += 1
    if (!dialect || walk(first, dialect) !== 'unclosed_quote') return first
    const pieces = [first]
    for (let open = true; open; ) {
      const line = await this.#upToLineEnd(true)
      pieces.push(Buffer.of(LF), line)
      open = whenOpen(line, dialect) === 'open'
    }
    return Buffer.concat(pieces)
  }

  async #upToLineEnd(keep: boolean): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (;;) {
      const end = this.#chunk.indexOf(LF, this.#at)
      if (keep) pieces.push(this.#chunk.subarray(this.#at, end < 0 ? this.#chunk.length : end))
      if (end >= 0) {
        this.#at = end + 1
        return Buffer.concat(pieces)
      }
      const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK)
      if (bytesRead === 0) throw new Error(`The clean file has no line ${this.#next}.`)
      this.#chunk = buffer.subarray(0, bytesRead)
      this.#at = 0
    }
  }
}
