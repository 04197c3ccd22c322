import { EXIT } from './exit.ts'
import { say } from './screen.ts'

const interrupted = new AbortController()
/** `clean`: the command hears of it and takes down what it has put up. `leave`: there is nothing of the kind. */
let manner: 'clean' | 'leave' | 'end' = 'clean'

/** Aborts at Ctrl-C, or when the process is told to end. */
export const { signal } = interrupted

/** For a command that only an interrupt ends: it hears of it, and ends well. */
export function endsByInterrupt(): void {
  manner = 'end'
}

/** While a question stands, nothing has been put up yet: whoever asks hears of an interrupt, and says what it means. */
export async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const before = manner
  manner = 'end'
  try {
    return await work()
  } finally {
    manner = before
  }
}

/** What the process will end with. */
export let exitCode: number = EXIT.done
export function endWith(code: number): void {
  exitCode = code
}

/** A command's action: the number that it gives is the exit code. */
export const run =
  <A extends unknown[]>(work: (...args: A) => Promise<number>) =>
  async (...args: A) => {
    exitCode = await work(...args)
  }

/** As `run`, for a command that changes nothing: an interrupt ends it at once. */
export const look = <A extends unknown[]>(work: (...args: A) => Promise<number>) =>
  run(async (...args: A) => {
    manner = 'leave'
    return await work(...args)
  })

export function listen(): void {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (signal.aborted) return
      interrupted.abort(new Error('interrupted'))
      if (manner === 'clean') say('\nInterrupted: cleaning up')
      // Whoever has a temporary folder hears of it too, and removes it first.
      if (manner === 'leave') setImmediate(() => process.exit(EXIT.interrupted))
    })
  }
  // A reader that has seen enough, as head has, is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}
