import { pipeline, type Readable, Transform } from 'node:stream'
import { checkMark, type Encoding } from './encoding.ts'

type Order = 'le' | 'be'

/** A byte that no UTF-8 has: what is no character makes its line a reject, and no other. */
const NO_CHARACTER = Buffer.from([0xff])
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** A source as UTF-8, whatever its encoding. A byte order mark stays one. @throws RefusedSource through the stream */
export function inUtf8(source: Readable, encoding: Encoding, key: string): Readable {
  if (encoding === 'utf-8') return source
  const transcode = new Transcoder(encoding, key)
  const transform = new Transform({
    transform(chunk: Buffer, _, done) {
      try {
        done(null, transcode.take(chunk))
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      try {
        done(null, transcode.end())
      } catch (error) {
        done(error as Error)
      }
    },
  })
  // The reader of the last stream gets the error of any.
  return pipeline(source, transform, () => undefined)
}

class Transcoder {
  readonly #encoding: Encoding
  readonly #key: string
  #order: Order | null
  #begun = false
  /** Bytes that do not make a character yet. */
  #rest: Buffer = Buffer.alloc(0)

  constructor(encoding: Encoding, key: string) {
    this.#encoding = encoding
    this.#key = key
    this.#order = encoding === 'utf-16be' ? 'be' : encoding === 'utf-16le' ? 'le' : null
  }

  take(chunk: Buffer): Buffer {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    if (!this.#begun && bytes.length < 3) {
      this.#rest = Buffer.from(bytes)
      return Buffer.alloc(0)
    }
    return this.#transcoded(bytes, false)
  }

  end(): Buffer {
    return this.#rest.length > 0 ? this.#transcoded(this.#rest, true) : this.#rest
  }

  #transcoded(bytes: Buffer, last: boolean): Buffer {
    if (!this.#begun) this.#begin(bytes)
    if (this.#encoding === 'latin-1') {
      this.#rest = Buffer.alloc(0)
      return Buffer.from(bytes.toString('latin1'))
    }
    let whole = bytes.length & ~1
    // The second half of the last character may be in the next chunk.
    if (!last && whole > 0 && isHighSurrogate(bytes, whole - 2, this.#order)) whole -= 2
    this.#rest = Buffer.from(bytes.subarray(whole))
    const units = Buffer.from(bytes.subarray(0, whole))
    const text = (this.#order === 'be' ? units.swap16() : units).toString('utf16le')
    const cut = last && this.#rest.length > 0 ? [NO_CHARACTER] : []
    return Buffer.concat([...characters(text), ...cut])
  }

  #begin(bytes: Buffer): void {
    this.#begun = true
    const found = checkMark(bytes, this.#encoding, this.#key)
    this.#order ??= found === 'utf-16be' ? 'be' : 'le'
  }
}

function characters(text: string): Buffer[] {
  if (text.isWellFormed()) return [Buffer.from(text)]
  return text
    .split(LONE_SURROGATE)
    .flatMap((piece, i) => (i === 0 ? [Buffer.from(piece)] : [NO_CHARACTER, Buffer.from(piece)]))
}

const isHighSurrogate = (bytes: Buffer, at: number, order: Order | null) =>
  ((bytes[order === 'be' ? at : at + 1] as number) & 0xfc) === 0xd8
