import type { Contract } from '../../schemas/contract.ts'
import { LandfallError } from '../lambda/errors.ts'
import { causeKey } from '../ledger/causes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import {
  doneItem,
  endedRows,
  type OpenRerun,
  openKey,
  openRerun,
  pendingRows,
  type RerunRow,
  type RerunState,
  type RerunTotals,
  type Shown,
} from '../ledger/reruns.ts'

/** A Fail state's Cause has at most 32,768 characters. https://docs.aws.amazon.com/step-functions/latest/apireference/API_Types.html */
const MOST_WORDS = 30_000

/** What making people see the contract's version came to: `unserved` where `sources` of the one that they see would be lost. */
export type Served =
  | { outcome: 'served' | 'unchanged'; version: number }
  | { outcome: 'unserved'; version: number; sources: { key: string; reason: string }[] }

/** Makes people see the version of the contract that is deployed. Safe to repeat; throws what may pass as retryable. */
export type Serve = (dataset: string) => Promise<Served>

/**
 * Ends a dataset's rerun when all that it listed has come to its end: shows people the contract's version by `serve`,
 * unless the rerun is a dry one; sums up, which is what its machine waits for; and lets the next one begin. Harmless at
 * any time, and called wherever a run may have been the last one.
 * @returns how it ended, if this call has ended it
 */
export async function closeRerun(ledger: Ledger, dataset: string, serve?: Serve): Promise<RerunState | undefined> {
  const open = await openRerun(ledger, dataset)
  if (open?.listed === undefined) return undefined
  if ((await pendingRows(ledger, open.rerun, 1)).length > 0) return undefined
  const rows = await endedRows(ledger, open.rerun)
  const shown = serve && !open.dryRun ? await show(serve, dataset) : undefined
  const state = summary(dataset, open, rows, ledger.instant(), shown)
  const closed = await ledger.table.write([
    { delete: openKey(dataset), when: [{ attribute: 'rerun', is: 'equal', to: open.rerun }] },
    { put: { ...causeKey(open.rerun), ...state } },
    { put: doneItem(state) },
  ])
  return closed ? state : undefined
}

/**
 * As `closeRerun`, for a stage that may not change the catalog. A version above the first may have to be shown to people
 * by the end of a rerun, so that one is left to the catalog's stage and the sweep.
 */
export async function closeOrLeave(
  { ledger, contracts }: { ledger: Ledger; contracts: Map<string, Contract> },
  dataset: string,
): Promise<void> {
  if ((contracts.get(dataset)?.version ?? 1) === 1) await closeRerun(ledger, dataset)
}

type Lost = { key: string; words: string }
type Showing = { shown: Shown; lost: Lost[] }

async function show(serve: Serve, dataset: string): Promise<Showing> {
  try {
    const { outcome, version, ...more } = await serve(dataset)
    if (!('sources' in more)) return { shown: { outcome, version }, lost: [] }
    const lost = more.sources.map(({ key, reason }) => ({ key, words: `${key}: not in the new version: ${reason}` }))
    return { shown: { outcome, version, sources: lost.length }, lost }
  } catch (error) {
    // What may pass is tried again by the sweep; for the rest, a rerun that never ends would hold its dataset for ever.
    if (!(error instanceof LandfallError) || error.retryable) throw error
    return {
      shown: { outcome: 'failed' },
      lost: [{ key: dataset, words: `The table was not switched: ${error.message}` }],
    }
  }
}

const isFailure = ({ state }: RerunRow) => state === 'failed' || state === 'refused'

function summary(
  dataset: string,
  open: OpenRerun,
  rows: RerunRow[],
  settledAt: string,
  showing: Showing | undefined,
): RerunState {
  const totals: RerunTotals = {}
  for (const { state } of rows) totals[state] = (totals[state] ?? 0) + 1
  const bad = [...rows.filter(isFailure).map(lineOf), ...lostBy(dataset, open, rows, showing)]
  const { rerun, execution, prefix, only, since, dryRun, startedAt, listingFailed } = open
  return {
    kind: 'rerun',
    dataset,
    rerun,
    execution,
    prefix,
    ...(only?.length && { only }),
    ...(since && { since }),
    ...(dryRun && { dryRun }),
    ...(listingFailed && { listingFailed }),
    startedAt,
    listed: rows.length,
    settledAt,
    totals,
    failures: bad.length,
    ...(showing && { served: showing.shown }),
    ...(bad.length > 0 && { words: wordsOf(bad, rows.length) }),
  }
}

/** A rerun of a part cannot be blamed for what the others lack; one of the whole dataset has not brought the new version. */
function lostBy(dataset: string, { prefix, only, since }: OpenRerun, rows: RerunRow[], showing?: Showing): string[] {
  if (!showing || (showing.shown.outcome === 'unserved' && (prefix !== `data/${dataset}/` || only?.length || since)))
    return []
  const told = new Set(rows.filter(isFailure).map(({ key }) => key))
  return showing.lost.flatMap(({ key, words }) => (told.has(key) ? [] : words))
}

const lineOf = ({ key, state, problem }: RerunRow) =>
  `${key}: ${state}${problem ? ` (${problem.code}): ${problem.message}` : ''}`

/** As many of the failed sources as there is room for, each with its reason. */
function wordsOf(bad: string[], of: number): string {
  const lines = [`${bad.length} of ${of} sources are not current:`]
  let length = lines[0]?.length ?? 0
  for (const line of bad) {
    length += line.length + 1
    if (length > MOST_WORDS) {
      lines.push(`… and ${bad.length - lines.length + 1} more`)
      break
    }
    lines.push(line)
  }
  return lines.join('\n')
}
