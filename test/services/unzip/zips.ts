import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'

export type Entry = { content?: string | Buffer; compress?: boolean; mode?: number }

/** A zip of these entries, in this order; a name that ends with `/` is a directory. */
export async function zipOf(entries: Record<string, Entry | string | Buffer>): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, given] of Object.entries(entries)) {
    const entry: Entry = typeof given === 'string' || Buffer.isBuffer(given) ? { content: given } : given
    if (name.endsWith('/')) zip.addEmptyDirectory(name)
    else
      zip.addBuffer(Buffer.from(entry.content ?? ''), name, {
        compress: entry.compress ?? true,
        mode: entry.mode ?? 0o100644,
      })
  }
  zip.end()
  return buffer(zip.outputStream as Readable)
}

/** Offsets of the directory's headers, in order. */
function headers(zip: Buffer): number[] {
  const found: number[] = []
  for (let at = zip.indexOf('PK\x01\x02'); at >= 0; at = zip.indexOf('PK\x01\x02', at + 4)) found.push(at)
  return found
}

/** What the nth member of a zip is called, by its header, by the directory, and there by Info-ZIP's field, which is the last. */
export function namesOf(zip: Buffer, nth: number): string[] {
  const local: string[] = []
  for (let at = zip.indexOf('PK\x03\x04'); at >= 0; at = zip.indexOf('PK\x03\x04', at + 4))
    local.push(zip.toString('utf8', at + 30, at + 30 + zip.readUInt16LE(at + 26)))
  const listed = headers(zip)[nth]
  if (listed === undefined) return [local[nth] ?? '']
  const end = listed + 46 + zip.readUInt16LE(listed + 28)
  const fieldEnd = end + zip.readUInt16LE(listed + 30)
  return [local[nth] ?? '', zip.toString('utf8', listed + 46, end), zip.toString('utf8', end + 9, fieldEnd)]
}
