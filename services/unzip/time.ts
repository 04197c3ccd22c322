import { TryAgain } from '../lambda/errors.ts'
import { ZipRefused } from './refusals.ts'
import type { ZipSource } from './zip-reader.ts'

/** The time of the function that extracts, in milliseconds. */
export type Time = {
  /** All that it had when it was called. */
  given: number
  /** What of it is left now. */
  left: () => number
  /** Uncompressed bytes that it surely writes in a second. */
  bytesPerSecond: number
}

/**
 * On AWS, where it was never measured. Inflating with CRC, limits and parts does 275 MB a second on one core (`npm run bench --
 * inflate`: 248 MB in 0.90 s), so it is not what bounds: a function's network is, some 75 MB a second by what people report, and
 * of a zip that is stored every byte goes over it twice. This is less than half of that. A laptop's emulator, with all else at work on two cores,
 * did 32 MB a second (`npm run bench -- landed`: 248 MB in 7.7 s).
 */
export const ASSUMED_BYTES_PER_SECOND = 30_000_000
/** As `infra/config.ts` deploys it on AWS, for who asks before there is a function. */
export const ASSUMED_TIME: Time = {
  given: 5 * 60_000,
  left: () => 5 * 60_000,
  bytesPerSecond: ASSUMED_BYTES_PER_SECOND,
}
/** For what follows the last byte: parts under way, completing, the ledger, keeping the zip by a copy within S3. */
export const RESERVE_MS = 30_000
/** A member's own calls of S3, of which eight are made at a time: to begin, to send, to complete. */
export const MEMBER_MS = 20

/** How long it takes at most to extract so much, without the reserve. */
export const workMs = (members: number, bytes: number, bytesPerSecond: number): number =>
  members * MEMBER_MS + (bytes / bytesPerSecond) * 1000

/** What is in a zip, by what it declares. */
type Work = { members: number; bytes: number }

const n = (value: number) => Math.round(value).toLocaleString('en')
const seconds = (ms: number) => `${n(ms / 1000)} s`

/**
 * @throws ZipRefused for a zip that a whole function could not extract; OutOfTime where too little is left of this one
 */
export function checkTime(zip: ZipSource, { members, bytes }: Work, { given, left, bytesPerSecond }: Time): void {
  const needed = workMs(members, bytes, bytesPerSecond)
  const holds = `${zip.key} declares ${n(bytes)} bytes in ${n(members)} CSVs, for which unzip may need ${seconds(needed)} (${n(bytesPerSecond)} bytes a second)`
  if (needed > given - RESERVE_MS)
    throw new ZipRefused(
      'too_long',
      `${holds}; it has ${seconds(given - RESERVE_MS)}. Split it into several zips, or land the CSVs themselves in data/.`,
    )
  if (needed > left() - RESERVE_MS)
    throw new OutOfTime(`${holds}; this function has only ${seconds(left() - RESERVE_MS)} left, the next one has more.`)
}

/** Nothing was written. Another function has its whole time, and S3 may be quicker. */
export class OutOfTime extends TryAgain {
  constructor(message: string) {
    super('out_of_time', message)
  }
}

/**
 * Does work that stops itself soon after `signal`, and is not waited for longer.
 * @param done says how far it came
 * @throws OutOfTime when only the reserve is left
 */
export async function within<T>(
  zip: ZipSource,
  { given, left }: Time,
  done: () => Work,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const over = Promise.withResolvers<never>()
  const ring = () => {
    const { members, bytes } = done()
    const message = `${zip.key} was not extracted in time: ${n(bytes)} bytes of ${n(members)} CSVs were written in ${seconds(given - left())}, and the function has ${seconds(given)}. Nothing of it is visible.`
    const error = new OutOfTime(message)
    stop.abort(error)
    over.reject(error)
  }
  const ms = left() - RESERVE_MS
  // Timers take no more than 31 bits.
  const timer = Number.isFinite(ms) ? setTimeout(ring, Math.min(Math.max(0, ms), 2 ** 31 - 1)) : undefined
  try {
    return await Promise.race([work(stop.signal), over.promise])
  } finally {
    clearTimeout(timer)
  }
}
