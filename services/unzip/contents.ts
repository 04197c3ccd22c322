import { pipeline, type Readable } from 'node:stream'
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib'
import type { ZipBytes } from './bytes.ts'
import type { Planned } from './directory.ts'
import { shown, type ZipRefusal, ZipRefused } from './refusals.ts'
import type { ZipSource } from './zip-reader.ts'

/** As large as a chunk of the HTTP client. */
const CHUNK = 64 * 1024
const AGAIN = 'Make the zip again and land it again.'
/** Deflate packs nothing smaller than to a 1,032nd. */
const LEAST_OF_4_GIB = 2 ** 32 / 1032
const MAC =
  "Make the zip again and land it again: macOS's Archive Utility declares members above 4 GiB so, zip does not."

/**
 * The member's bytes; ends only if their CRC and number are as declared, and all packed bytes were needed for them. No more
 * than declared is ever given.
 */
export async function* contents(reader: ZipBytes, zip: ZipSource, member: Planned): AsyncGenerator<Buffer> {
  const { entry, name, dataAt } = member
  const refused = (code: ZipRefusal, found: string, advice = AGAIN) =>
    new ZipRefused(code, `Member ${shown(name)} of ${zip.key} ${found}. ${advice}`, name)
  const source = reader.stream(dataAt, entry.packedBytes)
  const inflate = entry.method === 0 ? undefined : inflated(source)
  let [bytes, crc] = [0, 0]
  try {
    for await (const chunk of (inflate ?? source) as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > entry.bytes)
        throw refused(
          'size_mismatch',
          `holds at least ${bytes} bytes, and declares ${entry.bytes}`,
          entry.packedBytes > LEAST_OF_4_GIB ? MAC : AGAIN,
        )
      crc = crc32(chunk, crc)
      yield chunk
    }
  } catch (error) {
    reader.throwFailure()
    if (!isDamage(error)) throw error
    throw refused('corrupt_member', `cannot be inflated (${error.message}) after ${bytes} of its ${entry.bytes} bytes`)
  } finally {
    // Inflating may end before its input does, and then waits for ever for someone to take the rest.
    source.destroy()
  }
  reader.throwFailure()
  if (bytes < entry.bytes) throw refused('size_mismatch', `holds ${bytes} bytes, and declares ${entry.bytes}`)
  if (inflate && inflate.bytesWritten < entry.packedBytes) {
    const found = `ends after ${inflate.bytesWritten} of its ${entry.packedBytes} packed bytes; the others belong to nothing`
    throw refused('size_mismatch', found)
  }
  if (crc !== entry.crc32)
    throw refused('crc_mismatch', `is damaged: its CRC is ${hex(crc)}, and ${hex(entry.crc32)} is declared`)
}

function inflated(source: Readable): InflateRaw {
  const inflate = createInflateRaw({ chunkSize: CHUNK })
  // What goes wrong is thrown to whoever reads the inflated bytes.
  pipeline(source, inflate, () => {})
  return inflate
}

/** By zlib's own codes: `Z_DATA_ERROR`, `Z_BUF_ERROR` and so on. */
const isDamage = (error: unknown): error is Error =>
  error instanceof Error && /^Z_/.test((error as NodeJS.ErrnoException).code ?? '')

const hex = (crc: number) => crc.toString(16).padStart(8, '0')
