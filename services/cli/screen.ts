import { basename } from 'node:path'
import type { Reject } from '../../schemas/report.ts'
import { landedToQueryable } from '../ledger/lineage.ts'
import type { Run } from '../ledger/run.ts'
import { ending, type StageTime, stageTimes, wentWell } from '../operations/outcome.ts'
import type { Answer } from '../operations/query.ts'
import { count, paint, plural, seconds, table } from './format.ts'

/** Progress goes to standard error, so that standard output can be piped. */
export const say = (text: string) => void process.stderr.write(`${text}\n`)
export const print = (text: string) => void process.stdout.write(`${text}\n`)

/** Enough of a run's id for people, who give it back to name the run. */
export const shortId = ({ runId }: Pick<Run, 'runId'>): string => runId.slice(0, 8)

/** Lines of what happens, each with the seconds since the start. */
export function clock(since = performance.now()) {
  return (stage: string, text: string) => {
    const at = ((performance.now() - since) / 1000).toFixed(1).padStart(6)
    say(`${paint('dim', `${at} s`, process.stderr)}  ${stage.padEnd(9)}  ${text}`)
  }
}

/** What a run's new state says of the stage that has just worked. */
export function describe(run: Run): [stage: string, text: string] {
  const name = basename(run.key)
  switch (run.state) {
    case 'extracting':
      return ['unzip', `${name} is being extracted`]
    case 'extracted':
      return [
        'unzip',
        `${name}: ${plural(run.members?.length ?? 0, 'CSV')}, ${plural(run.skipped?.length ?? 0, 'member')} skipped`,
      ]
    case 'queued':
      return ['convert', `${name} waits for a job`]
    case 'converted':
      return [
        'convert',
        `${name}: ${plural(run.rowsIn ?? 0, 'row')} in, ${count(run.accepted)} accepted, ${count(run.rejected)} rejected`,
      ]
    case 'published':
      return [
        'partition',
        `${name}: ${plural(run.deliveredObjects ?? 0, 'object')} in ${plural(run.partitions ?? 0, 'partition')}`,
      ]
    case 'delivered':
      return ['catalog', `${name}: queryable`]
    case 'refused':
    case 'failed':
    case 'superseded':
      return [
        run.kind === 'zip' ? 'unzip' : 'chain',
        `${paint('red', run.state, process.stderr)}: ${run.problem?.message ?? name}`,
      ]
  }
}

export const rejectLine = ({ line, column, value, reason }: Reject) =>
  [count(line ?? undefined), column ?? '(row)', value === null ? '' : JSON.stringify(value), reason] as string[]

/** What became of the files: a line each, rejects with reasons, and where the time went. */
export function summary(runs: Run[]): string {
  const zips = new Map(runs.filter(({ kind }) => kind === 'zip').map((run) => [run.runId, run]))
  const sources = runs.filter(({ kind, state }) => kind === 'csv' || state !== 'extracted')
  const blocks = [
    table([
      ['source', 'rows in', 'accepted', 'rejected', 'partitions', 'landed to queryable', 'ended'],
      ...sources.map((run) => [
        run.key.replace(/^(data|landing)\//, ''),
        count(run.rowsIn),
        count(run.accepted),
        count(run.rejected),
        count(run.partitions),
        seconds(landedToQueryable(run, zips.get(run.zip?.runId ?? ''))),
        ending(run),
      ]),
    ]),
  ]
  for (const run of runs) {
    if (!wentWell(run)) blocks.push(`${paint('red', run.key)}\n  ${run.problem?.message ?? run.state}`)
    for (const { name, reason } of run.skipped ?? []) blocks.push(`${run.key}: ${name} was skipped: ${reason}`)
    if (run.examples?.length) blocks.push(rejects(run, run.examples))
  }
  const times = [...zips.values(), ...sources.filter(({ kind }) => kind === 'csv')].flatMap(stageTimes)
  if (times.length > 0) blocks.push(timeTable(times))
  return blocks.join('\n\n')
}

function rejects(run: Run, examples: Reject[]): string {
  const more = (run.rejected ?? 0) - examples.length
  const title = `Rejected of ${basename(run.key)}:`
  const rest = more > 0 ? `\n… and ${count(more)} more` : ''
  return `${title}\n${table([['line', 'column', 'value', 'reason'], ...examples.map(rejectLine)])}${rest}`
}

/** The longest of each, where several sources went through a stage side by side. */
function timeTable(times: StageTime[]): string {
  const stages = [...new Set(times.map(({ stage }) => stage))]
  const longest = (stage: string, part: 'waited' | 'job' | 'took') => {
    const known = times.flatMap((time) => (time.stage === stage ? (time[part] ?? []) : []))
    return known.length > 0 ? Math.max(...known) : undefined
  }
  return table([
    ['stage', 'waited', 'Glue job', 'in all'],
    ...stages.map((stage) => [
      stage,
      ...(['waited', 'job', 'took'] as const).map((part) => seconds(longest(stage, part))),
    ]),
  ])
}

export const answerTable = ({ columns, rows }: Answer): string =>
  table([columns.map(({ name }) => name), ...rows.map((row) => row.map((value) => value ?? ''))])
