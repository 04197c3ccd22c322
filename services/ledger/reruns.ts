import { causeKey, causePk, isRerun } from './causes.ts'
import type { Ledger } from './ledger.ts'
import { type EndState, hasEnded, type Replaced, type Run } from './run.ts'
import type { Condition, Item, ItemKey, Write } from './table.ts'

/** What a rerun is asked for. `only`: of the sources whose newest run ended so; `since`: that landed then or later. */
export type RerunFilter = { only?: ('failed' | 'refused')[]; since?: string | null }

/** The one rerun of a dataset that is at work; the machine enters it before it lists, and `close` takes it out. */
export type OpenRerun = RerunFilter & {
  rerun: string
  /** ARN of the machine's execution. */
  execution: string
  prefix: string
  dryRun?: boolean
  startedAt: string
  /** Keys that the machine has entered; absent while it lists. */
  listed?: number
  /** Why not all keys could be asked for, in words. */
  listingFailed?: string | null
}

/** Whether a rerun is for a source, by the runs that it has, and by when its object came to be. */
export function fits({ only, since }: RerunFilter, runs: Run[], rerun: string, modified: Date | undefined): boolean {
  if (since && modified && modified.getTime() < Date.parse(since)) return false
  if (!only?.length) return true
  // What the rerun itself has begun says nothing, nor does what gave way to another.
  const [newest] = runs
    .filter(({ cause, state }) => cause !== rerun && state !== 'superseded')
    .sort((a, b) => b.seq - a.seq)
  return newest !== undefined && (only as string[]).includes(newest.state)
}

/** `skipped`: it did not fit the filter, or there was nothing to do. */
export type RowState = EndState | 'skipped'

/** What became of one listed key. */
export type RerunRow = {
  key: string
  state: RowState
  sourceId?: string
  runId?: string
  rowsIn?: number
  accepted?: number
  rejected?: number
  problem?: Run['problem']
  before?: Replaced
  endedAt?: string
}

export type RerunTotals = Partial<Record<RowState, number>>

/** `unserved`: people go on seeing `version`, as `sources` of it are not there under the one that is deployed. */
export type Shown = { outcome: 'served' | 'unchanged' | 'unserved' | 'failed'; version?: number; sources?: number }

/** How a rerun ended. */
export type RerunState = Omit<OpenRerun, 'listed'> & {
  kind: 'rerun'
  dataset: string
  listed: number
  settledAt: string
  totals: RerunTotals
  /** Sources that did not end as they should, or that keep the table from its new version. */
  failures: number
  /** Whether people see the version of the contract that is deployed; absent where nobody looked. */
  served?: Shown
  /** What the machine says of them: its Cause. */
  words?: string
}

export const openKey = (dataset: string): ItemKey => ({ pk: `RERUN#${dataset}`, sk: 'OPEN' })
export const pendingKey = (rerun: string, key: string): ItemKey => ({ pk: causePk(rerun), sk: `PENDING#${key}` })
const endedKey = (rerun: string, key: string): ItemKey => ({ pk: causePk(rerun), sk: `ENDED#${key}` })
/** Beside the open one, by when they ended. */
const DONE = 'DONE#'

export async function openRerun({ table }: Ledger, dataset: string): Promise<OpenRerun | undefined> {
  return (await table.get(openKey(dataset))) as unknown as OpenRerun | undefined
}

/** Turns a listed key's row from pending to what became of it; in the transaction that ends its run. */
const rowEnded = (rerun: string, row: RerunRow, when?: Condition[]): Write[] => [
  { delete: pendingKey(rerun, row.key), ...(when && { when }) },
  { put: { ...endedKey(rerun, row.key), ...row } },
]

const PENDING: Condition = { attribute: 'pk', is: 'present' }

/** Of a key that no run will end. Where one has begun, by another event of the same key, it is that run's to say. */
export const rowWithoutRun = (rerun: string, row: RerunRow): Write[] =>
  rowEnded(rerun, row, [PENDING, { attribute: 'runId', is: 'absent' }])

/** Written with a run that a rerun has caused: from now on it is the run that is waited for. */
export const rowTakenIn = ({ cause, key, runId }: Run): Write[] =>
  isRerun(cause) ? [{ update: pendingKey(cause, key), set: { key, runId } }] : []

/** A run that has failed is at work again: it is waited for again. */
export const rowReopened = (run: Run): Write[] =>
  isRerun(run.cause) ? [...rowTakenIn(run), { delete: endedKey(run.cause, run.key) }] : []

/**
 * For a key that was entered and asked for twice, as the machine's children may be, of which the second time comes when
 * all was said of it: it is said again.
 */
export const rowAgain = (run: Run): Write[] =>
  hasEnded(run.state)
    ? endingOf(run, {}, [PENDING])
    : [{ update: pendingKey(run.cause, run.key), set: { runId: run.runId }, when: [PENDING] }]

/** What else is written when a run comes to its end: its row, if a rerun has caused it. */
export function endingOf(run: Run, set: Partial<Run>, when?: Condition[]): Write[] {
  const { cause, key, sourceId, runId, rowsIn, accepted, rejected, problem, replaces, state, endedAt } = {
    ...run,
    ...set,
  }
  if (!isRerun(cause) || !hasEnded(state)) return []
  const bad = state === 'delivered' || state === 'extracted' ? undefined : problem
  const row: RerunRow = {
    key,
    state,
    sourceId,
    runId,
    rowsIn,
    accepted,
    rejected,
    ...(bad && { problem: bad }),
    ...(replaces && { before: replaces }),
    ...(endedAt && { endedAt }),
  }
  return rowEnded(cause, row, when)
}

/** A key that the rerun waits for; `runId` once a run of it is in the books. */
export type PendingRow = { key: string; askedAt?: string; runId?: string }

export async function pendingRows({ table }: Ledger, rerun: string, limit?: number): Promise<PendingRow[]> {
  const items = await table.query(causePk(rerun), 'PENDING#', limit)
  return items.map(({ sk, askedAt, runId }) => ({
    key: sk.slice('PENDING#'.length),
    ...(typeof askedAt === 'string' && { askedAt }),
    ...(typeof runId === 'string' && { runId }),
  }))
}

export async function endedRows({ table }: Ledger, rerun: string): Promise<RerunRow[]> {
  const items = await table.query(causePk(rerun), 'ENDED#')
  return items.map(({ pk, sk, ...row }) => row as unknown as RerunRow)
}

/** For a problem of a run that is told in other words from now on: where a rerun that caused it has noted the old ones. */
export async function reworded(ledger: Ledger, { cause, key, runId, problem }: Run, message: string): Promise<Write[]> {
  if (!isRerun(cause) || !problem) return []
  const [row, state] = await Promise.all([ledger.table.get(endedKey(cause, key)), rerunState(ledger, cause)])
  const writes: Write[] = []
  if (row?.runId === runId && row.problem)
    writes.push({ update: endedKey(cause, key), set: { problem: { ...problem, message } } })
  if (state?.words?.includes(problem.message))
    writes.push({ update: causeKey(cause), set: { words: state.words.replaceAll(problem.message, message) } })
  return writes
}

export async function rerunState({ table }: Ledger, rerun: string): Promise<RerunState | undefined> {
  return (await table.get(causeKey(rerun))) as unknown as RerunState | undefined
}

/** A dataset's ended reruns can be found by it; what became of each key is below the rerun's own name. */
export function doneItem({ words: _, ...state }: RerunState): Item {
  return { pk: openKey(state.dataset).pk, sk: `${DONE}${state.settledAt}#${state.rerun}`, ...state }
}

/** Oldest first. */
export async function doneReruns({ table }: Ledger, dataset: string): Promise<RerunState[]> {
  const items = await table.query(openKey(dataset).pk, DONE)
  return items.map(({ pk, sk, ...state }) => state as unknown as RerunState)
}
