import {
  doneReruns,
  endedRows,
  type OpenRerun,
  openRerun,
  pendingRows,
  type RerunState,
  type RerunTotals,
  rerunState,
} from '../ledger/reruns.ts'
import type { Landfall } from './connect.ts'
import type { Execution } from './machine.ts'
import { executionName } from './rerun.ts'

export type RerunWord = 'starting' | 'listing' | 'at work' | 'succeeded' | 'failed' | 'stopped' | 'refused'

/** One rerun, whatever became of it. */
export type RerunLine = Partial<Pick<OpenRerun, 'prefix' | 'only' | 'since' | 'dryRun'>> & {
  /** The execution's name. */
  name: string
  execution: string
  dataset?: string
  startedAt: string
  settledAt?: string
  state: RerunWord
  listed?: number
  /** Keys that have not ended yet. */
  pending?: number
  totals: RerunTotals
  failures: number
  /** Why it failed, was refused or stopped. */
  words?: string
}

/** Executions that are looked at beyond those that the ledger knows. */
const EXECUTIONS = 200

type Deps = Pick<Landfall, 'ledger' | 'machine' | 'datasets'>

/** Reruns, newest first: what the ledger knows, and the executions that have never begun. */
export async function listReruns(
  { ledger, machine, datasets }: Deps,
  { dataset, limit = 20 }: { dataset?: string; limit?: number } = {},
): Promise<RerunLine[]> {
  const mine = datasets.filter((each) => dataset === undefined || each === dataset)
  const lines = new Map<string, RerunLine>()
  for (const each of mine) {
    for (const done of await doneReruns(ledger, each)) lines.set(done.execution, doneLine(done))
    const open = await openRerun(ledger, each)
    if (open) lines.set(open.execution, await openLine({ ledger }, each, open))
  }
  const newest = (all: Iterable<{ startedAt: string }>) =>
    [...all].map(({ startedAt }) => startedAt).sort((a, b) => (a < b ? 1 : -1))[limit - 1] ?? ''
  let looked = 0
  for await (const execution of machine.newest()) {
    // Older than all that is shown.
    if (looked++ === EXECUTIONS || execution.startedAt < newest(lines.values())) break
    if (lines.has(execution.arn)) continue
    const line = await unknownLine({ ledger, machine }, execution)
    if (dataset === undefined || line.dataset === dataset) lines.set(execution.arn, line)
  }
  const shown = [...lines.values()].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)).slice(0, limit)
  return await Promise.all(shown.map((line) => withWords({ ledger }, line)))
}

const doneLine = ({ rerun, execution, dataset, failures, listingFailed, ...state }: RerunState): RerunLine => {
  const { prefix, only, since, dryRun, startedAt, settledAt, listed, totals } = state
  return {
    name: executionName(rerun),
    execution,
    dataset,
    ...{ prefix, only, since, dryRun, startedAt, settledAt, listed, totals, failures },
    state: failures > 0 || listingFailed ? 'failed' : 'succeeded',
  }
}

async function openLine(
  { ledger }: Pick<Deps, 'ledger'>,
  dataset: string,
  { rerun, execution, prefix, only, since, dryRun, startedAt, listed }: OpenRerun,
): Promise<RerunLine> {
  const [pending, rows] = await Promise.all([pendingRows(ledger, rerun), endedRows(ledger, rerun)])
  const totals: RerunTotals = {}
  for (const { state } of rows) totals[state] = (totals[state] ?? 0) + 1
  return {
    name: executionName(rerun),
    execution,
    dataset,
    prefix,
    ...(only?.length && { only }),
    ...(since && { since }),
    ...(dryRun && { dryRun }),
    startedAt,
    state: listed === undefined ? 'listing' : 'at work',
    listed: pending.length + rows.length,
    pending: pending.length,
    totals,
    failures: (totals.failed ?? 0) + (totals.refused ?? 0),
  }
}

/** One that the ledger does not know: it has only just been started, or has never begun, or was stopped and forgotten. */
async function unknownLine({ machine }: Pick<Deps, 'ledger' | 'machine'>, execution: Execution): Promise<RerunLine> {
  const { name, arn, startedAt, state } = execution
  const base = { name, execution: arn, startedAt, totals: {}, failures: 0 }
  const { input, error, cause } = (await machine.look(arn)) ?? {}
  const asked = typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : {}
  const word = typeof asked.dataset === 'string' && { dataset: asked.dataset }
  const prefix = typeof asked.prefix === 'string' && { prefix: asked.prefix }
  if (state === 'running') return { ...base, ...word, ...prefix, state: 'starting' }
  const words = error ? `${error}: ${cause ?? ''}` : cause
  const how = state === 'failed' ? 'refused' : 'stopped'
  return { ...base, ...word, ...prefix, state: how, ...(words && { words }) }
}

/** The listing's item has no words, for they may be long. */
async function withWords({ ledger }: Pick<Deps, 'ledger'>, line: RerunLine): Promise<RerunLine> {
  if (line.state !== 'failed') return line
  const { listingFailed, words } = (await rerunState(ledger, `rerun-${line.name}`)) ?? {}
  const all = [listingFailed, words].filter(Boolean).join('\n')
  return all ? { ...line, words: all } : line
}
