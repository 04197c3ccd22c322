import type { Readable } from 'node:stream'

export const BLOCK_BYTES = 4 * 1024 ** 2

/**
 * Cuts a stream into blocks of one reused buffer. What the consumer does not take comes again in front of the next block, so
 * memory stays at one block whatever the stream's length.
 * @param consume gets the buffer, the end of what is filled, and whether nothing follows; returns how far it came. It may write
 * anywhere up to one byte beyond that end
 */
export async function eachBlock(
  stream: Readable,
  consume: (bytes: Buffer, end: number, last: boolean) => Promise<number>,
  blockBytes = BLOCK_BYTES,
): Promise<void> {
  const block = Buffer.allocUnsafe(blockBytes + 1)
  let filled = 0
  const give = async (last: boolean) => {
    const taken = await consume(block, filled, last)
    if (taken === 0 && filled === blockBytes) throw new Error('The consumer of a full block took nothing of it.')
    block.copyWithin(0, taken, filled)
    filled -= taken
  }
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let from = 0; from < chunk.length; ) {
      const copied = chunk.copy(block, filled, from, from + blockBytes - filled)
      filled += copied
      from += copied
      if (filled === blockBytes) await give(false)
    }
  }
  await give(true)
}
