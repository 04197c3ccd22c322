import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { ENGINES, type Engine } from '../../infra/engine.ts'
import { NotLandable } from '../operations/land.ts'
import { QueryFailed } from '../operations/query.ts'
import { ask, down, landFiles, start, up } from './commands.ts'
import { EXIT, EXIT_HELP } from './exit.ts'
import { paint } from './format.ts'
import { lostRuntime, NothingUp } from './runtime.ts'
import { SAMPLE_DATABASE } from './sample.ts'
import { say } from './screen.ts'

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) return
    say('\nInterrupted: cleaning up')
    interrupted.abort(new Error('interrupted'))
  })
}

const { signal } = interrupted
let exitCode: number = EXIT.done
const run =
  <A extends unknown[]>(work: (...args: A) => Promise<number>) =>
  async (...args: A) => {
    exitCode = await work(...args)
  }

function port(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 65_535) throw new InvalidArgumentError('Expected 1 to 65535.')
  return value
}

const JSON_OPTION = ['--json', 'print JSON to standard output; progress stays on standard error'] as const
const AWS_OPTION = ['--aws', 'work on the stacks deployed to AWS, with your credentials and region'] as const
const DATASET_OPTION = ['--dataset <name>', 'dataset of the files, a contract in schemas/datasets', 'sales'] as const

const engineOption = () =>
  new Option('--engine <name>', 'what runs the Glue jobs; spark is what runs on AWS, and needs Java 17 here')
    .choices(ENGINES)
    .default('duckdb')

const program = new Command('landfall')
  .description('Files that land in S3 become a table you can trust.')
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .addHelpText('after', EXIT_HELP)

program
  .command('start')
  .description('run the whole chain once, on a private runtime that is gone afterwards')
  .argument('[files...]', 'zips or CSVs; without any, a zip like the real sales file is generated')
  .option(...DATASET_OPTION)
  .addOption(engineOption())
  .option(...JSON_OPTION)
  .action(
    run((files: string[], options: { dataset: string; engine: Engine; json?: boolean }) =>
      start(files, { ...options, signal }),
    ),
  )

program
  .command('up')
  .description('start a local runtime that stays; its state is in memory')
  .option('--port <n>', 'port of the runtime (default: a free one)', port)
  .addOption(engineOption())
  .option(...JSON_OPTION)
  .action(run((options: { port?: number; engine: Engine; json?: boolean }) => up({ ...options, signal })))

program
  .command('down')
  .description('stop the runtime that is up, and forget its state')
  .option(...JSON_OPTION)
  .action(run((options: { json?: boolean }) => down({ ...options, signal })))

program
  .command('land')
  .description('drop files where files land: zips in landing/, CSVs in data/')
  .argument('<files...>', 'zips or CSVs')
  .option(...DATASET_OPTION)
  .option('--wait', 'wait until each file has come to its end, and say which')
  .option(...JSON_OPTION)
  .option(...AWS_OPTION)
  .action(
    run((files: string[], options: { dataset: string; wait?: boolean; json?: boolean; aws?: boolean }) =>
      landFiles(files, { ...options, signal }),
    ),
  )

program
  .command('query')
  .description("ask a question through Athena's API")
  .argument('<sql>', 'the query')
  .option('--database <name>', 'Glue database', SAMPLE_DATABASE)
  .option(...JSON_OPTION)
  .option(...AWS_OPTION)
  .action(
    run((sql: string, options: { database: string; json?: boolean; aws?: boolean }) =>
      ask(sql, { ...options, signal }),
    ),
  )

async function codeOf(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (signal.aborted) return EXIT.interrupted
  say(`${paint('red', 'error:', process.stderr)} ${await inWords(error)}`)
  if (error instanceof NotLandable || error instanceof NothingUp) return EXIT.usage
  return error instanceof QueryFailed ? EXIT.refused : EXIT.broken
}

async function inWords(error: unknown): Promise<string> {
  const message = error instanceof Error ? error.message : String(error)
  if ((error as { code?: string }).code === 'ENOSPC')
    return `The disk is full: ${message}. Free some space, and try again.`
  return (await lostRuntime(error)) ?? message
}

try {
  await program.parseAsync()
} catch (error) {
  exitCode = await codeOf(error)
}
process.exitCode = exitCode
