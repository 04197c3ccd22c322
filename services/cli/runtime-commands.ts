import type { Command } from 'commander'
import type { Engine } from '../../infra/engine.ts'
import { ask, down, landFiles, start, up } from './commands.ts'
import { AWS_OPTION, DATASET_OPTION, engineOption, JSON_OPTION, wholeNumber } from './options.ts'
import { run, signal } from './process.ts'
import { SAMPLE_DATABASE } from './sample.ts'

/** Commands that raise a runtime, and that put files in and get answers out. */
export function registerRuntime(program: Command): void {
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
    .option('--port <n>', 'port of the runtime (default: a free one)', wholeNumber(1, 65_535))
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
}
