import { type FileHandle, open } from 'node:fs/promises'

const CHUNK = 1 << 20
const LF = 10

/** Reads chosen lines of a file in rising order, forwards only, with one chunk and one line in memory. */
export class LineReader {
  readonly #handle: FileHandle
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  #next = 1

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }
  /** @param skip bytes before the first line */
  static async open(file: string, skip = 0): Promise<LineReader> {
    const handle = await open(file)
    await handle.read(Buffer.alloc(skip), 0, skip)
    return new LineReader(handle)
  }
  close(): Promise<void> {
    return this.#handle.close()
  }

  /** The text of line `number` (from 1), which must be beyond the last one asked for. */
  async line(number: number): Promise<string> {
    while (this.#next < number) await this.#upToLineEnd(false)
    return this.#upToLineEnd(true)
  }

  async #upToLineEnd(keep: boolean): Promise<string> {
    const pieces: Buffer[] = []
    for (;;) {
      const end = this.#chunk.indexOf(LF, this.#at)
      if (keep) pieces.push(this.#chunk.subarray(this.#at, end < 0 ? this.#chunk.length : end))
      if (end >= 0) {
        this.#at = end + 1
        this.#next += 1
        return keep ? Buffer.concat(pieces).toString('utf8') : ''
      }
      const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK)
      if (bytesRead === 0) throw new Error(`The clean file has no line ${this.#next}.`)
      this.#chunk = buffer.subarray(0, bytesRead)
      this.#at = 0
    }
  }
}
