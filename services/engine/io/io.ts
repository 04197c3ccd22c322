import { fileIo } from './file-io.ts'
import type { ObjectIo } from './object-io.ts'
import { s3Client, s3Io } from './s3-io.ts'

/** One `ObjectIo` for both kinds of URI. The S3 client is made when the first `s3://` comes. */
export function anyIo(env: NodeJS.ProcessEnv = process.env): ObjectIo {
  let s3: ObjectIo | undefined
  const pick = (uri: string): ObjectIo => {
    if (uri.startsWith('file://')) return fileIo
    s3 ??= s3Io(s3Client(env))
    return s3
  }
  return {
    read: (object) => pick(object.uri).read(object),
    upload: (file, uri) => pick(uri).upload(file, uri),
    putIfAbsent: (uri, text) => pick(uri).putIfAbsent(uri, text),
  }
}
