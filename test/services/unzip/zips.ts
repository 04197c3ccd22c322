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

function headerOf(zip: Buffer, index: number): number {
  const at = headers(zip)[index]
  if (at === undefined) throw new Error(`The zip has no entry ${index}`)
  return at
}

/** Changes fields of an entry in the directory, which is what readers go by. */
export const damage = {
  crc: (zip: Buffer, index: number) => edit(zip, (copy) => copy.writeUInt32LE(0xbad, headerOf(copy, index) + 16)),
  flags: (zip: Buffer, index: number, flags: number) =>
    edit(zip, (copy) => copy.writeUInt16LE(flags, headerOf(copy, index) + 8)),
  method: (zip: Buffer, index: number, method: number) =>
    edit(zip, (copy) => copy.writeUInt16LE(method, headerOf(copy, index) + 10)),
  uncompressedSize: (zip: Buffer, index: number, bytes: number) =>
    edit(zip, (copy) => copy.writeUInt32LE(bytes, headerOf(copy, index) + 24)),
  /** Both in the directory and before the data; of the same length, so that nothing moves. */
  name: (zip: Buffer, from: string, to: string) =>
    edit(zip, (copy) => {
      if (Buffer.byteLength(from) !== Buffer.byteLength(to)) throw new Error('Names of the same length, please')
      for (let at = copy.indexOf(from); at >= 0; at = copy.indexOf(from, at + 1)) copy.write(to, at)
    }),
  firstDataByte: (zip: Buffer) =>
    edit(zip, (copy) => {
      const at = 30 + copy.readUInt16LE(26) + copy.readUInt16LE(28)
      copy[at] = (copy[at] ?? 0) ^ 0xff
    }),
}

function edit(zip: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(zip)
  change(copy)
  return copy
}
