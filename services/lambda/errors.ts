/**
 * Base of what goes wrong here. A retryable error throws and its message comes back; a terminal one is recorded with
 * its reason and acknowledged. Neither is swallowed.
 */
export class LandfallError extends Error {
  readonly code: string
  readonly retryable: boolean

  constructor(code: string, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.retryable = options.retryable
  }
}

/** The file's fault: its owner reads the message and mends it. The last good version stays in the table. */
export class Refused extends LandfallError {
  constructor(code: string, message: string) {
    super(code, message, { retryable: false })
  }
}

/** Something is busy or away: the same message will succeed later. */
export class TryAgain extends LandfallError {
  constructor(code: string, message: string, cause?: unknown) {
    super(code, message, { retryable: true, cause })
  }
}

/** The books do not balance or a rule of ours is broken: the run fails, loudly. */
export class Failed extends LandfallError {
  constructor(code: string, message: string, cause?: unknown) {
    super(code, message, { retryable: false, cause })
  }
}

const THROTTLED = /Throttl|Exceeded|TooMany|Conflict|InProgress|Timeout|ConcurrentModification/

/**
 * Whether the answer stays the same until a person mends something: a right or a thing that is missing, a request that
 * is wrong. Throttling, outages and lost connections pass by themselves.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof LandfallError) return !error.retryable
  const { name = '', $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }
  const status = $metadata?.httpStatusCode ?? 0
  return status >= 400 && status < 500 && status !== 408 && status !== 429 && !THROTTLED.test(name)
}

/** An error as a run's problem quotes it. */
export function inWords(error: unknown): string {
  if (error instanceof LandfallError) return error.message
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
