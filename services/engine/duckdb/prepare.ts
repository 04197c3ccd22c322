import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Plan } from '../../../schemas/plan.ts'
import { RefusedSource } from '../refused.ts'
import { BLOCK_BYTES, eachBlock } from './blocks.ts'
import { Cleaner, type Prepared } from './cleaner.ts'
import type { RejectLog } from './rejects.ts'

/** DuckDB skips one at the start of a file: with this one there, text of the first row that looks like one is safe. */
export const BYTE_ORDER_MARK = Buffer.from('\ufeff')

interface Options {
  plan: Plan
  /** What people call the source; if it ends in `.gz` it is inflated. */
  key: string
  /** The clean file to write. */
  file: string
  rejects: RejectLog
  /** A line that does not fit is a reject, so at least as many as the longest allowed. @default 4 MiB */
  blockBytes?: number
}

/**
 * Streams a source to a clean file: a byte order mark, no header, no blank lines, every line ended by LF, valid UTF-8, and a
 * record of as many fields as the header has. Lines that are no such record go to the rejects; none can swallow another.
 * @throws RefusedSource for a source that is not readable as a whole
 */
export async function prepare(
  source: Readable,
  { plan, key, file, rejects, blockBytes = BLOCK_BYTES }: Options,
): Promise<Prepared> {
  const clean = await open(file, 'w')
  const cleaner = new Cleaner(plan, key, rejects)
  await clean.write(BYTE_ORDER_MARK)
  try {
    await eachBlock(
      inflated(source, key),
      async (bytes, end, last) => {
        const { taken, kept } = cleaner.block(bytes, end, last)
        for (let written = 0; written < kept; )
          written += (await clean.write(bytes, written, kept - written)).bytesWritten
        await rejects.flush()
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
  return cleaner.result()
}

function inflated(source: Readable, key: string): Readable {
  if (!/\.gz$/i.test(key)) return source
  // The reader of the last stream gets the error of any.
  return pipeline(source, createGunzip({ chunkSize: 1 << 20 }), () => undefined)
}
