import { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import type { ZipBytes } from './bytes.ts'
import { ZipGone } from './refusals.ts'

/** One version of a zip. */
export type ZipSource = { bucket: string; key: string; versionId: string; etag: string; bytes: number }

/** What a small read fetches around itself. A zip no larger than this costs one GET. */
const WINDOW = 256 * 1024

type Window = { start: number; bytes: Buffer }

/**
 * Reads a zip in place, by ranged GETs of one version. The end of the file (where the directory is) is kept, and what
 * was read ahead last; a member's data is one GET.
 *
 * A stream that fails while it is inflated fails in inflating, so errors of S3 are kept in `failure`: whoever catches an error
 * asks there first. Nothing is held open between reads, so there is nothing to close.
 */
export class ZipReader implements ZipBytes {
  readonly #s3: S3Client
  readonly #zip: ZipSource
  #tail: Window | undefined
  #ahead: Window | undefined
  #failure: { error: unknown } | undefined

  constructor(s3: S3Client, zip: ZipSource) {
    this.#s3 = s3
    this.#zip = zip
  }

  /** Throws the error of S3, if there was one. */
  throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }

  async read(start: number, length: number, ahead = true): Promise<Buffer> {
    const end = start + length
    if (end > this.#zip.bytes) throw new Error(`Expected ${length} bytes at ${start}, found ${this.#zip.bytes} in all`)
    const cached = this.#cached(start)
    if (cached && cached.length >= length) return cached.subarray(0, length)
    const inTail = start >= this.#zip.bytes - WINDOW
    const from = inTail ? Math.max(0, this.#zip.bytes - WINDOW) : start
    const to = inTail ? this.#zip.bytes : Math.min(this.#zip.bytes, ahead ? Math.max(end, start + WINDOW) : end)
    const window = { start: from, bytes: await this.#fetch(from, to) }
    if (inTail) this.#tail = window
    else if (ahead) this.#ahead = window
    return window.bytes.subarray(start - from, end - from)
  }

  stream(start: number, length: number): Readable {
    const abort = new AbortController()
    const stream = Readable.from(this.#chunks(start, length, abort.signal), { objectMode: false })
    // Destroying the stream must also end a GET that has not answered yet.
    stream.once('close', () => abort.abort())
    return stream
  }

  async *#chunks(start: number, length: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const cached = this.#cached(start)?.subarray(0, length)
    if (cached?.length) yield cached
    const from = start + (cached?.length ?? 0)
    if (from < start + length) yield* this.#get(from, start + length, signal)
  }

  #cached(start: number): Buffer | undefined {
    const window = [this.#tail, this.#ahead].find((w) => w && start >= w.start && start < w.start + w.bytes.length)
    return window?.bytes.subarray(start - window.start)
  }

  async #fetch(start: number, end: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of this.#get(start, end)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  /** One GET. Its bytes are as many as asked for, or it throws: a connection cut short must not look like a short zip. */
  async *#get(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const { bucket, key, versionId, etag } = this.#zip
    const input = { Bucket: bucket, Key: key, VersionId: versionId, IfMatch: etag, Range: `bytes=${start}-${end - 1}` }
    const get = this.#s3.send(new GetObjectCommand(input), signal ? { abortSignal: signal } : {})
    const { Body: body } = await this.#noted(get, signal)
    if (!(body instanceof Readable)) throw new Error(`GetObject of ${key} answered without a stream`)
    try {
      const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]()
      let got = 0
      for (;;) {
        const next = await this.#noted(chunks.next(), signal)
        if (!next.done) got += next.value.length
        if (next.done ? got < end - start : got > end - start) {
          throw this.#note(new Error(`GetObject of ${key} gave ${got} bytes; ${input.Range} is ${end - start} bytes`))
        }
        if (next.done) return
        // Outside of what is noted: whoever reads may throw here, and that is no failure of S3.
        yield next.value
      }
    } finally {
      body.destroy()
    }
  }

  async #noted<T>(answer: Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await answer
    } catch (error) {
      throw signal?.aborted ? error : this.#note(error)
    }
  }

  #note(error: unknown): unknown {
    this.#failure ??= { error: this.#gone(error) ?? error }
    return this.#failure.error
  }

  #gone(error: unknown): ZipGone | undefined {
    if (!(error instanceof S3ServiceException) || error.name === 'NoSuchBucket') return undefined
    const status = error.$metadata.httpStatusCode
    if (status !== 404 && status !== 412) return undefined
    const { bucket, key, versionId } = this.#zip
    const found = status === 404 ? 'it is no longer there' : 'another object is in its place'
    return new ZipGone(
      `Version ${versionId} of ${bucket}/${key} was to be extracted, but ${found}. Land the zip again.`,
    )
  }
}
