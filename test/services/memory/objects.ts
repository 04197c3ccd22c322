import { createHash } from 'node:crypto'
import type { S3ObjectEvent } from '../../../events/s3-object.ts'
import type { CopySource, ListedObject, ListedPage, ObjectHead, Objects } from '../../../services/jobs/objects.ts'
import { Failed } from '../../../services/lambda/errors.ts'

type Version = { versionId: string; etag: string; body: Buffer; modified: Date; marker: boolean }
export type Stored = { versionId: string; etag: string }

/** S3 as the stages use it: versions, delete markers, ETags, and an event for each change of a bucket that sends them. */
export class MemoryObjects implements Objects {
  /** Told of every change, also of those in buckets that send no events: the caller knows which do. */
  onEvent: (event: S3ObjectEvent) => void = () => {}
  readonly #now: () => Date
  readonly #unversioned: Set<string>
  /** Keys of a page of a listing; S3 gives 1,000. */
  pageSize = 20
  /** Newest last. */
  readonly #versions = new Map<string, Map<string, Version[]>>()
  #last = 0

  constructor(now: () => Date, unversioned: string[] = []) {
    this.#now = now
    this.#unversioned = new Set(unversioned)
  }

  put(bucket: string, key: string, body: string | Buffer, reason = 'PutObject'): Stored {
    const bytes = Buffer.from(body)
    const etag = createHash('md5').update(bytes).digest('hex')
    const version = this.#add(bucket, key, { etag, body: bytes, marker: false })
    this.#tell('Object Created', bucket, key, version, reason)
    return { versionId: version.versionId, etag }
  }

  /** The current text of every object below a prefix. */
  texts(bucket: string, prefix = ''): Map<string, string> {
    const keys = [...(this.#versions.get(bucket)?.keys() ?? [])].filter((key) => key.startsWith(prefix)).sort()
    return new Map(
      keys.flatMap((key) => {
        const body = this.#current(bucket, key)?.body
        return body ? [[key, body.toString()] as const] : []
      }),
    )
  }

  keys = (bucket: string, prefix = ''): string[] => [...this.texts(bucket, prefix).keys()]

  /** Every version and delete marker of every key below a prefix, newest first of each key, as S3 lists them. */
  versions(bucket: string, prefix = ''): (Version & { key: string; current: boolean })[] {
    const keys = [...(this.#versions.get(bucket)?.keys() ?? [])].filter((key) => key.startsWith(prefix)).sort()
    return keys.flatMap((key) =>
      this.#history(bucket, key)
        .map((version, i, all) => ({ ...version, key, current: i === all.length - 1 }))
        .reverse(),
    )
  }

  /** The version named, or the current one; never a delete marker. */
  read(bucket: string, key: string, versionId?: string): Version | undefined {
    if (versionId === undefined) return this.#current(bucket, key)
    return this.#history(bucket, key).find((version) => version.versionId === versionId && !version.marker)
  }

  async head(bucket: string, key: string): Promise<ObjectHead | undefined> {
    const found = this.#current(bucket, key)
    return found && { versionId: found.versionId, etag: found.etag, bytes: found.body.length, modified: found.modified }
  }

  async getText(bucket: string, key: string): Promise<string | undefined> {
    return this.#current(bucket, key)?.body.toString()
  }

  async putText(bucket: string, key: string, text: string): Promise<void> {
    this.put(bucket, key, text)
  }

  async copy(from: CopySource, to: { bucket: string; key: string }) {
    const found = this.read(from.bucket, from.key, from.versionId)
    if (found?.etag !== from.etag)
      throw new Failed('object_changed', `${from.bucket}/${from.key} is gone or is not ${from.etag} any more.`)
    return this.put(to.bucket, to.key, found.body, 'CopyObject')
  }

  async remove(bucket: string, keys: string[]): Promise<void> {
    if (keys.length === 0) throw new Error('MalformedXML: a delete names at least one object')
    for (const key of keys) {
      const marker = this.#add(bucket, key, { etag: '', body: Buffer.alloc(0), marker: true })
      if (this.#unversioned.has(bucket)) this.#versions.get(bucket)?.delete(key)
      this.#tell('Object Deleted', bucket, key, marker, 'DeleteObject')
    }
  }

  async removeVersion(bucket: string, key: string, versionId: string): Promise<void> {
    const history = this.#history(bucket, key)
    const at = history.findIndex((version) => version.versionId === versionId)
    const [gone] = at < 0 ? [] : history.splice(at, 1)
    if (gone) this.#tell('Object Deleted', bucket, key, gone, 'DeleteObject')
  }

  async list(bucket: string, prefix: string): Promise<ListedObject[]> {
    return this.keys(bucket, prefix).flatMap((key) => {
      const found = this.#current(bucket, key)
      return found ? [{ key, etag: found.etag, bytes: found.body.length }] : []
    })
  }

  async page(bucket: string, prefix: string, after = ''): Promise<ListedPage> {
    const found = this.keys(bucket, prefix).flatMap((key) => {
      const current = this.#current(bucket, key)
      if (!current || key <= after) return []
      return [{ key, etag: current.etag, bytes: current.body.length, modified: current.modified }]
    })
    return { objects: found.slice(0, this.pageSize), more: found.length > this.pageSize }
  }

  async folders(bucket: string, prefix: string): Promise<string[]> {
    const below = this.keys(bucket, prefix).map((key) => key.slice(prefix.length).split('/'))
    return [...new Set(below.flatMap(([folder, ...rest]) => (folder && rest.length > 0 ? folder : [])))]
  }

  #history(bucket: string, key: string): Version[] {
    const keys = this.#versions.get(bucket) ?? new Map<string, Version[]>()
    this.#versions.set(bucket, keys)
    const history = keys.get(key) ?? []
    keys.set(key, history)
    return history
  }

  #current(bucket: string, key: string): Version | undefined {
    const newest = this.#history(bucket, key).at(-1)
    return newest?.marker ? undefined : newest
  }

  #add(bucket: string, key: string, content: Pick<Version, 'etag' | 'body' | 'marker'>): Version {
    const history = this.#history(bucket, key)
    const unversioned = this.#unversioned.has(bucket)
    const version = { ...content, versionId: unversioned ? 'null' : `v${++this.#last}`, modified: this.#now() }
    if (unversioned) history.length = 0
    history.push(version)
    return version
  }

  #tell(type: 'Object Created' | 'Object Deleted', bucket: string, key: string, version: Version, reason: string) {
    this.onEvent({
      source: 'aws.s3',
      'detail-type': type,
      time: this.#now().toISOString(),
      detail: {
        bucket: { name: bucket },
        object: {
          key,
          ...(type === 'Object Created' && { size: version.body.length, etag: version.etag }),
          ...(!this.#unversioned.has(bucket) && { 'version-id': version.versionId }),
          sequencer: (++this.#last).toString(16).toUpperCase().padStart(16, '0'),
        },
        reason,
      },
    })
  }
}
