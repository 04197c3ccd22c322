import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

type Read = (start: number, end: number) => Iterable<Buffer>
type Stored = { bytes: Buffer; read?: Read; etag: string; versionId: string; contentType: string | undefined }
type Open = { key: string; contentType: string | undefined; parts: Map<number, Buffer> }

function exception(name: string, status: number): S3ServiceException {
  return new S3ServiceException({ name, message: name, $fault: 'client', $metadata: { httpStatusCode: status } })
}

/**
 * What `extract` uses of S3, in memory, with S3's rules: versions, If-Match, ranges, parts of at least 5 MiB, and no
 * object before its upload completes. Every call takes a turn of the event loop, so that calls can overlap.
 */
export class FakeS3 {
  readonly objects = new Map<string, Stored>()
  readonly open = new Map<string, Open>()
  /** Name of each command, in the order of their arrival. */
  readonly calls: string[] = []
  /** Uploads and parts at work at one time, at most. */
  mostPartsInFlight = 0
  /** Throws instead of answering when it returns an error. */
  fault: (command: object, nth: number) => Error | undefined = () => undefined
  /** Forgets parts, for measuring. */
  discard = false
  /** Parts that came after their upload was aborted: S3 may keep, and charge for, such a part. */
  strayParts = 0
  /** How long a part takes. */
  partMillis = 1
  /** As HTTP allows, and as some stores do. */
  ignoreRange = false
  #partsInFlight = 0
  #ids = 0

  get client(): S3Client {
    return this as unknown as S3Client
  }

  put(key: string, bytes: Buffer, contentType?: string): { versionId: string; etag: string } {
    const versionId = `v${++this.#ids}`
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
    this.objects.set(key, { bytes, etag, versionId, contentType })
    return { versionId, etag }
  }

  /** An object that is never in memory whole. */
  serve(key: string, { read }: { read: Read }): { versionId: string; etag: string } {
    const put = this.put(key, Buffer.alloc(0))
    this.objects.set(key, { bytes: Buffer.alloc(0), read, contentType: undefined, ...put })
    return put
  }

  async send(command: object): Promise<unknown> {
    this.calls.push(command.constructor.name.replace('Command', ''))
    const fault = this.fault(command, this.calls.length)
    await new Promise((resolve) => setImmediate(resolve))
    if (fault) throw fault
    if (command instanceof GetObjectCommand) return this.#get(command)
    if (command instanceof CreateMultipartUploadCommand) {
      const id = `u${++this.#ids}`
      const { Key = '', ContentType } = command.input
      this.open.set(id, { key: Key, contentType: ContentType, parts: new Map() })
      return { UploadId: id }
    }
    if (command instanceof UploadPartCommand) return this.#part(command)
    if (command instanceof CompleteMultipartUploadCommand) return this.#complete(command)
    if (command instanceof AbortMultipartUploadCommand) {
      if (!this.open.delete(command.input.UploadId ?? '')) throw exception('NoSuchUpload', 404)
      return {}
    }
    throw new Error(`The fake S3 has no ${command.constructor.name}`)
  }

  #get({ input }: GetObjectCommand): unknown {
    const stored = this.objects.get(input.Key ?? '')
    if (!stored) throw exception('NoSuchKey', 404)
    if (input.VersionId !== stored.versionId) throw exception('NoSuchVersion', 404)
    if (input.IfMatch !== stored.etag) throw exception('PreconditionFailed', 412)
    const range = /^bytes=(\d+)-(\d+)$/.exec(input.Range ?? '')
    if (!range) throw new Error(`Expected a range, found ${input.Range}`)
    if (stored.read)
      return { Body: Readable.from(stored.read(Number(range[1]), Number(range[2]) + 1), { objectMode: false }) }
    const wanted = this.ignoreRange ? stored.bytes : stored.bytes.subarray(Number(range[1]), Number(range[2]) + 1)
    function* chunks(): Generator<Buffer> {
      for (let at = 0; at < wanted.length; at += 65536) yield wanted.subarray(at, at + 65536)
    }
    return { Body: Readable.from(chunks(), { objectMode: false }) }
  }

  async #part({ input }: UploadPartCommand): Promise<unknown> {
    this.mostPartsInFlight = Math.max(this.mostPartsInFlight, ++this.#partsInFlight)
    await new Promise((resolve) => setTimeout(resolve, this.partMillis))
    this.#partsInFlight--
    const upload = this.open.get(input.UploadId ?? '')
    if (!upload) {
      this.strayParts++
      throw exception('NoSuchUpload', 404)
    }
    if (!(input.Body instanceof Buffer)) throw new Error('Expected a buffer')
    // A copy, as a network would make: the caller may use its buffer again once this has answered.
    upload.parts.set(input.PartNumber ?? 0, this.discard ? Buffer.alloc(0) : Buffer.from(input.Body))
    return { ETag: `"part${input.PartNumber}"` }
  }

  #complete({ input }: CompleteMultipartUploadCommand): unknown {
    const upload = this.open.get(input.UploadId ?? '')
    if (!upload) throw exception('NoSuchUpload', 404)
    const parts = (input.MultipartUpload?.Parts ?? []).map(({ PartNumber = 0 }) => upload.parts.get(PartNumber))
    if (parts.length === 0 || parts.includes(undefined)) throw exception('InvalidPart', 400)
    const bodies = parts as Buffer[]
    if (!this.discard && bodies.slice(0, -1).some((body) => body.length < 5 * 1024 * 1024)) {
      throw exception('EntityTooSmall', 400)
    }
    this.open.delete(input.UploadId ?? '')
    const { versionId, etag } = this.put(upload.key, Buffer.concat(bodies), upload.contentType)
    return { ETag: etag, VersionId: versionId }
  }
}
