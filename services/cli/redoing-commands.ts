import { type Command, InvalidArgumentError, Option } from 'commander'
import { STAGES } from '../../events/replay.ts'
import { RERUN_ONLY } from '../../events/rerun-asked.ts'
import { AWS_OPTION, instantOption, JSON_OPTION, YES_OPTION } from './options.ts'
import { run } from './process.ts'
import { type RedriveOptions, redrive } from './redrive.ts'
import { type RerunOptions, rerun } from './rerun.ts'

type Only = (typeof RERUN_ONLY)[number]
const only = (word: string, words: Only[] = []): Only[] => {
  const found = RERUN_ONLY.find((known) => known === word)
  if (!found) throw new InvalidArgumentError(`Expected one of ${RERUN_ONLY.join(', ')}.`)
  return [...words, found]
}

/** Commands by which people take the chain into their own hands. */
export function registerRedoing(program: Command): void {
  program
    .command('redrive')
    .description('what is in the dead-letter queues, of which run and why; and send it back to its stages')
    .addOption(new Option('--stage <stage>', "only this stage's").choices(STAGES))
    .option('--dry-run', 'only show what would be sent back')
    .option(...YES_OPTION)
    .option('--wait', 'wait until each run that the messages name has come to its end, and say which')
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(run((options: RedriveOptions) => redrive(options)))

  program
    .command('rerun')
    .description(
      'run all sources of a dataset again, whatever became of them, and say what is different; zips that were not unzipped by --prefix landing/<dataset>/',
    )
    .argument('[dataset]', 'needed where there are several')
    .option(
      '--prefix <prefix>',
      'only keys that begin so: data/<dataset>/…, landing/<dataset>/…, or what follows data/<dataset>/',
    )
    .option(
      '--only <state>',
      `only sources whose last run ended so; repeat it for more (${RERUN_ONLY.join(', ')})`,
      only,
    )
    .option('--since <when>', 'only sources that landed then or later: 2h, 3d, or ISO 8601', instantOption)
    .option('--dry-run', 'after a new version of the contract: type all under it, and leave the table as people see it')
    .option('--no-wait', 'do not wait for its end')
    .option('--list', 'the reruns that there are, newest first, and how they ended; starts none')
    .option(...YES_OPTION)
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .addHelpText('after', RERUN_HELP)
    .action(run((dataset: string | undefined, options: RerunOptions) => rerun(dataset, options)))
}

const RERUN_HELP = `
A dataset has one rerun at a time: asked for again with the same options, the one at work is followed. Ctrl-C leaves it at work.
Exit codes: 0 all current, 1 some are not (each is named), 2 nothing was done, 3 it was stopped or could not be started.
`
