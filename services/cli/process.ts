import { EXIT } from './exit.ts'
import { say } from './screen.ts'

const interrupted = new AbortController()
let words: string | undefined = '\nInterrupted: cleaning up'

/** Aborts at Ctrl-C, or when the process is told to end. */
export const { signal } = interrupted

/** For a command that leaves nothing to clean up, and that only an interrupt ends. */
export function endsByInterrupt(): void {
  words = undefined
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

export function listen(): void {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (signal.aborted) return
      if (words) say(words)
      interrupted.abort(new Error('interrupted'))
    })
  }
  // A reader that has seen enough, as head has, is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}
