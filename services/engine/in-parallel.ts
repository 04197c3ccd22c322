/**
 * Does `work` for each item, at most `limit` at a time, and gives the results in the items' order. Of the items that are at
 * work side by side each has a lane of its own, from 0 to `limit` - 1.
 * @throws the first failure, once nothing is under way any more: what is cleaned up afterwards is not written to again
 */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number, lane: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const left = items.entries()
  let failed = false
  const worker = async (lane: number) => {
    for (const [index, item] of left) {
      if (failed) return
      try {
        results[index] = await work(item, index, lane)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const ended = await Promise.allSettled(
    Array.from({ length: Math.min(limit, items.length) }, (_, lane) => worker(lane)),
  )
  for (const one of ended) if (one.status === 'rejected') throw one.reason
  return results
}
