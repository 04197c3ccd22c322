import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { MemoryObjects } from './objects.ts'

/** Keys of one answer to a listing; S3 gives 1,000. */
const PAGE = 20

const exception = (name: string, status: number) =>
  new S3ServiceException({ name, message: name, $fault: 'client', $metadata: { httpStatusCode: status } })

/** What `unzip` streams through, over the same objects that the other stages see. */
export function memoryS3(objects: MemoryObjects): S3Client {
  const uploads = new Map<string, Map<number, Buffer>>()
  let last = 0
  const parts = (id = '') => {
    const found = uploads.get(id)
    if (!found) throw exception('NoSuchUpload', 404)
    return found
  }
  const get = ({ Bucket = '', Key = '', VersionId, IfMatch, Range }: GetObjectCommand['input']) => {
    const found = objects.read(Bucket, Key, VersionId)
    if (!found) throw exception(VersionId ? 'NoSuchVersion' : 'NoSuchKey', 404)
    if (IfMatch !== undefined && IfMatch.replaceAll('"', '') !== found.etag) throw exception('PreconditionFailed', 412)
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(Range ?? '') ?? []
    const body = found.body.subarray(Number(from ?? 0), to === undefined ? undefined : Number(to) + 1)
    return { Body: Readable.from([body]) }
  }
  const send = async (command: object) => {
    if (command instanceof GetObjectCommand) return get(command.input)
    if (command instanceof ListObjectsV2Command) {
      const { Bucket = '', Prefix = '', ContinuationToken = '' } = command.input
      const keys = objects.keys(Bucket, Prefix).filter((key) => key > ContinuationToken)
      const Contents = keys.slice(0, PAGE).map((Key) => {
        const found = objects.read(Bucket, Key)
        return { Key, Size: found?.body.length, LastModified: found?.modified }
      })
      return { Contents, NextContinuationToken: keys.length > PAGE ? keys[PAGE - 1] : undefined }
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
