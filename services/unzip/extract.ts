import type { S3Client } from '@aws-sdk/client-s3'
import pMap from 'p-map'
import { contents } from './contents.ts'
import {
  checkBytes,
  type Limits,
  noCsv,
  type Planned,
  type ReadOptions,
  readDirectory,
  type Skipped,
} from './directory.ts'
import { MAX_UPLOAD_BYTES, PartBuffers, Upload } from './multipart.ts'
import { ZipRefused } from './refusals.ts'
import { checkTime, type Time, within } from './time.ts'
import { ZipReader, type ZipSource } from './zip-reader.ts'

export type { Limits, Skipped } from './directory.ts'
export { ZipGone, ZipRefused } from './refusals.ts'
export type { ZipSource } from './zip-reader.ts'

/** A CSV taken out of a zip. */
export type Member = {
  /** As in the zip. */
  name: string
  /** Where it was written in the raw zone. */
  key: string
  bytes: number
  /** As the zip declares it, and as its bytes have it. */
  crc32: number
  etag: string
  versionId: string
}
/** A member of which every byte is in S3 and checked, but that nobody can see yet. */
export type ReadyMember = Omit<Member, 'etag' | 'versionId'>
export type Extraction = { members: Member[]; skipped: Skipped[] }

export type ExtractOptions = ReadOptions & {
  /** @default all that it takes */
  time?: Time
  /** Asked before anything becomes visible; throws where that is another's business by now. @default it is ours */
  check?: () => void
}

/** As AWS answers in some 50 ms, so many together keep a zip of a thousand small members within seconds. */
const AT_ONCE = 8
/** Of the reserve, for the ledger and for giving the message back. */
const LAST_WORDS_MS = 10_000
const UNLIMITED: Time = { given: Infinity, left: () => Infinity, bytesPerSecond: Infinity }

type Prepared = { upload: Upload; ready: ReadyMember }

/**
 * Streams the CSV members of a zip to objects: all of them, or none; where bad members are skipped, all others, or none.
 * Memory is a few parts, whatever the sizes.
 *
 * No object appears before the last member's last check has passed. Then `beforeCompleting` is awaited, so that the
 * books know of the members before any event about them, and the uploads are completed. If S3 fails between two of
 * these, those completed stay: the same message extracts them all again, under the same keys.
 *
 * @param to `prefix` is the zip's own folder, ending with `/`
 * @throws ZipRefused: the zip's fault, nothing was written; ZipGone: that version is not there any more; OutOfTime; anything
 *   else, S3's errors and those of `beforeCompleting`, as it is: a retry may help.
 */
export async function extract(
  s3: S3Client,
  zip: ZipSource,
  to: { bucket: string; prefix: string },
  limits: Limits,
  beforeCompleting: (members: ReadyMember[], skipped: Skipped[]) => Promise<void>,
  { time = UNLIMITED, check = () => {}, ...options }: ExtractOptions = {},
): Promise<Extraction> {
  const bounds = boundsOf(limits)
  const reader = new ZipReader(s3, zip)
  const { members: planned, skipped } = await readDirectory(reader, zip, to.prefix, bounds, options)
  checkTime(zip, declared(planned), time)
  const buffers = new PartBuffers()
  const open = new Set<Upload>()
  const prepared: Prepared[] = []
  let total = 0
  const streamAll = async (signal: AbortSignal) => {
    for (const member of planned) {
      signal.throwIfAborted()
      const upload = new Upload(s3, buffers, to.bucket, to.prefix + member.key)
      open.add(upload)
      try {
        for await (const chunk of contents(reader, zip, member)) {
          signal.throwIfAborted()
          total += chunk.length
          checkBytes(zip, total, bounds, member.name)
          await upload.write(chunk)
        }
        await upload.end()
        prepared.push({ upload, ready: readyOf(member, upload) })
      } catch (error) {
        if (options.badMembers !== 'skip' || !(error instanceof ZipRefused) || !error.isOfMember) throw error
        await upload.abort()
        open.delete(upload)
        skipped.push({ name: member.name, reason: error.message, code: error.code, key: upload.key })
      }
    }
    for (const { upload } of prepared) await upload.sent()
  }
  try {
    await within(zip, time, () => ({ members: prepared.length, bytes: total }), streamAll)
    if (planned.length > 0 && prepared.length === 0) throw noCsv(zip, planned.length + skipped.length, skipped)
    check()
    await beforeCompleting(
      prepared.map(({ ready }) => ready),
      skipped,
    )
    return { members: await completeAll(prepared, open, check), skipped }
  } catch (error) {
    // What went wrong first is what is told; an upload that cannot even be aborted is removed by the lifecycle rule.
    await Promise.race([abortAll(open), soonEnding(time)])
    throw error
  }
}

/** What a zip says of the members that are to be taken out of it. */
export const declared = (planned: Planned[]) => ({
  members: planned.length,
  bytes: planned.reduce((sum, { entry }) => sum + entry.bytes, 0),
})

/** After one has failed none is begun, and those that were are waited for: an upload that is completing must not be aborted. */
async function completeAll(prepared: Prepared[], open: Set<Upload>, check: () => void): Promise<Member[]> {
  const failures: unknown[] = []
  const complete = async ({ upload, ready }: Prepared): Promise<Member[]> => {
    if (failures.length > 0) return []
    try {
      check()
      const written = await upload.complete()
      open.delete(upload)
      return [{ ...ready, ...written }]
    } catch (error) {
      failures.push(error)
      return []
    }
  }
  const members = await pMap(prepared, complete, { concurrency: AT_ONCE })
  if (failures.length > 0) throw failures[0]
  return members.flat()
}

const readyOf = ({ name, entry }: Planned, { key, bytes }: Upload): ReadyMember => ({
  name,
  key,
  bytes,
  crc32: entry.crc32,
})

const abortAll = (uploads: Set<Upload>) =>
  pMap([...uploads], (upload) => upload.abort().catch(() => undefined), { concurrency: AT_ONCE })

/** A call that S3 does not answer must not keep the function from saying why it stops. */
async function soonEnding({ left }: Time): Promise<void> {
  const ms = Math.max(0, left() - LAST_WORDS_MS)
  if (Number.isFinite(ms)) await new Promise((resolve) => setTimeout(resolve, ms).unref())
  else await new Promise(() => {})
}

/** What S3 takes is a limit as well. */
export const boundsOf = (limits: Limits): Limits => ({
  ...limits,
  maxBytes: Math.min(limits.maxBytes, MAX_UPLOAD_BYTES),
})
