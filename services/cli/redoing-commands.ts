import { type Command, Option } from 'commander'
import { STAGES } from '../../events/replay.ts'
import { AWS_OPTION, instantOption, JSON_OPTION, wholeNumber, YES_OPTION } from './options.ts'
import { look, run } from './process.ts'
import { type RedriveOptions, redrive } from './redrive.ts'
import { type ReplayOptions, replay } from './replay.ts'
import { type ReplaysOptions, replays } from './replays.ts'

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
}
