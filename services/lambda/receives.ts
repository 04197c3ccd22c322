/**
 * How often SQS hands out a message before it goes to the DLQ. The queue's redrive policy and the handlers both read it:
 * on the last receive `failed` is written before the attempt, so that DLQ and ledger agree.
 */
export const MAX_RECEIVES = 5

/** A test of what happens after the last receive need not wait seven minutes for it. */
const firstSeconds = () => Number(process.env.LANDFALL_RETRY_SECONDS ?? 5)

/**
 * Seconds until the nth attempt that failed comes back: 5, 20, 80, 320. Together longer than a lock that a killed
 * publisher left behind (6 minutes), so that such a message finds it free before its last receive.
 */
export const backoff = (receives: number): number =>
  Math.round(firstSeconds() * 4 ** Math.min(receives - 1, MAX_RECEIVES - 2))

/** Longer than a message is tried, 15 minutes: until then, what it tells is on its way. */
export const onItsWayMs = (): number => firstSeconds() * 180_000

/** From a message's first receive to its last. What AWS refuses for so long is not refused by a right on its way. */
export const patienceMs = (): number =>
  Array.from({ length: MAX_RECEIVES - 1 }, (_, i) => backoff(i + 1) * 1000).reduce((a, b) => a + b, 0)
