import { causeKey } from '../ledger/causes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import {
  endedRows,
  type OpenRerun,
  openKey,
  openRerun,
  pendingRows,
  type RerunRow,
  type RerunState,
  type RerunTotals,
} from '../ledger/reruns.ts'

/** A Fail state's Cause has at most 32,768 characters. https://docs.aws.amazon.com/step-functions/latest/apireference/API_Types.html */
const MOST_WORDS = 30_000

/**
 * Ends a dataset's rerun when all that it listed has come to its end: sums up, which is what its machine waits for, and
 * lets the next one begin. Harmless at any time, and called wherever a run may have been the last one.
 * @returns how it ended, if this call has ended it
 */
export async function closeRerun(ledger: Ledger, dataset: string): Promise<RerunState | undefined> {
  const open = await openRerun(ledger, dataset)
  if (open?.listed === undefined) return undefined
  if ((await pendingRows(ledger, open.rerun, 1)).length > 0) return undefined
  const state = summary(dataset, open, await endedRows(ledger, open.rerun), ledger.instant())
  const closed = await ledger.table.write([
    { delete: openKey(dataset), when: [{ attribute: 'rerun', is: 'equal', to: open.rerun }] },
    { put: { ...causeKey(open.rerun), ...state } },
  ])
  return closed ? state : undefined
}

const isFailure = ({ state }: RerunRow) => state === 'failed' || state === 'refused'

function summary(dataset: string, open: OpenRerun, rows: RerunRow[], settledAt: string): RerunState {
  const totals: RerunTotals = {}
  for (const { state } of rows) totals[state] = (totals[state] ?? 0) + 1
  const bad = rows.filter(isFailure)
  const { rerun, execution, prefix, only, since, dryRun, startedAt } = open
  return {
    kind: 'rerun',
    dataset,
    rerun,
    execution,
    prefix,
    ...(only?.length && { only }),
    ...(since && { since }),
    ...(dryRun && { dryRun }),
    startedAt,
    listed: rows.length,
    settledAt,
    totals,
    failures: bad.length,
    ...(bad.length > 0 && { words: wordsOf(bad, rows.length) }),
  }
}

/** As many of the failed sources as there is room for, each with its reason. */
function wordsOf(bad: RerunRow[], of: number): string {
  const lines = [`${bad.length} of ${of} sources are not current:`]
  let length = lines[0]?.length ?? 0
  for (const { key, state, problem } of bad) {
    const line = `${key}: ${state}${problem ? ` (${problem.code}): ${problem.message}` : ''}`
    length += line.length + 1
    if (length > MOST_WORDS) {
      lines.push(`… and ${bad.length - lines.length + 1} more`)
      break
    }
    lines.push(line)
  }
  return lines.join('\n')
}
