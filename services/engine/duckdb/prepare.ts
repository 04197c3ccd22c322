import { type FileHandle, open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Plan } from '../../../schemas/plan.ts'
import { RefusedSource } from '../refused.ts'
import { BLOCK_BYTES, eachBlock } from './blocks.ts'
import { Cleaner, type Prepared } from './cleaner.ts'
import type { Layout } from './header.ts'
import type { RejectLog } from './rejects.ts'
import { BYTE_ORDER_MARK } from './sql.ts'
import { inUtf8 } from './transcode.ts'

interface Options {
  plan: Plan
  /** What people call the source; if it ends in `.gz` it is inflated. */
  key: string
  /** Where segments are written, without what tells their files apart. */
  file: string
  rejects: RejectLog
  /** A segment ends with the block that makes it this large. @default one for all */
  segmentBytes?: number
  /** Takes a segment that is finished and not the last: until then, nothing more is read. */
  next?: (finished: Segment, layout: Layout) => Promise<void>
  /** A line that does not fit is a reject, so at least as many as the longest allowed. @default 4 MiB */
  blockBytes?: number
}

/** Some of the source's records, in two files. Both begin with a byte order mark, are valid UTF-8, and have lines that end in LF. */
export interface Segment {
  /** Lines of canonical values. */
  clean: { file: string; lines: number }
  /** The others, each behind its place. */
  odd: { file: string; lines: number }
}

/**
 * Streams a source to segments, without its header and blank lines. Lines that are no record of as many fields as the header
 * has go to the rejects; none can swallow another.
 * @throws RefusedSource for a source that is not readable as a whole
 */
export async function prepare(
  source: Readable,
  { plan, key, file, rejects, segmentBytes = Number.POSITIVE_INFINITY, next, blockBytes = BLOCK_BYTES }: Options,
): Promise<Prepared & { last: Segment }> {
  const cleaner = new Cleaner(plan, key, rejects)
  let number = 0
  let before = 0
  let files = await SegmentFiles.open(file, number)
  try {
    await eachBlock(
      inUtf8(inflated(source, key), plan.source.encoding, key),
      async (bytes, end, last) => {
        const { taken, kept } = cleaner.block(bytes, end, last)
        await files.write(bytes.subarray(0, kept), cleaner.odd.take())
        await rejects.flush(false)
        if (next && cleaner.layout && files.bytes >= segmentBytes && !last) {
          await files.close()
          await next(files.segment(cleaner, before), cleaner.layout)
          before = cleaner.clean
          cleaner.odd.begin()
          number += 1
          files = await SegmentFiles.open(file, number)
        }
        return taken
      },
      blockBytes,
    )
  } catch (error) {
    // Only zlib's own errors have codes that begin so.
    const code = error instanceof Error ? String((error as NodeJS.ErrnoException).code) : ''
    if (!code.startsWith('Z_')) throw error
    throw new RefusedSource(
      'corrupt_gzip',
      `${key} is not a whole gzip file (${(error as Error).message}). Pack it again and land it again.`,
    )
  } finally {
    source.destroy()
    await files.close()
  }
  return { ...cleaner.result(), last: files.segment(cleaner, before) }
}

class SegmentFiles {
  bytes = 0
  readonly #clean: string
  readonly #odd: string
  readonly #handles: [FileHandle, FileHandle]
  #open = true

  private constructor(clean: string, odd: string, handles: [FileHandle, FileHandle]) {
    this.#clean = clean
    this.#odd = odd
    this.#handles = handles
  }
  static async open(file: string, number: number): Promise<SegmentFiles> {
    const [clean, odd] = [`${file}-${number}-clean.csv`, `${file}-${number}-odd.csv`]
    const files = new SegmentFiles(clean, odd, [await open(clean, 'w'), await open(odd, 'w')])
    await files.write(BYTE_ORDER_MARK, BYTE_ORDER_MARK)
    return files
  }

  async write(...contents: [clean: Uint8Array, odd: Uint8Array]): Promise<void> {
    for (const [i, bytes] of contents.entries()) {
      for (let written = 0; written < bytes.length; )
        written += (await this.#handles[i as 0 | 1].write(bytes, written)).bytesWritten
      this.bytes += bytes.length
    }
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    for (const handle of this.#handles) await handle.close()
  }

  /** @param before lines of canonical values in the segments before */
  segment({ clean, odd }: Cleaner, before: number): Segment {
    return {
      clean: { file: this.#clean, lines: clean - before },
      odd: { file: this.#odd, lines: odd.lines },
    }
  }
}

function inflated(source: Readable, key: string): Readable {
  if (!/\.gz$/i.test(key)) return source
  // The reader of the last stream gets the error of any.
  return pipeline(source, createGunzip({ chunkSize: 1 << 20 }), () => undefined)
}
