import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import pMap from 'p-map'
import { Failed, TryAgain } from '../lambda/errors.ts'

export type ObjectHead = {
  versionId: string
  etag: string
  bytes: number
  modified: Date
  /** CRC-64/NVME of the whole object, where S3 keeps one: of uploads that named no other checksum. */
  crc64?: string
}
export type ListedObject = { key: string; etag: string; bytes: number }
/** A page of a listing, by key. */
export type ListedPage = { objects: (ListedObject & { modified: Date })[]; more: boolean }
export type CopySource = { bucket: string; key: string; etag: string; versionId?: string; bytes: number }

/** What stages need of S3. Copies and deletes name the version or ETag that they mean. */
export interface Objects {
  /** The current version, or undefined where there is none. */
  head(bucket: string, key: string): Promise<ObjectHead | undefined>
  getText(bucket: string, key: string): Promise<string | undefined>
  putText(bucket: string, key: string, text: string): Promise<void>
  /** Server-side. Throws `object_changed` when the source is no longer the one meant. */
  copy(from: CopySource, to: { bucket: string; key: string }): Promise<{ versionId?: string; etag: string }>
  remove(bucket: string, keys: string[]): Promise<void>
  removeVersion(bucket: string, key: string, versionId: string): Promise<void>
  list(bucket: string, prefix: string): Promise<ListedObject[]>
  /** The first keys after `after`, at most 1,000. */
  page(bucket: string, prefix: string, after?: string): Promise<ListedPage>
  /** Names directly below `prefix` (which ends in `/`), without the slash. */
  folders(bucket: string, prefix: string): Promise<string[]>
}

/** CopyObject takes at most this; above it, parts are copied. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const COPY_LIMIT = 5 * 1024 ** 3
const COPY_PART = 1024 ** 3

const unquoted = (etag: string | undefined) => (etag ?? '').replaceAll('"', '')
const statusOf = (error: unknown) => (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode

// The header is decoded by S3: without encoding, `Cote d%27Ivoire` would name `Cote d'Ivoire`, and `+` a blank.
const copySource = ({ bucket, key, versionId }: CopySource) =>
  `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}${versionId ? `?versionId=${encodeURIComponent(versionId)}` : ''}`

export class S3Objects implements Objects {
  readonly #s3: S3Client

  constructor(s3: S3Client) {
    this.#s3 = s3
  }

  async head(bucket: string, key: string): Promise<ObjectHead | undefined> {
    try {
      const found = await this.#s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }))
      return {
        versionId: found.VersionId ?? 'null',
        etag: unquoted(found.ETag),
        bytes: found.ContentLength ?? 0,
        modified: found.LastModified ?? new Date(0),
        ...(found.ChecksumType === 'FULL_OBJECT' && found.ChecksumCRC64NVME && { crc64: found.ChecksumCRC64NVME }),
      }
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      // The answer to a HEAD has no body, so the SDK has no words for it.
      if (statusOf(error) === 403 && error instanceof Error)
        error.message = `reading ${bucket}/${key} is denied (S3 answers a HEAD with 403 and no reason; it asks for s3:GetObject)`
      throw error
    }
  }

  async getText(bucket: string, key: string): Promise<string | undefined> {
    try {
      const found = await this.#s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
      return await found.Body?.transformToString('utf-8')
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  }

  async putText(bucket: string, key: string, text: string): Promise<void> {
    await this.#s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text, ContentType: 'application/json' }))
  }

  async copy(from: CopySource, to: { bucket: string; key: string }) {
    try {
      if (from.bytes > COPY_LIMIT) return await this.#copyParts(from, to)
      const copied = await this.#s3.send(
        new CopyObjectCommand({
          Bucket: to.bucket,
          Key: to.key,
          CopySource: copySource(from),
          CopySourceIfMatch: from.etag,
          // Copying tags would need the right to read them, even where there are none.
          TaggingDirective: 'REPLACE',
        }),
      )
      return { versionId: copied.VersionId, etag: unquoted(copied.CopyObjectResult?.ETag) }
    } catch (error) {
      const status = statusOf(error)
      if (status === 404 || status === 412)
        throw new Failed('object_changed', `${from.bucket}/${from.key} is gone or is not ${from.etag} any more.`, error)
      throw error
    }
  }

  async #copyParts(from: CopySource, to: { bucket: string; key: string }) {
    const target = { Bucket: to.bucket, Key: to.key }
    const { UploadId } = await this.#s3.send(new CreateMultipartUploadCommand(target))
    const starts = Array.from({ length: Math.ceil(from.bytes / COPY_PART) }, (_, i) => i * COPY_PART)
    const parts = await pMap(
      starts,
      async (start, i) => {
        const part = await this.#s3.send(
          new UploadPartCopyCommand({
            ...target,
            UploadId,
            PartNumber: i + 1,
            CopySource: copySource(from),
            CopySourceIfMatch: from.etag,
            CopySourceRange: `bytes=${start}-${Math.min(start + COPY_PART, from.bytes) - 1}`,
          }),
        )
        return { PartNumber: i + 1, ETag: part.CopyPartResult?.ETag }
      },
      { concurrency: 4 },
    )
    const done = await this.#s3.send(
      new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: parts } }),
    )
    return { versionId: done.VersionId, etag: unquoted(done.ETag) }
  }

  async remove(bucket: string, keys: string[]): Promise<void> {
    for (let i = 0; i < keys.length; i += 1000) {
      const Objects = keys.slice(i, i + 1000).map((Key) => ({ Key }))
      const { Errors = [] } = await this.#s3.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
      )
      const [first] = Errors
      if (first)
        throw new TryAgain(
          'delete_failed',
          `${Errors.length} objects of ${bucket} were not deleted, first ${first.Key}: ${first.Message}`,
        )
    }
  }

  async removeVersion(bucket: string, key: string, versionId: string): Promise<void> {
    await this.#s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }))
  }

  async list(bucket: string, prefix: string): Promise<ListedObject[]> {
    const objects: ListedObject[] = []
    for await (const page of this.#pages(bucket, prefix)) {
      for (const { Key = '', ETag, Size = 0 } of page.Contents ?? [])
        objects.push({ key: Key, etag: unquoted(ETag), bytes: Size })
    }
    return objects
  }

  async page(bucket: string, prefix: string, after?: string): Promise<ListedPage> {
    const { Contents = [], IsTruncated } = await this.#s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, StartAfter: after }),
    )
    const objects = Contents.map(({ Key = '', ETag, Size = 0, LastModified = new Date(0) }) => ({
      key: Key,
      etag: unquoted(ETag),
      bytes: Size,
      modified: LastModified,
    }))
    return { objects, more: IsTruncated === true }
  }

  async folders(bucket: string, prefix: string): Promise<string[]> {
    const names: string[] = []
    for await (const page of this.#pages(bucket, prefix, '/')) {
      for (const { Prefix = '' } of page.CommonPrefixes ?? []) names.push(Prefix.slice(prefix.length, -1))
    }
    return names
  }

  async *#pages(bucket: string, prefix: string, delimiter?: string) {
    let token: string | undefined
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, Delimiter: delimiter, ContinuationToken: token }),
      )
      yield page
      token = page.NextContinuationToken
    } while (token)
  }
}
