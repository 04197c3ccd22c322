import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { ZipBytes } from '../../unzip/bytes.ts'

const CHUNK = 256 * 1024

/** A zip on disk, for the reader that the unzip stage uses. What the disk throws is no fault of the zip. */
export class LocalZip implements ZipBytes {
  readonly #file: FileHandle
  #failure: { error: unknown } | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }
  static async open(path: string): Promise<LocalZip> {
    return new LocalZip(await open(path))
  }
  close(): Promise<void> {
    return this.#file.close()
  }

  throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }

  async read(start: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#file.read(bytes, filled, length - filled, start + filled).catch((error) => {
        this.#failure ??= { error }
        throw error
      })
      if (bytesRead === 0) throw new Error(`Expected ${length} bytes at ${start}, found ${filled}`)
      filled += bytesRead
    }
    return bytes
  }

  stream(start: number, length: number): Readable {
    return Readable.from(this.#chunks(start, start + length), { objectMode: false })
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += CHUNK) yield await this.read(at, Math.min(CHUNK, end - at))
  }
}
