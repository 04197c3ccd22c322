import type { ZipBytes } from './bytes.ts'
import { type ZipRefusal, ZipRefused } from './refusals.ts'
import type { ZipSource } from './zip-reader.ts'

/** Where a zip says that its directory is, and how many members it lists. The directory ends where the end records begin. */
export type End = { directoryAt: number; directoryBytes: number; entries: number }

const LOCAL_HEADER = 0x04034b50
const END = 0x06054b50
const END_BYTES = 22
const MAX_COMMENT = 0xffff
const LOCATOR = 0x07064b50
const LOCATOR_BYTES = 20
const END_64 = 0x06064b50
const END_64_BYTES = 56
/** Signatures that are looked at; a comment full of them would cost a read each. */
const MOST_RECORDS = 16
/** How a piece of a split zip begins, and a zip that was to be split and then was not. */
const SPLIT = [0x08074b50, 0x30304b50]

const AGAIN = 'Make the zip again and land it again.'

/**
 * Finds the record with which a zip ends. All that it says of the directory's place must be so to the byte: bytes that belong
 * to nothing may be members that nobody would miss.
 * @throws ZipRefused where there is none, or what it says is not so
 */
export async function findEnd(reader: ZipBytes, zip: ZipSource): Promise<End> {
  if (zip.bytes === 0) throw notAZip(zip, 'it is empty')
  const from = Math.max(0, zip.bytes - END_BYTES - MAX_COMMENT)
  const tail = await reader.read(from, zip.bytes - from)
  const found: End[] = []
  let refusal: ZipRefused | undefined
  let seen = 0
  for (let at = tail.length - END_BYTES; at >= 0 && seen < MOST_RECORDS; at--) {
    if (tail.readUInt32LE(at) !== END) continue
    seen++
    const end = at + END_BYTES + tail.readUInt16LE(at + 20)
    const read = await readEnd(reader, zip, tail.subarray(at, at + END_BYTES), from + at)
    // Of records that reach to the end, the last is the likeliest to be meant: its words are told.
    if (end === tail.length) {
      if (read instanceof ZipRefused) refusal ??= read
      else found.push(read)
    } else if (!(read instanceof ZipRefused) && end < tail.length) {
      const found = `has ${tail.length - end} bytes behind the record with which it ends`
      refusal ??= damaged(zip, 'unlisted_data', found, 'They belong to no member.')
    }
  }
  if (found.length > 1) {
    const found = 'has two end records, each with a directory, of which readers may take either'
    throw new ZipRefused('directory_mismatch', `${zip.key} ${found}. ${AGAIN}`)
  }
  if (found[0]) return found[0]
  throw refusal ?? (await endless(reader, zip))
}

/** What one end record says, or why it cannot be so. */
async function readEnd(reader: ZipBytes, zip: ZipSource, record: Buffer, at: number): Promise<End | ZipRefused> {
  const locator = at >= LOCATOR_BYTES ? await reader.read(at - LOCATOR_BYTES, LOCATOR_BYTES) : undefined
  if (locator?.readUInt32LE(0) === LOCATOR) return await readEnd64(reader, zip, record, locator, at - LOCATOR_BYTES)
  const disks = [4, 6].map((field) => record.readUInt16LE(field))
  const [here, entries] = [record.readUInt16LE(8), record.readUInt16LE(10)]
  if (disks.some((disk) => disk > 0) || here !== entries) return split(zip)
  const end = { entries, directoryBytes: record.readUInt32LE(12), directoryAt: record.readUInt32LE(16) }
  if (end.directoryBytes === 0xffffffff || end.directoryAt === 0xffffffff)
    return damaged(zip, 'directory_mismatch', 'names a zip64 end record, and has none')
  return placed(zip, end, at)
}

async function readEnd64(
  reader: ZipBytes,
  zip: ZipSource,
  record: Buffer,
  locator: Buffer,
  locatorAt: number,
): Promise<End | ZipRefused> {
  const stated = u64(locator, 8)
  const isThere = async (at: number) =>
    at >= 0 && at + END_64_BYTES <= locatorAt && (await reader.read(at, 4)).readUInt32LE(0) === END_64
  const directly = locatorAt - END_64_BYTES
  const recordAt = (await isThere(stated)) ? stated : directly
  if (!(await isThere(recordAt)))
    return damaged(zip, 'directory_mismatch', `has no zip64 end record at byte ${stated}, where it says`)
  if (locator.readUInt32LE(4) > 0 || locator.readUInt32LE(16) > 1) return split(zip)
  const large = await reader.read(recordAt, END_64_BYTES)
  if (recordAt !== stated) return misplaced(zip, recordAt - stated)
  if (recordAt + u64(large, 4) + 12 !== locatorAt)
    return damaged(zip, 'directory_mismatch', 'has a zip64 end record of another length than it says')
  const [entries, directoryBytes, directoryAt] = [u64(large, 32), u64(large, 40), u64(large, 48)]
  if (large.readUInt32LE(16) > 0 || large.readUInt32LE(20) > 0 || u64(large, 24) !== entries) return split(zip)
  const small = [record.readUInt16LE(10), record.readUInt32LE(12), record.readUInt32LE(16)]
  const agrees = [
    small[0] === 0xffff || small[0] === entries,
    small[1] === 0xffffffff || small[1] === directoryBytes,
    small[2] === 0xffffffff || small[2] === directoryAt,
  ]
  if (agrees.includes(false))
    return damaged(zip, 'directory_mismatch', 'has two end records, zip64 and plain, that contradict each other')
  return placed(zip, { entries, directoryBytes, directoryAt }, recordAt)
}

/** The directory ends where the end records begin; a difference says what was added or lost before it. */
function placed(zip: ZipSource, end: End, at: number): End | ZipRefused {
  const off = at - (end.directoryAt + end.directoryBytes)
  return off === 0 ? end : misplaced(zip, off)
}

function misplaced(zip: ZipSource, off: number): ZipRefused {
  if (off > 0) {
    const found = `has ${off} bytes more before its end record than that says`
    const advice = 'They belong to no member: another zip, or a program, may stand before this one.'
    return damaged(zip, 'unlisted_data', found, advice)
  }
  return new ZipRefused(
    'truncated_zip',
    `${zip.key} lacks ${-off} bytes: by its end record they stand before that. Upload it again.`,
  )
}

async function endless(reader: ZipBytes, zip: ZipSource): Promise<ZipRefused> {
  const start = zip.bytes < 4 ? undefined : await reader.read(0, 4)
  const signature = start?.readUInt32LE(0) ?? 0
  if (SPLIT.includes(signature)) return split(zip)
  if (start && (signature === LOCAL_HEADER || signature === END))
    return new ZipRefused(
      'truncated_zip',
      `${zip.key} starts as a zip, but its ${zip.bytes} bytes do not end as one: it was cut off, or something follows it. Upload it again.`,
    )
  return notAZip(zip, start ? `it starts with ${start.toString('hex')}` : `it has ${zip.bytes} bytes`)
}

const damaged = (zip: ZipSource, code: ZipRefusal, found: string, more?: string) =>
  new ZipRefused(code, [`${zip.key} ${found}.`, ...(more ? [more] : []), AGAIN].join(' '))

const split = (zip: ZipSource) =>
  new ZipRefused(
    'multi_disk_zip',
    `${zip.key} is a piece of a zip that is split over several files. Land one whole zip.`,
  )

const notAZip = (zip: ZipSource, found: string) =>
  new ZipRefused('not_a_zip', `${zip.key} is not a zip: ${found}. Land a zip, or a CSV under data/.`)

/** No file is so long that a number could not say it; what a zip claims may be. */
export const u64 = (buffer: Buffer, at: number): number => Number(buffer.readBigUInt64LE(at))
