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
