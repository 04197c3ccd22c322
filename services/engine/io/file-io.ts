import { createHash, hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { ObjectGone, type ObjectIo, type ObjectRef } from './object-io.ts'

/** A stream has buffers of a MiB: with hundreds of small files, most of the time would go into those. */
const SMALL = 1024 ** 2

const hasCode = (error: unknown, ...codes: string[]) =>
  error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '')

/** Objects as files, for tests and benchmarks. Files have no versions: `versionId` and `etag` of what is read do not count. */
export const fileIo: ObjectIo = {
  async read({ uri }: ObjectRef): Promise<Readable> {
    const file = fileURLToPath(uri)
    try {
      const handle = await open(file)
      return handle.createReadStream({ highWaterMark: 1 << 20 })
    } catch (error) {
      if (hasCode(error, 'ENOENT')) throw new ObjectGone(uri, error)
      throw error
    }
  },

  async upload(file, uri) {
    const target = fileURLToPath(uri)
    await mkdir(dirname(target), { recursive: true })
    const { size } = await stat(file)
    if (size <= SMALL) {
      const whole = await readFile(file)
      await writeFile(target, whole)
      return { etag: `"${hash('md5', whole)}"`, bytes: size }
    }
    const md5 = createHash('md5')
    const hashing = new Transform({
      transform(chunk, _, done) {
        md5.update(chunk)
        done(null, chunk)
      },
    })
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hashing, createWriteStream(target))
    return { etag: `"${md5.digest('hex')}"`, bytes: (await stat(target)).size }
  },

  async putIfAbsent(uri, text) {
    const target = fileURLToPath(uri)
    await mkdir(dirname(target), { recursive: true })
    try {
      await writeFile(target, text, { flag: 'wx' })
      return true
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false
      throw error
    }
  },
}
