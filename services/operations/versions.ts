import {
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  ListObjectVersionsCommand,
  type ObjectIdentifier,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'

/** One version of a key, or one delete marker. */
export type ObjectVersion = {
  key: string
  versionId: string
  marker: boolean
  /** The newest of its key: what a reader without a version gets, or with a marker, does not get. */
  current: boolean
  bytes: number
}

/** Days after which a bucket's lifecycle takes objects out by itself. */
export type Retention = {
  /** Objects, from when they came to be. */
  objects?: number
  /** Versions that are not current, from when they were replaced or deleted. */
  noncurrent?: number
  /** Nobody may tell us. */
  unknown?: boolean
}

/** What people's commands need of a versioned bucket and stages do not: its past. */
export interface Versions {
  /** Every version and delete marker of every key that starts so. */
  list(bucket: string, prefix: string): Promise<ObjectVersion[]>
  /** For good. @throws Error saying how many of them are still there, and of the first, why */
  remove(bucket: string, versions: Pick<ObjectVersion, 'key' | 'versionId'>[]): Promise<void>
  retention(bucket: string): Promise<Retention>
}

/** DeleteObjects takes no more. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
const DELETED_AT_ONCE = 1000

export class S3Versions implements Versions {
  readonly #s3: S3Client

  constructor(s3: S3Client) {
    this.#s3 = s3
  }

  async list(bucket: string, prefix: string): Promise<ObjectVersion[]> {
    const found: ObjectVersion[] = []
    let next: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {}
    while (next) {
      const page: Page = await this.#s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...next }))
      for (const version of page.Versions ?? []) found.push(asVersion(version, false))
      for (const marker of page.DeleteMarkers ?? []) found.push(asVersion(marker, true))
      next = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker } : undefined
    }
    return found
  }

  async remove(bucket: string, versions: Pick<ObjectVersion, 'key' | 'versionId'>[]): Promise<void> {
    for (let i = 0; i < versions.length; i += DELETED_AT_ONCE) {
      const Objects: ObjectIdentifier[] = versions
        .slice(i, i + DELETED_AT_ONCE)
        .map(({ key, versionId }) => ({ Key: key, VersionId: versionId }))
      const { Errors = [] } = await this.#s3.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
      )
      const [first] = Errors
      if (first)
        throw new Error(
          `${Errors.length} of ${Objects.length} versions in ${bucket} were not deleted, first version ${first.VersionId} of ${first.Key}: ${first.Code} ${first.Message}. Deleting a version for good asks for s3:DeleteObjectVersion.`,
        )
    }
  }

  async retention(bucket: string): Promise<Retention> {
    try {
      const { Rules = [] } = await this.#s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }))
      const days = (of: (rule: (typeof Rules)[number]) => number | undefined) =>
        Rules.flatMap((rule) => (rule.Status === 'Enabled' ? (of(rule) ?? []) : [])).sort((a, b) => a - b)[0]
      return {
        objects: days(({ Expiration }) => Expiration?.Days),
        noncurrent: days(({ NoncurrentVersionExpiration }) => NoncurrentVersionExpiration?.NoncurrentDays),
      }
    } catch (error) {
      if (!(error instanceof S3ServiceException)) throw error
      if (error.name === 'NoSuchLifecycleConfiguration') return {}
      if (error.$metadata.httpStatusCode === 403) return { unknown: true }
      throw error
    }
  }
}

type Page = {
  Versions?: Listed[]
  DeleteMarkers?: Listed[]
  IsTruncated?: boolean
  NextKeyMarker?: string
  NextVersionIdMarker?: string
}
type Listed = { Key?: string; VersionId?: string; IsLatest?: boolean; Size?: number }

const asVersion = ({ Key = '', VersionId = 'null', IsLatest = false, Size = 0 }: Listed, marker: boolean) => ({
  key: Key,
  versionId: VersionId,
  marker,
  current: IsLatest,
  bytes: Size,
})
