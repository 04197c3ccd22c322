import type { ObjectVersion, Retention, Versions } from '../../../services/operations/versions.ts'
import type { MemoryObjects } from './objects.ts'

/** The past of the same objects. */
export class MemoryVersions implements Versions {
  /** Told of every version before it goes. */
  onRemove: (bucket: string, version: Pick<ObjectVersion, 'key' | 'versionId'>) => void | Promise<void> = () => {}
  readonly #objects: MemoryObjects
  readonly #retention: Record<string, Retention>

  constructor(objects: MemoryObjects, retention: Record<string, Retention>) {
    this.#objects = objects
    this.#retention = retention
  }

  async list(bucket: string, prefix: string): Promise<ObjectVersion[]> {
    return this.#objects
      .versions(bucket, prefix)
      .map(({ key, versionId, marker, current, body }) => ({ key, versionId, marker, current, bytes: body.length }))
  }

  async remove(bucket: string, versions: Pick<ObjectVersion, 'key' | 'versionId'>[]): Promise<void> {
    for (const version of versions) {
      await this.onRemove(bucket, version)
      await this.#objects.removeVersion(bucket, version.key, version.versionId)
    }
  }

  retention = async (bucket: string): Promise<Retention> => this.#retention[bucket] ?? {}
}
