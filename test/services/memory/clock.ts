/** Time stands still until a test moves it. */
export class Clock {
  ms: number

  constructor(start = '2026-01-01T00:00:00.000Z') {
    this.ms = Date.parse(start)
  }

  now = () => new Date(this.ms)
  advance = (ms: number) => {
    this.ms += ms
  }

  /** Sleeping is what moves the time for the one who sleeps. */
  sleep = async (ms: number) => this.advance(ms)
}

/** Ids that are never the same twice, and the same in every run of the test. */
export function counter(prefix = 'id'): () => string {
  let last = 0
  return () => `${prefix}${String(++last).padStart(4, '0')}`
}
