import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

/** S3 takes parts from 5 MiB (the last may be smaller), 10,000 of them. */
export const PART_BYTES = 8 * 1024 * 1024
export const MAX_UPLOAD_BYTES = 10_000 * PART_BYTES

/** One being filled, two in flight. */
const BUFFERS = 3

/**
 * The only memory that parts use, shared by all uploads of an extraction: who wants to fill a part waits until S3 has
 * taken an earlier one. That is the backpressure, and the bound.
 */
export class PartBuffers {
  readonly #free: Buffer[] = []
  readonly #waiting: ((buffer: Buffer) => void)[] = []
  #made = 0

  async take(): Promise<Buffer> {
    const free = this.#free.pop()
    if (free) return free
    if (this.#made < BUFFERS) {
      this.#made++
      return Buffer.allocUnsafeSlow(PART_BYTES)
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  give(buffer: Buffer): void {
    const next = this.#waiting.shift()
    if (next) next(buffer)
    else this.#free.push(buffer)
  }
}

/**
 * A multipart upload that stays open until it is told to complete or to abort. Nobody else sees its object before.
 * An error of S3 surfaces at the next `write`, or at `sent`.
 */
export class Upload {
  readonly key: string
  bytes = 0
  readonly #s3: S3Client
  readonly #target: { Bucket: string; Key: string }
  readonly #buffers: PartBuffers
  readonly #id: Promise<string>
  readonly #parts: Promise<CompletedPart>[] = []
  #filling: Buffer | undefined
  #filled = 0
  #failure: { error: unknown } | undefined

  constructor(s3: S3Client, buffers: PartBuffers, bucket: string, key: string) {
    this.key = key
    this.#s3 = s3
    this.#target = { Bucket: bucket, Key: key }
    this.#buffers = buffers
    this.#id = this.#create()
    // Told to whoever writes next; without a listener it would end the process meanwhile.
    this.#id.catch((error) => this.#fail(error))
  }

  /** Takes a copy of the chunk. */
  async write(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      if (this.#failure) throw this.#failure.error
      this.#filling ??= await this.#buffers.take()
      const copied = chunk.copy(this.#filling, this.#filled, from)
      from += copied
      this.#filled += copied
      this.bytes += copied
      if (this.#filled === PART_BYTES) this.#flush(this.#filling)
    }
  }

  /** No more bytes come. The last part is on its way when this returns. An empty object is one empty part. */
  async end(): Promise<void> {
    if (this.#failure) throw this.#failure.error
    if (this.#filling) this.#flush(this.#filling)
    else if (this.#parts.length === 0) this.#flush(await this.#buffers.take())
  }

  /** Waits until S3 has every part. */
  async sent(): Promise<void> {
    await Promise.all([this.#id, ...this.#parts])
  }

  /** Makes the object visible. Only after `sent`. */
  async complete(): Promise<{ etag: string; versionId: string }> {
    const answer = await this.#s3.send(
      new CompleteMultipartUploadCommand({
        ...this.#target,
        UploadId: await this.#id,
        MultipartUpload: { Parts: await Promise.all(this.#parts) },
      }),
    )
    // An unversioned bucket names no version; S3 calls that version "null" everywhere else.
    return { etag: answer.ETag ?? '', versionId: answer.VersionId ?? 'null' }
  }

  /**
   * Gives up. A part that arrives after an abort would stay, and cost, unseen: so those in flight are waited for.
   * @throws what S3 throws; the bucket's lifecycle rule for incomplete uploads removes what is then left.
   */
  async abort(): Promise<void> {
    await Promise.allSettled(this.#parts)
    const id = await this.#id.catch(() => undefined)
    if (id !== undefined) await this.#s3.send(new AbortMultipartUploadCommand({ ...this.#target, UploadId: id }))
  }

  async #create(): Promise<string> {
    const answer = await this.#s3.send(new CreateMultipartUploadCommand({ ...this.#target, ContentType: 'text/csv' }))
    if (!answer.UploadId) throw new Error(`CreateMultipartUpload of ${this.key} answered without an upload id`)
    return answer.UploadId
  }

  #flush(buffer: Buffer): void {
    const part = this.#send(buffer.subarray(0, this.#filled), this.#parts.length + 1).finally(() =>
      this.#buffers.give(buffer),
    )
    part.catch((error) => this.#fail(error))
    this.#parts.push(part)
    this.#filling = undefined
    this.#filled = 0
  }

  async #send(body: Buffer, number: number): Promise<CompletedPart> {
    const { ETag, ChecksumCRC32 } = await this.#s3.send(
      new UploadPartCommand({
        ...this.#target,
        UploadId: await this.#id,
        PartNumber: number,
        Body: body,
        ContentLength: body.length,
      }),
    )
    return { PartNumber: number, ETag, ...(ChecksumCRC32 && { ChecksumCRC32 }) }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
  }
}
