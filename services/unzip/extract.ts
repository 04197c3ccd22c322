import type { S3Client } from '@aws-sdk/client-s3'
import { checkBytes, type Limits, type Planned, readDirectory, type Skipped, type ZipBytes } from './directory.ts'
import { MAX_UPLOAD_BYTES, PartBuffers, Upload } from './multipart.ts'
import { refusalOf } from './refusals.ts'
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

/**
 * Streams the CSV members of a zip to objects: all of them, or none. Memory is a few parts, whatever the sizes.
 *
 * No object appears before the last member's last check has passed. Then `beforeCompleting` is awaited, so that the
 * books know of the members before any event about them, and the uploads are completed. If S3 fails between two of
 * these, those completed stay: the same message extracts them all again, under the same keys.
 *
 * @param to `prefix` is the zip's own folder, ending with `/`
 * @param leftOut keys of members that are left out, and why
 * @throws ZipRefused: the zip's fault, nothing was written; ZipGone: that version is not there any more; anything else,
 *   S3's errors and those of `beforeCompleting`, as it is: a retry may help.
 */
export async function extract(
  s3: S3Client,
  zip: ZipSource,
  to: { bucket: string; prefix: string },
  limits: Limits,
  beforeCompleting: (members: ReadyMember[], skipped: Skipped[]) => Promise<void>,
  leftOut: ReadonlyMap<string, string> = new Map(),
): Promise<Extraction> {
  const bounds = boundsOf(limits)
  const reader = new ZipReader(s3, zip)
  const { members: planned, skipped } = await readDirectory(reader, zip, to.prefix, bounds, leftOut)
  const buffers = new PartBuffers()
  const uploads: Upload[] = []
  let completed = 0
  try {
    const ready: ReadyMember[] = []
    let total = 0
    for (const member of planned) {
      const upload = new Upload(s3, buffers, to.bucket, to.prefix + member.key)
      uploads.push(upload)
      for await (const chunk of contents(reader, zip, member)) {
        checkBytes(zip, total + upload.bytes + chunk.length, bounds, member.name)
        await upload.write(chunk)
      }
      await upload.end()
      total += upload.bytes
      ready.push({ name: member.name, key: upload.key, bytes: upload.bytes, crc32: member.entry.crc32 })
    }
    for (const upload of uploads) await upload.sent()
    await beforeCompleting(ready, skipped)
    const members: Member[] = []
    for (const [index, upload] of uploads.entries()) {
      const written = await upload.complete()
      completed++
      members.push({ ...(ready[index] as ReadyMember), ...written })
    }
    return { members, skipped }
  } catch (error) {
    // What went wrong first is what is told; an upload that cannot even be aborted is removed by the lifecycle rule.
    await Promise.allSettled(uploads.slice(completed).map((upload) => upload.abort()))
    throw error
  }
}

/** What S3 takes is a limit as well. */
export const boundsOf = (limits: Limits): Limits => ({
  ...limits,
  maxBytes: Math.min(limits.maxBytes, MAX_UPLOAD_BYTES),
})

/** The member's bytes; ends only if their CRC and number are as declared. */
export async function* contents(reader: ZipBytes, zip: ZipSource, { entry, name }: Planned): AsyncGenerator<Buffer> {
  try {
    yield* (await entry.openReadStream()) as AsyncIterable<Buffer>
  } catch (error) {
    reader.throwFailure()
    throw refusalOf(zip.key, error, name)
  }
}
