import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { inParallel } from '../in-parallel.ts'
import { ObjectGone, type ObjectIo, type ObjectRef } from './object-io.ts'

const SMALL = 16 * 1024 ** 2
const MAX_PARTS = 10_000
const PARTS_AT_ONCE = 4

const place = (uri: string) => {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/s.exec(uri) ?? []
  if (!bucket || !key) throw new Error(`Not the URI of an S3 object: ${uri}`)
  return { Bucket: bucket, Key: key }
}

const status = (error: unknown) => (error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined)

/** A client as the environment says: region, and on a laptop the emulator's endpoint. */
export function s3Client(env: NodeJS.ProcessEnv = process.env): S3Client {
  const endpoint = env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL
  return new S3Client({ ...(endpoint ? { endpoint, forcePathStyle: true } : {}), maxAttempts: 5 })
}

export function s3Io(s3: S3Client): ObjectIo {
  return {
    async read({ uri, etag, versionId }: ObjectRef): Promise<Readable> {
      try {
        const object = await s3.send(new GetObjectCommand({ ...place(uri), VersionId: versionId, IfMatch: etag }))
        return object.Body as Readable
      } catch (error) {
        // 405 is what a version that is a delete marker answers.
        if ([404, 405, 412].includes(status(error) ?? 0)) throw new ObjectGone(uri, error)
        throw error
      }
    },

    async upload(file, uri) {
      const handle = await open(file)
      try {
        const { size } = await handle.stat()
        const etag = size <= SMALL ? await putSmall(s3, handle, size, uri) : await putLarge(s3, handle, size, uri)
        if (!etag) throw new Error(`S3 gave no ETag for ${uri}.`)
        return { etag, bytes: size }
      } finally {
        await handle.close()
      }
    },

    async putIfAbsent(uri, text) {
      try {
        await s3.send(
          new PutObjectCommand({ ...place(uri), Body: text, ContentType: 'application/json', IfNoneMatch: '*' }),
        )
        return true
      } catch (error) {
        if (status(error) === 412) return false
        throw error
      }
    },
  }
}

async function slice(handle: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, start + filled)
    if (bytesRead === 0) throw new Error('A file became shorter while it was sent.')
    filled += bytesRead
  }
  return bytes
}

async function putSmall(s3: S3Client, handle: FileHandle, size: number, uri: string) {
  const sent = await s3.send(new PutObjectCommand({ ...place(uri), Body: await slice(handle, 0, size) }))
  return sent.ETag
}

async function putLarge(s3: S3Client, handle: FileHandle, size: number, uri: string) {
  const at = place(uri)
  const partSize = Math.max(SMALL, Math.ceil(size / MAX_PARTS))
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'CRC32' }))
  try {
    const starts = Array.from({ length: Math.ceil(size / partSize) }, (_, index) => index * partSize)
    const parts = await inParallel(starts, PARTS_AT_ONCE, async (start, index): Promise<CompletedPart> => {
      const Body = await slice(handle, start, Math.min(partSize, size - start))
      const part = { ...at, UploadId, PartNumber: index + 1, Body, ChecksumAlgorithm: 'CRC32' as const }
      const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand(part))
      // S3 completes an upload that was begun with checksums only if each part's is named.
      return { PartNumber: index + 1, ETag, ChecksumCRC32 }
    })
    const done = await s3.send(
      new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: parts } }),
    )
    return done.ETag
  } catch (error) {
    // Parts of an upload that nobody completes would be paid for until a lifecycle rule finds them.
    await s3.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => undefined)
    throw error
  }
}
