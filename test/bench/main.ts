import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, loadavg, totalmem } from 'node:os'
import { promisify } from 'node:util'
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander'
import { table } from '../../services/cli/format.ts'
import { burst } from './burst.ts'
import { benchDir } from './data.ts'
import { engines } from './engines.ts'
import { growth } from './growth.ts'
import { inflate } from './inflate.ts'

import { landed } from './landed.ts'
import { ledger } from './ledger.ts'
import { type Found, type Goal, holds, type Part } from './part.ts'
import { tiny } from './tiny.ts'
import { tracing } from './tracing.ts'

const PARTS: Part[] = [engines, inflate, landed, burst, ledger, tiny, tracing, growth]
/** What the exit code says. A goal that is missed is no failure: how fast a machine is, is not the program's doing. */
const EXIT = { measured: 0, failed: 1, wrongUse: 2 } as const

type Options = { rows?: number; runs?: number; files?: number; countries?: number; json?: string; quick?: boolean }

function whole(text: string): number {
  const value = Number(text.replaceAll(/[_,]/g, ''))
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('Expected a whole number from 1.')
  return value
}

const command = new Command('bench')
  .description('Measures Landfall on this machine, beside other tools, on data that it makes itself.')
  .addArgument(new Argument('[part...]', 'what to measure').choices(PARTS.map(({ name }) => name)).default([], 'all'))
  .option('--rows <n>', 'rows of the data, where a part does not need several sizes', whole)
  .option('--runs <n>', 'how often each side runs; the median is shown', whole)
  .option('--files <n>', 'how many files, where a part lands many', whole)
  .option('--countries <n>', 'that occur in each of these files', whole)
  .option('--json <file>', 'write the figures there, too; - for standard output instead of the tables')
  .option('--quick', 'one run of each, and nothing that takes minutes')
  .addHelpText(
    'after',
    `\nParts:\n${PARTS.map(({ name, about }) => `  ${name.padEnd(8)}  ${about}`).join('\n')}
\nData and results are kept in ${benchDir}.\nExit codes: 0 measured, 1 not measured, 2 wrong use.`,
  )
  .exitOverride()

const say = (text: string) => process.stderr.write(`${text}\n`)

async function machine() {
  const { version } = createRequire(import.meta.url)('@duckdb/node-api/package.json') as { version: string }
  const said = async (file: string, ...args: string[]) =>
    await promisify(execFile)(file, args).then(
      ({ stdout, stderr }) => `${stdout}${stderr}`.split('\n')[0]?.trim() ?? '',
      () => null,
    )
  const requirements = await readFile(new URL('requirements.txt', import.meta.url), 'utf8')
  const pinned = (name: string) => new RegExp(`^${name}==(\\S+)`, 'm').exec(requirements)?.[1] ?? null
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    duckdb: version,
    java: await said('java', '-version'),
    pyspark: pinned('pyspark'),
    polars: pinned('polars'),
    unzip: await said('unzip', '-v'),
    load: loadavg().map((value) => Number(value.toFixed(2))),
  }
}

const verdict = (goal: Goal) => {
  const { what, found, atMost, atLeast, aim } = goal
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`
  return `${holds(goal) ? 'holds ' : 'MISSED'}  ${what}: ${found.toFixed(2)} (${bound}, aim ${aim})`
}

function show(name: string, { table: rows, goals, notes }: Found): void {
  const lines = [`\n${name}`, table(rows), ...goals.map(verdict), ...notes.map((note) => `- ${note}`)]
  process.stdout.write(`${lines.join('\n')}\n`)
}

async function main(): Promise<number> {
  try {
    command.parse()
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.measured : EXIT.wrongUse
    throw error
  }
  const { json, quick = false, ...sizes } = command.opts<Options>()
  const chosen = command.args.length > 0 ? PARTS.filter(({ name }) => command.args.includes(name)) : PARTS
  await mkdir(benchDir, { recursive: true })
  const date = new Date().toISOString()
  const on = await machine()
  const parts: Record<string, unknown> = {}
  const settings = { ...sizes, quick, say }
  let code: number = EXIT.measured
  for (const { name, run } of chosen) {
    try {
      const found = await run(settings)
      parts[name] = { ...found.figures, goals: found.goals.map((goal) => ({ ...goal, holds: holds(goal) })) }
      if (json !== '-') show(name, found)
    } catch (error) {
      say(`${name} was not measured: ${error instanceof Error ? error.message : String(error)}`)
      code = EXIT.failed
    }
  }
  const result = `${JSON.stringify({ date, machine: on, parts }, null, 2)}\n`
  if (json === '-') process.stdout.write(result)
  else {
    const file = json ?? `${benchDir}/bench.json`
    await writeFile(file, result)
    const { cores, memoryGiB, cpu, node, duckdb, load } = on
    process.stdout.write(
      `\n${date}: ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, DuckDB ${duckdb}; load ${load[0]} at the start. Figures: ${file}\n`,
    )
  }
  return code
}

process.exitCode = await main()
