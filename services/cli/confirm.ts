import { createInterface } from 'node:readline'
import { WrongUsage } from './exit.ts'
import { quietly, signal } from './process.ts'

export type Confirmation = {
  /** What will be touched, line by line: shown whether or not anyone is asked. */
  touches: string
  /** As `Send back 3 messages?`. */
  question: string
  /** Answered beforehand. @default false */
  yes?: boolean
  /** Standard output is for a program, so that nothing is shown and only `yes` answers. @default false */
  json?: boolean
}

/** Where people are asked. Not standard output: that one may be piped. */
export type Terminal = {
  input: NodeJS.ReadableStream & { isTTY?: boolean }
  output: NodeJS.WritableStream & { isTTY?: boolean }
  signal: AbortSignal
}

/** Asked, and not answered with yes: nothing was done. */
export class NotConfirmed extends Error {}

const here: Terminal = { input: process.stdin, output: process.stderr, signal }

/** For the beginning of a command, before anything is looked at. @throws WrongUsage */
export function checkConfirmable({ yes, json }: Pick<Confirmation, 'yes' | 'json'>): void {
  if (json && !yes) throw new WrongUsage('--json is for programs, which cannot be asked: it needs --yes.')
}

/**
 * Before anything is destroyed or done again: shows what will be touched, and returns when that was confirmed, by `yes` or by
 * a person on a terminal. Only y and yes are a yes.
 *
 * @throws NotConfirmed for any other answer
 * @throws WrongUsage where no one can be asked
 * @throws the signal's reason at Ctrl-C
 */
export async function confirm(confirmation: Confirmation, terminal: Terminal = here): Promise<void> {
  const { touches, question, yes, json } = confirmation
  checkConfirmable(confirmation)
  const { input, output } = terminal
  if (!json) output.write(`${touches}\n`)
  if (yes) return
  if (!input.isTTY || !output.isTTY)
    throw new WrongUsage(
      `"${question}" is asked on a terminal, and there is none. Nothing was done; --yes answers it beforehand.`,
    )
  const answer = await quietly(() => ask(terminal, `\n${question} [y/N] `))
  if (!/^\s*y(es)?\s*$/i.test(answer)) throw new NotConfirmed('Nothing was done.')
}

/** The line that is typed; empty for the end of the input. */
async function ask({ input, output, signal }: Terminal, question: string): Promise<string> {
  signal.throwIfAborted()
  // Not readline's own terminal: in its raw mode Ctrl-C would be a character, and no signal.
  const lines = createInterface({ input, terminal: false })
  let interrupt = () => {}
  try {
    output.write(question)
    return await new Promise<string>((resolve, reject) => {
      interrupt = () => {
        output.write('\nNothing was done.\n')
        reject(signal.reason)
      }
      signal.addEventListener('abort', interrupt)
      lines.once('line', resolve)
      lines.once('close', () => {
        output.write('\n')
        resolve('')
      })
    })
  } finally {
    signal.removeEventListener('abort', interrupt)
    lines.removeAllListeners('close')
    lines.close()
  }
}
