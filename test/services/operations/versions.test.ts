import {
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  ListObjectVersionsCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { S3Versions } from '../../../services/operations/versions.ts'

/** S3 as far as it is asked here: what it answers, and what it was told. */
function s3(answers: (command: object) => object) {
  const told: object[] = []
  const send = async (command: { input: object }) => {
    told.push(command.input)
    return answers(command)
  }
  return { versions: new S3Versions({ send } as unknown as S3Client), told }
}

const refusal = (name: string, status: number) =>
  new S3ServiceException({ name, message: name, $fault: 'client', $metadata: { httpStatusCode: status } })

describe('the versions of a bucket', () => {
  it('are listed page by page, from within a key that has more of them than a page', async () => {
    const { versions, told } = s3((command) => {
      if (!(command instanceof ListObjectVersionsCommand)) throw new Error('not asked')
      return command.input.KeyMarker === undefined
        ? {
            IsTruncated: true,
            NextKeyMarker: 'a',
            NextVersionIdMarker: 'v2',
            DeleteMarkers: [{ Key: 'a', VersionId: 'v3', IsLatest: true }],
            Versions: [{ Key: 'a', VersionId: 'v2', IsLatest: false, Size: 2 }],
          }
        : { IsTruncated: false, Versions: [{ Key: 'a', VersionId: 'v1', IsLatest: false, Size: 1 }] }
    })
    expect(await versions.list('raw', 'a')).toEqual([
      { key: 'a', versionId: 'v2', marker: false, current: false, bytes: 2 },
      { key: 'a', versionId: 'v3', marker: true, current: true, bytes: 0 },
      { key: 'a', versionId: 'v1', marker: false, current: false, bytes: 1 },
    ])
    expect(told.at(-1)).toEqual({ Bucket: 'raw', Prefix: 'a', KeyMarker: 'a', VersionIdMarker: 'v2' })
  })

  it('are deleted a thousand at a time, and each by its id', async () => {
    const { versions, told } = s3(() => ({}))
    await versions.remove(
      'raw',
      Array.from({ length: 2001 }, (_, i) => ({ key: 'a', versionId: `v${i}` })),
    )
    const sizes = told.map((input) => (input as DeleteObjectsCommand['input']).Delete?.Objects?.length)
    expect(sizes).toEqual([1000, 1000, 1])
    expect(told.at(-1)).toEqual({ Bucket: 'raw', Delete: { Objects: [{ Key: 'a', VersionId: 'v2000' }], Quiet: true } })
  })

  it('that S3 does not delete are an error, which names how many, the first, and why', async () => {
    const { versions } = s3((command) =>
      command instanceof DeleteObjectsCommand
        ? { Errors: [{ Key: 'a', VersionId: 'v1', Code: 'AccessDenied', Message: 'Access Denied' }] }
        : {},
    )
    const two = [1, 2].map((n) => ({ key: 'a', versionId: `v${n}` }))
    await expect(versions.remove('raw', two)).rejects.toThrow(
      '1 of 2 versions in raw were not deleted, first version v1 of a: AccessDenied Access Denied. Deleting a version for good asks for s3:DeleteObjectVersion.',
    )
  })
})

describe('when a bucket lets go by itself', () => {
  it('is the shortest of its enabled rules', async () => {
    const { versions } = s3((command) =>
      command instanceof GetBucketLifecycleConfigurationCommand
        ? {
            Rules: [
              { Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } },
              { Status: 'Enabled', NoncurrentVersionExpiration: { NoncurrentDays: 90 } },
              { Status: 'Disabled', NoncurrentVersionExpiration: { NoncurrentDays: 1 } },
              { Status: 'Enabled', Expiration: { ExpiredObjectDeleteMarker: true } },
            ],
          }
        : {},
    )
    expect(await versions.retention('raw')).toEqual({ objects: undefined, noncurrent: 90 })
  })

  it.each([
    ['has no rules', refusal('NoSuchLifecycleConfiguration', 404), {}],
    ['may not be asked', refusal('AccessDenied', 403), { unknown: true }],
  ])('is told apart where it %s', async (_, error, expected) => {
    const { versions } = s3(() => {
      throw error
    })
    expect(await versions.retention('raw')).toEqual(expected)
  })
})
