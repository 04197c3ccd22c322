import { type FileHandle, open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Plan } from '../../../schemas/plan.ts'
import { RefusedSource } from '../refused.ts'
import { BLOCK_BYTES, eachBlock } from './blocks.ts'
import { Cleaner, type Prepared } from './cleaner.ts'
import type { Layout } from './header.ts'
import type { RejectLog } from './rejects.ts'

/** DuckDB skips one at the start of a file: with this one there, text of the first row that looks like one is safe. */
export const BYTE_ORDER_MARK = Buffer.from('\ufeff')

interface Options {
  plan: Plan
  /** What people call the source; if it ends in `.gz` it is inflated. */
  key: string
  /** The clean file to write, the first one if there are several. */
  file: string
  /** Without it there is one clean file, whatever its size. */
  segments?: {
    /** A clean file ends with the block that makes it this large. */
    bytes: number
    /** Takes a file that is finished, and says which one to go on with: until then, nothing more is read. */
    next: (finished: Segment, layout: Layout) => Promise<string>
  }
  rejects: RejectLog
  /** @default one of its own */
  cleaner?: Cleaner
  /** A line that does not fit is a reject, so at least as many as the longest allowed. @default 4 MiB */
  blockBytes?: number
}

/** A clean file, and which of the source's clean lines are in it. */
export interface Segment {
  file: string
  /** Clean lines before its first. */
  before: number
  lines: number
}

/**
 * Streams a source to a clean file: a byte order mark, no header, no blank lines, every line ended by LF, valid UTF-8, and a
 * record of as many fields as the header has. Lines that are no such record go to the rejects; none can swallow another.
 * @throws RefusedSource for a source that is not readable as a whole
 */
export async function prepare(
  source: Readable,
  { plan, key, file, segments, rejects, cleaner = new Cleaner(plan, key, rejects), blockBytes = BLOCK_BYTES }: Options,
): Promise<Prepared & { last: Segment }> {
  let segment: Segment = { file, before: 0, lines: 0 }
  let clean = await begin(file)
  let bytesOfSegment = 0
  try {
    await eachBlock(
      inflated(source, key),
      async (bytes, end, last) => {
        const { taken, kept } = cleaner.block(bytes, end, last)
        for (let written = 0; written < kept; )
          written += (await clean.write(bytes, written, kept - written)).bytesWritten
        bytesOfSegment += kept
        segment.lines = cleaner.clean - segment.before
        await rejects.flush(false)
        if (segments && cleaner.layout && bytesOfSegment >= segments.bytes && !last) {
          await clean.close()
          segment = { file: await segments.next(segment, cleaner.layout), before: cleaner.clean, lines: 0 }
          clean = await begin(segment.file)
          bytesOfSegment = 0
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
    await clean.close()
  }
  return { ...cleaner.result(), last: segment }
}

async function begin(file: string): Promise<FileHandle> {
  const handle = await open(file, 'w')
  await handle.write(BYTE_ORDER_MARK)
  return handle
}

function inflated(source: Readable, key: string): Readable {
  if (!/\.gz$/i.test(key)) return source
  // The reader of the last stream gets the error of any.
  return pipeline(source, createGunzip({ chunkSize: 1 << 20 }), () => undefined)
}
