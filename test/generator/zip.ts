import { createWriteStream } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'

export type ZipMember = {
  name: string
  /** A function opens its stream only when its turn comes. */
  stream: Readable | (() => Readable)
  /** @default true */
  compress?: boolean
}

/** Fixed, so that the same members give the same zip. */
const MTIME = new Date(Date.UTC(2018, 0, 1, 12))

/**
 * Writes a zip to a path or a stream, one member after the other, in constant memory.
 * @throws what a member's stream or the target throws.
 */
export async function writeZip(to: string | Writable, members: readonly ZipMember[]): Promise<void> {
  const zip = new ZipFile()
  const output = zip.outputStream as Readable
  zip.on('error', (error: Error) => output.destroy(error))
  for (const { name, stream, compress = true } of members) {
    zip.addReadStreamLazy(name, { mtime: MTIME, compress }, (done) => {
      const opened = typeof stream === 'function' ? stream() : stream
      opened.once('error', (error) => output.destroy(error))
      done(null, opened)
    })
  }
  zip.end()
  await pipeline(output, typeof to === 'string' ? createWriteStream(to) : to)
}
