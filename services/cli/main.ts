import { Command, CommanderError } from 'commander'
import { NoSuchRun } from '../operations/find-run.ts'
import { NotLandable } from '../operations/land.ts'
import { QueryFailed } from '../operations/query.ts'
import { NotThere } from '../operations/rejects.ts'
import { NoReplay } from '../operations/replay.ts'
import { NotRerunnable } from '../operations/rerun.ts'
import { NoTrace } from '../operations/trace.ts'
import { NotConfirmed } from './confirm.ts'
import { EXIT, EXIT_HELP, WrongUsage } from './exit.ts'
import { paint } from './format.ts'
import { endWith, exitCode, listen, signal } from './process.ts'
import { registerRedoing } from './redoing-commands.ts'
import { lostRuntime, NothingUp } from './runtime.ts'
import { registerRuntime } from './runtime-commands.ts'
import { say } from './screen.ts'
import { registerSeeing } from './seeing-commands.ts'

const program = new Command('landfall')
  .description('Files that land in S3 become a table you can trust.')
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .addHelpText('after', EXIT_HELP)

registerRuntime(program)
registerSeeing(program)
registerRedoing(program)

const USAGE = [NotLandable, NothingUp, NoSuchRun, NotRerunnable, NoReplay, WrongUsage]
const REFUSED = [QueryFailed, NotThere, NoTrace]

async function codeOf(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (signal.aborted) return EXIT.interrupted
  if (error instanceof NotConfirmed) {
    say(error.message)
    return EXIT.refused
  }
  say(`${paint('red', 'error:', process.stderr)} ${await inWords(error)}`)
  if (USAGE.some((kind) => error instanceof kind)) return EXIT.usage
  return REFUSED.some((kind) => error instanceof kind) ? EXIT.refused : EXIT.broken
}

async function inWords(error: unknown): Promise<string> {
  const message = error instanceof Error ? error.message : String(error)
  if ((error as { code?: string }).code === 'ENOSPC')
    return `The disk is full: ${message}. Free some space, and try again.`
  return (await lostRuntime(error)) ?? message
}

listen()
try {
  await program.parseAsync()
} catch (error) {
  endWith(await codeOf(error))
}
process.exitCode = exitCode
