import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
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
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { MemoryObjects } from './objects.ts'

const exception = (name: string, status: number) =>
  new S3ServiceException({ name, message: name, $fault: 'client', $metadata: { httpStatusCode: status } })

const unquoted = (etag: string) => etag.replaceAll('"', '')

/** `bucket/key?versionId=id`, its key encoded as in a URL. */
function copied(source: string) {
  const [, bucket = '', key = '', versionId] = /^([^/]+)\/([^?]+)(?:\?versionId=(.+))?$/.exec(source) ?? []
  return { bucket, key: decodeURIComponent(key), versionId: versionId && decodeURIComponent(versionId) }
}

/**
 * The client that the stages use, over the objects that a world has.
 * @param mayList whether a missing object of a bucket is told with 404; who may not list gets 403, as of S3
 */
export function memoryS3(objects: MemoryObjects, mayList: (bucket: string) => boolean = () => true): S3Client {
  const uploads = new Map<string, Map<number, Buffer>>()
  let last = 0
  const parts = (id = '') => {
    const found = uploads.get(id)
    if (!found) throw exception('NoSuchUpload', 404)
    return found
  }
  const missing = (bucket: string, name = 'NoSuchKey') =>
    mayList(bucket) ? exception(name, 404) : exception('AccessDenied', 403)
  const found = (bucket: string, key: string, versionId?: string, etag?: string) => {
    const version = objects.read(bucket, key, versionId)
    if (!version) throw missing(bucket, versionId ? 'NoSuchVersion' : 'NoSuchKey')
    if (etag !== undefined && unquoted(etag) !== version.etag) throw exception('PreconditionFailed', 412)
    return version
  }
  const head = async ({ Bucket = '', Key = '' }: HeadObjectCommand['input']) => {
    const current = await objects.head(Bucket, Key)
    if (!current) throw missing(Bucket)
    const { versionId, etag, bytes, modified } = current
    return { VersionId: versionId, ETag: `"${etag}"`, ContentLength: bytes, LastModified: modified }
  }
  const get = ({ Bucket = '', Key = '', VersionId, IfMatch, Range }: GetObjectCommand['input']) => {
    const { body } = found(Bucket, Key, VersionId, IfMatch)
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(Range ?? '') ?? []
    const range = body.subarray(Number(from ?? 0), to === undefined ? undefined : Number(to) + 1)
    return { Body: Object.assign(Readable.from([range]), { transformToString: async () => range.toString() }) }
  }
  const copy = async ({ Bucket = '', Key = '', CopySource = '', CopySourceIfMatch }: CopyObjectCommand['input']) => {
    const { bucket, key, versionId } = copied(CopySource)
    const { etag, body } = found(bucket, key, versionId, CopySourceIfMatch)
    const stored = await objects.copy(
      { bucket, key, versionId, etag, bytes: body.length },
      { bucket: Bucket, key: Key },
    )
    return { VersionId: stored.versionId, CopyObjectResult: { ETag: `"${stored.etag}"` } }
  }
  const list = ({
    Bucket = '',
    Prefix = '',
    StartAfter = '',
    ContinuationToken,
    Delimiter,
  }: ListObjectsV2Command['input']) => {
    const { pageSize } = objects
    const names = objects.keys(Bucket, Prefix).map((key) => {
      const end = Delimiter ? key.indexOf(Delimiter, Prefix.length) : -1
      return end < 0 ? key : key.slice(0, end + 1)
    })
    const rest = [...new Set(names)].filter((name) => name > (ContinuationToken ?? StartAfter))
    const page = rest.slice(0, pageSize)
    return {
      Contents: page.flatMap((Key) => {
        const version = objects.read(Bucket, Key)
        if (!version) return []
        return { Key, Size: version.body.length, ETag: `"${version.etag}"`, LastModified: version.modified }
      }),
      CommonPrefixes: Delimiter ? page.flatMap((Prefix) => (Prefix.endsWith(Delimiter) ? { Prefix } : [])) : [],
      IsTruncated: rest.length > pageSize,
      NextContinuationToken: rest.length > pageSize ? page.at(-1) : undefined,
    }
  }
  const send = async (command: object) => {
    if (command instanceof HeadObjectCommand) return head(command.input)
    if (command instanceof GetObjectCommand) return get(command.input)
    if (command instanceof CopyObjectCommand) return copy(command.input)
    if (command instanceof ListObjectsV2Command) return list(command.input)
    if (command instanceof PutObjectCommand) {
      const { Bucket = '', Key = '', Body } = command.input
      const stored = objects.put(Bucket, Key, Body as string)
      return { VersionId: stored.versionId, ETag: `"${stored.etag}"` }
    }
    if (command instanceof DeleteObjectsCommand) {
      const { Bucket = '', Delete } = command.input
      await objects.remove(
        Bucket,
        (Delete?.Objects ?? []).map(({ Key = '' }) => Key),
      )
      return {}
    }
    if (command instanceof DeleteObjectCommand) {
      const { Bucket = '', Key = '', VersionId = '' } = command.input
      await objects.removeVersion(Bucket, Key, VersionId)
      return {}
    }
    if (command instanceof CreateMultipartUploadCommand) {
      uploads.set(`u${++last}`, new Map())
      return { UploadId: `u${last}` }
    }
    if (command instanceof UploadPartCommand) {
      const { UploadId, PartNumber = 0, Body } = command.input
      parts(UploadId).set(PartNumber, Buffer.from(Body as Buffer))
      return { ETag: `"part${PartNumber}"` }
    }
    if (command instanceof CompleteMultipartUploadCommand) {
      const { UploadId = '', Bucket = '', Key = '' } = command.input
      const body = Buffer.concat([...parts(UploadId)].sort(([a], [b]) => a - b).map(([, part]) => part))
      uploads.delete(UploadId)
      const { etag, versionId } = objects.put(Bucket, Key, body, 'CompleteMultipartUpload')
      return { ETag: `"${etag}"`, VersionId: versionId }
    }
    if (command instanceof AbortMultipartUploadCommand) {
      parts(command.input.UploadId)
      uploads.delete(command.input.UploadId ?? '')
      return {}
    }
    throw new Error(`The memory S3 has no ${command.constructor.name}`)
  }
  return { send } as unknown as S3Client
}
