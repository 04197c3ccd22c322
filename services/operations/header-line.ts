import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** No header is longer: a longer line is a reject. */
const MOST_BYTES = 1_000_000
const LF = 10
const CR = 13

const isBlank = (text: string) => /^[\t-\r \u00a0]*$/.test(text)

/** Where the line ends that begins at `from`, or -1 where its end is not there yet. */
function lineEnd(bytes: Buffer, from: number, quote: number | undefined): number {
  let quoted = false
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === quote) quoted = !quoted
    else if (!quoted && (bytes[at] === LF || bytes[at] === CR)) return at
  }
  return -1
}

/** The first line that is not blank, of what has been read; undefined where more has to be read. */
function firstLine(bytes: Buffer, quote: number | undefined, whole: boolean): string | undefined {
  let from = bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0
  for (;;) {
    const end = lineEnd(bytes, from, quote)
    if (end < 0) return whole && from < bytes.length ? bytes.toString('utf8', from) : undefined
    const line = bytes.toString('utf8', from, end)
    if (!isBlank(line)) return line
    from = end + 1
  }
}

export type HeaderOptions = {
  /** Inflates the source first. */
  gzip?: boolean
  /** Where one record may have several lines, the quote that holds a line break. */
  quote?: string | undefined
  /** Whether the stream's end is the source's: a line without an end is then a line. @default true */
  whole?: boolean
}

/**
 * The header line of a source: its first line that is not blank, without a byte order mark. Reads no more than it needs.
 * @returns undefined for a source that has none, or none in what there is of it
 */
export async function headerLine(
  source: Readable,
  { gzip = false, quote, whole = true }: HeaderOptions = {},
): Promise<string | undefined> {
  const inflated = gzip ? pipeline(source, createGunzip(), () => undefined) : source
  const code = quote?.charCodeAt(0)
  let bytes = Buffer.alloc(0)
  try {
    for await (const chunk of inflated as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, chunk])
      const line = firstLine(bytes, code, false)
      if (line !== undefined) return line
      if (bytes.length > MOST_BYTES) return undefined
    }
    return whole ? firstLine(bytes, code, true) : undefined
  } catch (error) {
    // Only zlib's own errors have codes that begin so: what was cut off is no gzip file, and has no line that ends.
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) return undefined
    throw error
  } finally {
    source.destroy()
  }
}
