import { TryAgain } from '../lambda/errors.ts'

/** Before others may take it: their clocks may be ahead of ours, and a call that has begun takes its time. */
const MARGIN_MS = 60_000

/** A lock as its holder sees it: whoever slept or was frozen over its end stops before its next write. */
export type Lease = {
  /** @throws TryAgain when its time is over by our own clock */
  check: () => void
}

/**
 * Only differences of our own clock count, so it need not be right. It is the wall's: a monotonic one stands still while a
 * machine sleeps.
 * @param from when we took it, as that was written
 * @param what is held, in words
 */
export function leaseOf(now: () => Date, from: number, ms: number, what: string): Lease {
  const check = () => {
    const age = now().getTime() - from
    if (age < ms - MARGIN_MS) return
    const words = `${what} was held for ${Math.round(age / 1000)} s, and may be another's by now. What is left is done by the next attempt.`
    throw new TryAgain('lease_over', words)
  }
  return { check }
}
