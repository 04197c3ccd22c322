import { type Command, InvalidArgumentError, Option } from 'commander'
import { STAGES } from '../../events/replay.ts'
import { RERUN_ONLY } from '../../events/rerun-asked.ts'
import { AWS_OPTION, instantOption, JSON_OPTION, wholeNumber, YES_OPTION } from './options.ts'
import { look, run } from './process.ts'
import { type RedriveOptions, redrive } from './redrive.ts'
import { type ReplayOptions, replay } from './replay.ts'
import { type ReplaysOptions, replays } from './replays.ts'
import { type RerunOptions, rerun } from './rerun.ts'
import { type WithdrawOptions, withdraw } from './withdraw.ts'

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

  program
    .command('replay')
    .description("have a stage hear the archive's object events of a window again")
    .requiredOption('--from <when>', 'start of the window: 2h, 3d, or ISO 8601', instantOption)
    .option('--to <when>', 'its end (default: now)', instantOption)
    .addOption(
      new Option(
        '--stage <stage>',
        'the stage; may be left out where --source tells: unzip for a zip, convert for a CSV',
      ).choices(STAGES),
    )
    .option('--dataset <name>', 'only events of this dataset')
    .option('--source <run>', "only those of one source, named by a run's id, a landed key, or an s3:// URI")
    .option('--wait', 'wait until all that comes of it has come to its end, and say how')
    .option(...YES_OPTION)
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(run((options: ReplayOptions) => replay(options)))

  program
    .command('replays')
    .description('replays, newest first, and what came of each; or cancel one')
    .option('--cancel <name>', 'replay no more of this one')
    .option('--limit <n>', 'replays to list', wholeNumber(1, 1000), 20)
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(look((options: ReplaysOptions) => replays(options)))

  program
    .command('withdraw')
    .description("take a source's rows, or all of a zip's, out of the table; say what still holds them, or erase that")
    .argument('<source>', "a landed key or s3:// URI, a source's id, or a run's id or its first characters")
    .option(
      '--erase',
      'delete for good, every version of every object, what holds the rows; and say what is left elsewhere',
    )
    .option(...YES_OPTION)
    .option(...JSON_OPTION)
    .option(...AWS_OPTION)
    .action(run((text: string, options: WithdrawOptions) => withdraw(text, options)))
}

const RERUN_HELP = `
A dataset has one rerun at a time: asked for again with the same options, the one at work is followed. Ctrl-C leaves it at work.
Exit codes: 0 all current, 1 some are not (each is named), 2 nothing was done, 3 it was stopped or could not be started.
`
