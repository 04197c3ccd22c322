import { crc32 } from 'node:zlib'
import type { ZipBytes } from './bytes.ts'
import { type End, u64 } from './end-record.ts'
import { shown, ZipRefused } from './refusals.ts'
import type { ZipSource } from './zip-reader.ts'

/** What the directory says of a member. */
export type Entry = {
  /** As it is shown, and becomes a key. */
  name: string
  /** As it is in the zip. */
  rawName: Buffer
  flags: number
  method: number
  crc32: number
  packedBytes: number
  bytes: number
  /** Of its local header. */
  at: number
  madeBy: number
  attributes: number
}

const HEADER = 0x02014b50
const HEADER_BYTES = 46
export const UTF8 = 0x800

/**
 * Reads the directory, entry by entry: memory is that of their names.
 * @throws ZipRefused where the directory is not what the end record says
 */
export async function* readEntries(reader: ZipBytes, zip: ZipSource, end: End): AsyncGenerator<Entry> {
  const endAt = end.directoryAt + end.directoryBytes
  let read = 0
  for (let at = end.directoryAt; at < endAt; read++) {
    const left = endAt - at
    const header = left < HEADER_BYTES ? undefined : await reader.read(at, HEADER_BYTES)
    if (header?.readUInt32LE(0) !== HEADER) throw mismatch(zip, `${left} bytes after ${read} members that list none`)
    const [name, extra, comment] = [28, 30, 32].map((field) => header.readUInt16LE(field)) as [number, number, number]
    const length = HEADER_BYTES + name + extra + comment
    if (length > left) throw mismatch(zip, `its member ${read + 1} reaches ${length - left} bytes beyond it`)
    if (read === end.entries) throw mismatch(zip, `more members than the ${end.entries} of the end record`)
    const more = await reader.read(at + HEADER_BYTES, name + extra)
    yield entryOf(zip, header, more.subarray(0, name), more.subarray(name))
    at += length
  }
  if (read < end.entries) throw mismatch(zip, `${read} members where the end record says ${end.entries}`)
}

const mismatch = (zip: ZipSource, found: string) =>
  new ZipRefused(
    'directory_mismatch',
    `The directory of ${zip.key} has ${found}. Make the zip again and land it again.`,
  )

function entryOf(zip: ZipSource, header: Buffer, rawName: Buffer, extra: Buffer): Entry {
  const fields = extraFields(extra)
  const flags = header.readUInt16LE(8)
  const name = nameOf(rawName, flags, fields.get(UNICODE_PATH))
  const large = fields.get(ZIP64)
  let used = 0
  const size = (at: number): number => {
    const small = header.readUInt32LE(at)
    if (small !== 0xffffffff) return small
    if (!large || large.length < used + 8) {
      const message = `Member ${shown(name)} of ${zip.key} cannot be read: the directory does not have its zip64 sizes. Make the zip again and land it again.`
      throw new ZipRefused('directory_mismatch', message, name)
    }
    used += 8
    return u64(large, used - 8)
  }
  const bytes = size(24)
  const packedBytes = size(20)
  const at = size(42)
  const disk = header.readUInt16LE(34)
  if (disk !== 0 && !(disk === 0xffff && large && large.length >= used + 4 && large.readUInt32LE(used) === 0)) {
    const message = `Member ${shown(name)} of ${zip.key} is on another disk of a split zip. Land one whole zip.`
    throw new ZipRefused('multi_disk_zip', message, name)
  }
  return {
    name,
    rawName: Buffer.from(rawName),
    flags,
    method: header.readUInt16LE(10),
    crc32: header.readUInt32LE(16),
    packedBytes,
    bytes,
    at,
    madeBy: header.readUInt16LE(4),
    attributes: header.readUInt32LE(38),
  }
}

export const ZIP64 = 1
const UNICODE_PATH = 0x7075

/** By their id, the first of each. Some tools pad them with bytes that are no field. */
export function extraFields(extra: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)]
    if (at + 4 + length > extra.length) break
    if (!fields.has(id)) fields.set(id, extra.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return fields
}

/**
 * A name's text. With the flag it is UTF-8, as is Info-ZIP's field, which counts only while its CRC is that of the name. Without
 * both it is CP437 by the book, but many tools write UTF-8 and do not say so: what can be read as UTF-8 is.
 */
function nameOf(raw: Buffer, flags: number, unicodePath: Buffer | undefined): string {
  if ((flags & UTF8) !== 0) return raw.toString('utf8')
  if (unicodePath && unicodePath.length > 5 && unicodePath[0] === 1 && unicodePath.readUInt32LE(1) === crc32(raw))
    return unicodePath.toString('utf8', 5)
  const text = raw.toString('utf8')
  return text.includes('\uFFFD') ? cp437(raw) : text
}

const CP437_UPPER =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0'

const cp437 = (raw: Buffer): string =>
  Array.from(raw, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : CP437_UPPER[byte - 0x80])).join('')
