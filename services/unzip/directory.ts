import type { ZipBytes } from './bytes.ts'
import { findEnd } from './end-record.ts'
import { type Entry, readEntries } from './entries.ts'
import { checkLayout } from './layout.ts'
import { faultOf } from './member-faults.ts'
import { memberKey, skipReason } from './names.ts'
import { shown, type ZipRefusal, ZipRefused } from './refusals.ts'
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

/** What one bad member means: the whole zip is refused, or it is left out and named. */
export type BadMembers = 'refuse' | 'skip'

export type Skipped = {
  name: string
  reason: string
  /** Of one that is bad: what it would have refused the zip for, and the key that it would have had. */
  code?: ZipRefusal
  key?: string
}

/** A member to extract: its key is relative to the zip's folder, its packed bytes begin at `dataAt`. */
export type Planned = { entry: Entry; name: string; key: string; dataAt: number }

export type ReadOptions = {
  /** @default 'refuse' */
  badMembers?: BadMembers
  /** Which of the members are left out, and why, by their keys. @default none */
  leftOut?: (members: { name: string; key: string; bytes: number }[]) => Promise<ReadonlyMap<string, string>>
}

/**
 * Reads the zip's directory, checks that the zip is what it says, and decides on every member, before any of its data is read.
 * No members are left where all were left out.
 * @throws ZipRefused for what shows without inflating; errors of S3 as they are.
 */
export async function readDirectory(
  reader: ZipBytes,
  zip: ZipSource,
  prefix: string,
  limits: Limits,
  { badMembers = 'refuse', leftOut = async () => new Map() }: ReadOptions = {},
): Promise<{ members: Planned[]; skipped: Skipped[] }> {
  const entries: Entry[] = []
  const end = await findEnd(reader, zip)
  if (end.entries > limits.maxMembers) throw tooMany(zip, end.entries, limits)
  for await (const entry of readEntries(reader, zip, end)) entries.push(entry)
  const layout = await checkLayout(reader, zip, end, entries)

  const claims = claimsOf(entries)
  const planned: Planned[] = []
  const skipped: Skipped[] = []
  for (const entry of entries) {
    const { name } = entry
    const key = memberKey(name)
    const refusal = typeof key === 'string' ? faultOf(zip, entry, prefix, key, claims.get(key) ?? []) : key
    if (refusal) {
      const { code, message } = refusal
      // The name may be no key at all, so it cannot say which zip it is in.
      const words = message.includes(zip.key) ? message : `${zip.key}: ${message}`
      if (badMembers === 'refuse') throw new ZipRefused(code, words, name)
      skipped.push({ name: cut(name), reason: words, code, ...(typeof key === 'string' && { key: prefix + key }) })
    } else if (typeof key === 'string' && !name.endsWith('/')) {
      const reason = reasonToSkip(entry)
      if (reason !== undefined) skipped.push({ name, reason })
      else planned.push({ entry, name, key, dataAt: layout.get(entry) ?? entry.at })
    }
  }
  if (planned.length === 0) throw noCsv(zip, entries.length, skipped)
  const out = await leftOut(planned.map(({ name, key, entry }) => ({ name, key: prefix + key, bytes: entry.bytes })))
  const members = planned.filter(({ name, key }) => {
    const reason = out.get(prefix + key)
    if (reason !== undefined) skipped.push({ name, reason })
    return reason === undefined
  })
  checkDeclared(zip, members, limits)
  return { members, skipped }
}

/** One that is bad may be as long as a zip can say, 64 KB. */
const cut = (name: string) => (name.length > 1024 ? `${name.slice(0, 1023)}…` : name)

/** Names of the CSV members that become one key. */
function claimsOf(entries: Entry[]): Map<string, string[]> {
  const claims = new Map<string, string[]>()
  for (const entry of entries) {
    const key = memberKey(entry.name)
    if (typeof key !== 'string' || entry.name.endsWith('/') || reasonToSkip(entry) !== undefined) continue
    claims.set(key, [...(claims.get(key) ?? []), entry.name])
  }
  return claims
}

const reasonToSkip = (entry: Entry): string | undefined => (isLink(entry) ? 'symbolic link' : skipReason(entry.name))

/** Declared sizes may lie, so they are checked again as the bytes come; an honest zip is refused before any is moved. */
function checkDeclared(zip: ZipSource, members: readonly Planned[], limits: Limits): void {
  let bytes = 0
  for (const { entry, name } of members) {
    bytes += entry.bytes
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

const tooMany = (zip: ZipSource, found: number, { maxMembers }: Limits) =>
  new ZipRefused('too_many_members', over(zip, `${found} members`, `${maxMembers}`))

/** @param seen members of any kind */
export function noCsv(zip: ZipSource, seen: number, skipped: readonly Skipped[]): ZipRefused {
  const some = skipped.slice(0, 5).map(({ name, reason, code }) => `${shown(name)}: ${code ?? reason}`)
  const found = skipped.length ? ` (${some.join(', ')}${skipped.length > 5 ? ', …' : ''})` : ''
  const advice = skipped.some(({ code }) => code) ? 'Mend those, and land it again.' : 'Add one named *.csv.'
  return new ZipRefused(
    'no_csv_member',
    `${zip.key} holds no CSV that can be taken among its ${seen} members${found}. ${advice}`,
  )
}

/** Unix attributes: the upper half is the mode, whose file type is 0xA for a link. Its content is a path, not rows. */
function isLink({ madeBy, attributes }: Entry): boolean {
  const madeOnUnix = madeBy >>> 8 === 3
  return madeOnUnix && attributes >>> 28 === 0xa
}
