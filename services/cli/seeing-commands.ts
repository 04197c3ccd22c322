import { type Command, InvalidArgumentError } from 'commander'
import { STATE_WORDS, type StateWord } from '../operations/runs.ts'
import { check } from './check.ts'
import { AWS_OPTION, DATASET_OPTION, instantOption, JSON_OPTION, wholeNumber } from './options.ts'
import { look, signal } from './process.ts'
import { rejects } from './rejects.ts'
import { runs } from './runs.ts'
import { show } from './show.ts'
import { status } from './status.ts'
import { type TraceOptions, trace } from './trace.ts'

const token = (text: string) => {
  if (!/^\d{4}-\d{2}-\d{2}T[\d:.]+Z#[0-9a-f]+$/.test(text))
    throw new InvalidArgumentError('Expected what the page before has printed.')
  return text
}
const RUN = "a run's id or its first characters (at least 4), or a landed key or s3:// URI (its newest run)"
const state = (word: string, words: StateWord[] = []): StateWord[] => {
  const found = STATE_WORDS.find((known) => known === word)
  if (!found) throw new InvalidArgumentError(`Expected one of ${STATE_WORDS.join(', ')}.`)
  return [...words, found]
}

type Common = { json?: boolean; aws?: boolean }
type RunsOptions = Common & {
  dataset?: string
  state?: StateWord[]
  since?: Date
  until?: Date
  source?: string
  cause?: string
  limit: number
  next?: string
}

/** Commands that change nothing: what waits, what became of it, and what would. */
export function registerSeeing(program: Command): void {
  program
    .command('status')
    .description('what waits, runs, failed and was rejected, by stage and dataset')
    .option('--watch', 'on a terminal, draw it again every 2 seconds until Ctrl-C')
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(look((options: Common & { watch?: boolean }) => status({ ...options, signal })))

  program
    .command('runs')
    .description('runs, newest first')
    .option('--dataset <name>', 'only of this dataset')
    .option(
      '--state <state>',
      `only in this state, or open or ended; repeat it for more (${STATE_WORDS.join(', ')})`,
      state,
    )
    .option('--since <when>', 'registered then or later: 2h, 3d, or ISO 8601', instantOption)
    .option('--until <when>', 'registered before then', instantOption)
    .option('--source <text>', 'source id, key, or part of one of them')
    .option('--cause <name>', 'only of this replay or rerun')
    .option('--limit <n>', 'runs of a page', wholeNumber(1, 1000), 50)
    .option('--next <token>', 'go on where a page ended', token)
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(look((options: RunsOptions) => runs(options)))

  program
    .command('show')
    .description('all about one run: lineage, balance, times, jobs, what to do')
    .argument('<run>', RUN)
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(look((text: string, options: Common) => show(text, options)))

  program
    .command('trace')
    .description("where a run's time went: waiting, starting, working; of a zip, its members' too")
    .argument('<run>', RUN)
    .option('--xray', "from X-Ray's trace of the run instead of the ledger")
    .option('--json', "print the run's X-Ray segment documents to standard output")
    .option(...AWS_OPTION)
    .action(look((text: string, options: TraceOptions) => trace(text, options)))

  program
    .command('rejects')
    .description('the rejected rows of a run: reason, column, value, line, original text')
    .argument('<run>', RUN)
    .option('--limit <n>', 'rows to show (default: 20, with --csv all)', wholeNumber(1, 1_000_000_000))
    .option('--csv', 'the original lines under the original header, to mend and land again')
    .option('--no-header', 'with --csv: without the header')
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(
      look((text: string, options: Common & { limit?: number; csv?: boolean; header: boolean }) =>
        rejects(text, options),
      ),
    )

  program
    .command('check')
    .description('what would happen to a file, before any of it is uploaded; needs no runtime')
    .argument('<file>', 'a zip or CSV')
    .option(...DATASET_OPTION)
    .option(...JSON_OPTION)
    .action(look((file: string, options: { dataset: string; json?: boolean }) => check(file, options)))
}
