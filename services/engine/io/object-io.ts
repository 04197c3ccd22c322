import type { Readable } from 'node:stream'

/** One version of one object. */
export interface ObjectRef {
  uri: string
  etag?: string | undefined
  versionId?: string | undefined
}

/** Where a job's bytes come from and go to. `s3://` and `file://` are the two implementations. */
export interface ObjectIo {
  /** @throws ObjectGone if that very version is no longer there. */
  read(object: ObjectRef): Promise<Readable>
  /** Sends a local file. Memory does not grow with its size. */
  upload(file: string, uri: string): Promise<{ etag: string; bytes: number }>
  /** @returns false if something is there already: it stays. */
  putIfAbsent(uri: string, text: string): Promise<boolean>
}

/** The object, or the version of it that was meant, does not exist any more: its owner's doing, not a failure of ours. */
export class ObjectGone extends Error {
  override name = 'ObjectGone'
  constructor(uri: string, cause?: unknown) {
    super(`${keyOf(uri)} is gone, or is no longer the version that landed.`, { cause })
  }
}

/** The part of a URI that people know: the key of an S3 object, the path of a file. */
export const keyOf = (uri: string): string => {
  const s3 = /^s3:\/\/[^/]+\/(.*)$/s.exec(uri)
  return s3?.[1] ?? (uri.startsWith('file://') ? decodeURIComponent(new URL(uri).pathname) : uri)
}
