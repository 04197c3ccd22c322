import { createReadStream, statSync } from 'node:fs'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { extract } from '../../services/unzip/extract.ts'

const [file = ''] = process.argv.slice(2)

/** S3 as a local file that is read, and parts that go nowhere: what is left is our own work. */
const local = {
  async send(command: object): Promise<unknown> {
    if (command instanceof GetObjectCommand) {
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(command.input.Range ?? '') ?? []
      // As large as the HTTP client's chunks.
      return { Body: createReadStream(file, { start: Number(start), end: Number(end), highWaterMark: 1 << 16 }) }
    }
    if (command instanceof CreateMultipartUploadCommand) return { UploadId: 'upload' }
    if (command instanceof UploadPartCommand) return { ETag: 'part' }
    if (command instanceof CompleteMultipartUploadCommand) return { ETag: 'etag', VersionId: 'version' }
    if (command instanceof AbortMultipartUploadCommand) return {}
    throw new Error(`There is no ${command.constructor.name} here.`)
  },
} as unknown as S3Client

const began = performance.now()
const { members } = await extract(
  local,
  { bucket: 'raw', key: file, versionId: 'v', etag: 'e', bytes: statSync(file).size },
  { bucket: 'raw', prefix: 'data/' },
  { maxBytes: 2 ** 40, maxMembers: 1000, maxRatio: 1000 },
  async () => {},
)
const bytes = members.reduce((sum, member) => sum + member.bytes, 0)
process.stdout.write(JSON.stringify({ seconds: (performance.now() - began) / 1000, bytes }))
