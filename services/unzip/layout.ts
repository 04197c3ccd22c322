import pMap from 'p-map'
import type { ZipBytes } from './bytes.ts'
import { type End, u64 } from './end-record.ts'
import { type Entry, extraFields, UTF8, ZIP64 } from './entries.ts'
import { shown, type ZipRefusal, ZipRefused } from './refusals.ts'
import type { ZipSource } from './zip-reader.ts'

const HEADER = 0x04034b50
const HEADER_BYTES = 30
const DESCRIPTOR = 0x08074b50
/** Signature, CRC, two sizes of 8 bytes. */
const MOST_DESCRIPTOR = 24
/** Of a local header's extra fields, so many bytes are read with it; more of them take a second read. */
const EXTRA_GUESS = 64
const AT_ONCE = 16

/** Encrypted, strongly encrypted, masked: what a reader must know before it reads. */
const ENCRYPTED = 0x1 | 0x40 | 0x2000
/** Sizes and CRC follow the data. */
const STREAMED = 0x8

/** Where the packed bytes of each entry begin. */
export type Layout = ReadonlyMap<Entry, number>

/**
 * Follows a zip from its first byte to its directory: each member is where the directory says, with the header that it says,
 * and where one ends the next begins. What overlaps may be a bomb, and what lies between may be rows that nobody would miss:
 * of an appended archive, or of a member that was deleted from the directory alone.
 * @throws ZipRefused for the first that is not so
 */
export async function checkLayout(reader: ZipBytes, zip: ZipSource, end: End, entries: Entry[]): Promise<Layout> {
  const sorted = [...entries].sort((a, b) => a.at - b.at)
  const nextAt = (i: number) => sorted[i + 1]?.at ?? end.directoryAt
  // By the directory alone, before anything is read.
  for (const [i, entry] of sorted.entries()) {
    const least = entry.at + HEADER_BYTES + entry.rawName.length + entry.packedBytes
    if (least > nextAt(i)) throw overlap(zip, entry, sorted[i + 1], least - nextAt(i))
  }
  const first = nextAt(-1)
  if (first > 0) throw await unlisted(reader, zip, 0, first)
  const headers = await pMap(sorted, (entry, i) => readHeader(reader, zip, entry, nextAt(i), i === 0), {
    concurrency: AT_ONCE,
  })
  const layout = new Map<Entry, number>()
  const descriptors: [Entry, number, number][] = []
  for (const [i, entry] of sorted.entries()) {
    const { dataAt, streamed } = headers[i] as Header
    const dataEnd = dataAt + entry.packedBytes
    if (dataEnd > nextAt(i)) throw overlap(zip, entry, sorted[i + 1], dataEnd - nextAt(i))
    layout.set(entry, dataAt)
    if (dataEnd === nextAt(i)) continue
    if (!streamed) throw await unlisted(reader, zip, dataEnd, nextAt(i))
    descriptors.push([entry, dataEnd, nextAt(i)])
  }
  await pMap(descriptors, ([entry, from, to]) => checkDescriptor(reader, zip, entry, from, to), {
    concurrency: AT_ONCE,
  })
  return layout
}

type Header = { dataAt: number; streamed: boolean }

async function readHeader(
  reader: ZipBytes,
  zip: ZipSource,
  entry: Entry,
  nextAt: number,
  ahead: boolean,
): Promise<Header> {
  const { at, rawName } = entry
  const guess = Math.min(HEADER_BYTES + rawName.length + EXTRA_GUESS, nextAt - at)
  const bytes = await reader.read(at, guess, ahead)
  if (bytes.readUInt32LE(0) !== HEADER) throw disagree(zip, entry, `none where it should be, at byte ${at}`)
  const [flags, method, nameLength, extraLength] = [6, 8, 26, 28].map((field) => bytes.readUInt16LE(field)) as [
    number,
    number,
    number,
    number,
  ]
  const length = HEADER_BYTES + nameLength + extraLength
  if (at + length > nextAt) throw disagree(zip, entry, 'one that reaches into what follows')
  const header = length <= guess ? bytes : await reader.read(at, length, ahead)
  const name = header.subarray(HEADER_BYTES, HEADER_BYTES + nameLength)
  if (!name.equals(rawName)) throw disagree(zip, entry, `the name ${shown(name.toString())}`)
  if (((flags ^ entry.flags) & ENCRYPTED) !== 0) throw disagree(zip, entry, 'another word on whether it is encrypted')
  if (((flags ^ entry.flags) & UTF8) !== 0 && rawName.some((byte) => byte > 0x7f))
    throw disagree(zip, entry, 'another word on whether its name is UTF-8')
  if (method !== entry.method) throw disagree(zip, entry, `compression method ${method}, not ${entry.method}`)
  const streamed = (flags & STREAMED) !== 0
  checkNumbers(zip, entry, header, header.subarray(HEADER_BYTES + nameLength, length), streamed)
  return { dataAt: at + length, streamed }
}

/** Of a member that was streamed into its zip, they may be left out here: then they follow the data. */
function checkNumbers(zip: ZipSource, entry: Entry, header: Buffer, extra: Buffer, streamed: boolean): void {
  const large = extraFields(extra).get(ZIP64)
  let used = 0
  const size = (at: number): number | undefined => {
    const small = header.readUInt32LE(at)
    if (small !== 0xffffffff) return small
    used += 8
    return large && large.length >= used ? u64(large, used - 8) : small
  }
  const numbers = [
    ['CRC', header.readUInt32LE(14), entry.crc32],
    ['size', size(22), entry.bytes],
    ['packed size', size(18), entry.packedBytes],
  ] as const
  // A writer that cannot know them leaves 0, or, where zip64 is to follow, all bits set.
  const unknown = (found: number | undefined) => streamed && (found === 0 || found === 0xffffffff)
  for (const [what, found, expected] of numbers)
    if (found !== expected && !unknown(found)) throw disagree(zip, entry, `the ${what} ${found}, not ${expected}`)
}

/** With or without its signature, its sizes of 4 or of 8 bytes: writers differ, and nothing says which it is. */
async function checkDescriptor(
  reader: ZipBytes,
  zip: ZipSource,
  entry: Entry,
  from: number,
  to: number,
): Promise<void> {
  const found = await reader.read(from, Math.min(to - from, MOST_DESCRIPTOR), false)
  const length = formsOf(entry).find((form) => found.subarray(0, form.length).equals(form))?.length
  if (length === undefined) {
    if (found.length >= 4 && found.readUInt32LE(0) === HEADER) throw await unlisted(reader, zip, from, to)
    throw disagree(zip, entry, 'other numbers behind its data')
  }
  if (from + length < to) throw await unlisted(reader, zip, from + length, to)
}

function formsOf({ crc32, packedBytes, bytes }: Entry): Buffer[] {
  const crc = Buffer.alloc(4)
  crc.writeUInt32LE(crc32)
  const large = Buffer.alloc(16)
  large.writeBigUInt64LE(BigInt(packedBytes))
  large.writeBigUInt64LE(BigInt(bytes), 8)
  const small = Buffer.concat([large.subarray(0, 4), large.subarray(8, 12)])
  const signature = Buffer.alloc(4)
  signature.writeUInt32LE(DESCRIPTOR)
  const forms = [large, small].flatMap((sizes) => [Buffer.concat([signature, crc, sizes]), Buffer.concat([crc, sizes])])
  return forms
}

/** Bytes before the directory that belong to no member of it. Where they are one, it is named. */
async function unlisted(reader: ZipBytes, zip: ZipSource, from: number, to: number): Promise<ZipRefused> {
  const found = await reader.read(from, Math.min(to - from, HEADER_BYTES + 1024), false)
  const isMember = found.length >= HEADER_BYTES && found.readUInt32LE(0) === HEADER
  const name = isMember
    ? found.subarray(HEADER_BYTES, HEADER_BYTES + found.readUInt16LE(26)).toString('utf8')
    : undefined
  const what =
    name === undefined
      ? `${to - from} bytes from byte ${from} on that belong to no member`
      : `a member ${shown(name)} at byte ${from} that its directory does not list`
  const message = `${zip.key} has ${what}. Make the zip again, with all that is to be taken and nothing else, and land it again.`
  return new ZipRefused('unlisted_data', message, name)
}

function overlap(zip: ZipSource, entry: Entry, next: Entry | undefined, by: number): ZipRefused {
  const other = next ? `member ${shown(next.name)}` : 'the directory'
  const message = `Member ${shown(entry.name)} of ${zip.key} reaches ${by} bytes into ${other}. Make the zip again and land it again.`
  return new ZipRefused('overlapping_members', message, entry.name)
}

function disagree(zip: ZipSource, { name }: Entry, found: string): ZipRefused {
  const code: ZipRefusal = 'headers_disagree'
  const message = `Member ${shown(name)} of ${zip.key} has in its own header ${found}: the directory says otherwise. Make the zip again and land it again.`
  return new ZipRefused(code, message, name)
}
