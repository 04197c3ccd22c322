import { type Entry, fromReader, type Reader, type ZipFile } from 'yauzl-promise'
import { memberKey, skipReason } from './names.ts'
import { refusalOf, shown, ZipRefused } from './refusals.ts'
import type { ZipSource } from './zip-reader.ts'

/** What a zip may be at most. The contract says. */
export type Limits = {
  /** Entries of the directory, of any kind. */
  maxMembers: number
  /** Uncompressed bytes of all CSV members. */
  maxBytes: number
  /** Uncompressed bytes of all CSV members, per byte of the zip. */
  maxRatio: number
}

export type Skipped = { name: string; reason: string }

/** Where a zip's bytes come from. What it throws that is no fault of the zip, `throwFailure` throws again. */
export type ZipBytes = Reader & { throwFailure(): void }

/** A member to extract: its key is relative to the zip's folder. */
export type Planned = { entry: Entry; name: string; key: string }

const LOCAL_HEADER = 0x04034b50
const EMPTY_ZIP = 0x06054b50
const DEFLATED = 8
/** Deflate cannot do more; a name longer than S3 takes cannot become a key. */
const MAX_KEY_BYTES = 1024

/**
 * Reads the zip's directory and decides on every member, before any of its data is read.
 * @throws ZipRefused for what the directory alone shows; errors of S3 as they are.
 */
export async function readDirectory(
  reader: ZipBytes,
  zip: ZipSource,
  prefix: string,
  limits: Limits,
  leftOut: ReadonlyMap<string, string> = new Map(),
): Promise<{ members: Planned[]; skipped: Skipped[] }> {
  const file = await open(reader, zip)
  const members = new Map<string, Planned>()
  const skipped: Skipped[] = []
  let seen = 0
  for (let entry = await next(reader, zip, file); entry; entry = await next(reader, zip, file)) {
    if (++seen > limits.maxMembers) {
      const found = `at least ${seen} members`
      throw new ZipRefused('too_many_members', over(zip, found, `${limits.maxMembers}`))
    }
    const name = entry.filename
    const key = memberKey(name)
    if (typeof key !== 'string') throw new ZipRefused(key.code, `${zip.key}: ${key.message}`, name)
    if (name.endsWith('/')) continue
    const reason = reasonToSkip(entry, name) ?? leftOut.get(prefix + key)
    if (reason !== undefined) {
      skipped.push({ name, reason })
      continue
    }
    checkMember(zip, entry, prefix + key)
    const other = members.get(key)
    if (other) {
      const both = `${shown(other.name)} and ${shown(name)} of ${zip.key}`
      throw new ZipRefused('name_collision', `Members ${both} both become ${prefix}${key}. Rename one of them.`, name)
    }
    members.set(key, { entry, name, key })
  }
  const planned = [...members.values()]
  if (planned.length === 0) throw noCsv(zip, seen, skipped)
  checkDeclared(zip, planned, limits)
  return { members: planned, skipped }
}

const reasonToSkip = (entry: Entry, name: string) => (isLink(entry) ? 'symbolic link' : skipReason(name))

async function open(reader: ZipBytes, zip: ZipSource): Promise<ZipFile> {
  if (zip.bytes === 0) throw notAZip(zip, 'it is empty')
  try {
    // Names are checked here, not by yauzl-promise, whose message would not say which zip.
    return await fromReader(reader, zip.bytes, { validateFilenames: false })
  } catch (error) {
    reader.throwFailure()
    if (!/^End of Central Directory Record not found/.test(error instanceof Error ? error.message : '')) {
      throw refusalOf(zip.key, error)
    }
  }
  const start = zip.bytes < 4 ? Buffer.alloc(4) : await reader._read(0, 4)
  const signature = start.readUInt32LE(0)
  if (signature !== LOCAL_HEADER && signature !== EMPTY_ZIP)
    throw notAZip(zip, `it starts with ${start.toString('hex')}`)
  throw new ZipRefused(
    'truncated_zip',
    `${zip.key} starts as a zip, but its ${zip.bytes} bytes do not end as one: it was cut off, or something follows it. Upload it again.`,
  )
}

async function next(reader: ZipBytes, zip: ZipSource, file: ZipFile): Promise<Entry | null> {
  try {
    return await file.readEntry()
  } catch (error) {
    reader.throwFailure()
    throw refusalOf(zip.key, error)
  }
}

function checkMember(zip: ZipSource, entry: Entry, key: string): void {
  const subject = `Member ${shown(entry.filename)} of ${zip.key}`
  if (entry.isEncrypted()) {
    const message = `${subject} is encrypted. Land it without encryption: the bucket encrypts.`
    throw new ZipRefused('encrypted_member', message, entry.filename)
  }
  if (entry.isCompressed() && entry.compressionMethod !== DEFLATED) {
    const found = `compression method ${entry.compressionMethod}; 0 (stored) and 8 (deflate) can be read`
    throw new ZipRefused(
      'unsupported_compression',
      `${subject} has ${found}. Zip it again with deflate.`,
      entry.filename,
    )
  }
  const keyBytes = Buffer.byteLength(key)
  if (keyBytes > MAX_KEY_BYTES) {
    const found = `would need a key of ${keyBytes} bytes; S3 takes ${MAX_KEY_BYTES}`
    throw new ZipRefused('unsafe_name', `${subject} ${found}. Shorten its name.`, entry.filename)
  }
}

/** Declared sizes may lie, so they are checked again as the bytes come; an honest zip is refused before any is moved. */
function checkDeclared(zip: ZipSource, members: readonly Planned[], limits: Limits): void {
  let bytes = 0
  for (const { entry, name } of members) {
    bytes += entry.uncompressedSize
    checkBytes(zip, bytes, limits, name)
  }
}

/**
 * @param bytes uncompressed so far, over all CSV members
 * @param member the one with which it became too much
 */
export function checkBytes(zip: ZipSource, bytes: number, limits: Limits, member: string): void {
  if (bytes > limits.maxBytes) {
    const found = `at least ${bytes} uncompressed bytes up to member ${shown(member)}`
    throw new ZipRefused('too_large', over(zip, found, `${limits.maxBytes}`), member)
  }
  if (bytes > limits.maxRatio * zip.bytes) {
    const found = `at least ${bytes} uncompressed bytes up to member ${shown(member)} in a zip of ${zip.bytes}`
    throw new ZipRefused('ratio_too_high', over(zip, found, `${limits.maxRatio} times the zip`), member)
  }
}

const over = (zip: ZipSource, found: string, limit: string) =>
  `${zip.key} has ${found}; the contract's limit is ${limit}. Split it, or raise the limit.`

const notAZip = (zip: ZipSource, found: string) =>
  new ZipRefused('not_a_zip', `${zip.key} is not a zip: ${found}. Land a zip, or a CSV under data/.`)

function noCsv(zip: ZipSource, seen: number, skipped: readonly Skipped[]): ZipRefused {
  const some = skipped.slice(0, 5).map(({ name, reason }) => `${shown(name)}: ${reason}`)
  const found = skipped.length ? ` (${some.join(', ')}${skipped.length > 5 ? ', …' : ''})` : ''
  return new ZipRefused(
    'no_csv_member',
    `${zip.key} holds no CSV among its ${seen} members${found}. Add one named *.csv.`,
  )
}

/** Unix attributes: the upper half is the mode, whose file type is 0xA for a link. Its content is a path, not rows. */
function isLink(entry: Entry): boolean {
  const madeOnUnix = entry.versionMadeBy >>> 8 === 3
  return madeOnUnix && entry.externalFileAttributes >>> 28 === 0xa
}
