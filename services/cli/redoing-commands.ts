import { type Command, Option } from 'commander'
import { STAGES } from '../../events/replay.ts'
import { AWS_OPTION, JSON_OPTION, YES_OPTION } from './options.ts'
import { run } from './process.ts'
import { type RedriveOptions, redrive } from './redrive.ts'
import { type WithdrawOptions, withdraw } from './withdraw.ts'

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
