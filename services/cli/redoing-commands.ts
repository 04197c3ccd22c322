import { type Command, Option } from 'commander'
import { STAGES } from '../../events/replay.ts'
import { AWS_OPTION, JSON_OPTION, YES_OPTION } from './options.ts'
import { run } from './process.ts'
import { type RedriveOptions, redrive } from './redrive.ts'

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
}
