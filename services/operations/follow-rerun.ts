import { setTimeout as sleep } from 'node:timers/promises'
import {
  endedRows,
  openRerun,
  pendingRows,
  type RerunRow,
  type RerunState,
  type RerunTotals,
  rerunState,
} from '../ledger/reruns.ts'
import type { Landfall } from './connect.ts'
import type { ExecutionDetail } from './machine.ts'

/** `starting`: nothing is in the ledger yet. `at work`: all keys are listed. */
export type RerunProgress = {
  phase: 'starting' | 'listing' | 'at work'
  listed: number
  pending: number
  totals: RerunTotals
}

export type EndedRerun = { state: RerunState; rows: RerunRow[] }

/** It has no end in the ledger and will not have one: refused by its machine, or stopped while it listed. */
export class RerunBroken extends Error {
  readonly execution: ExecutionDetail | undefined
  /** Refused for what was asked: nothing was done. */
  readonly refused: boolean

  constructor(message: string, execution?: ExecutionDetail) {
    super(message)
    this.execution = execution
    this.refused = REFUSALS.includes(execution?.error ?? '')
  }
}

/** What the machine ends with before it has done anything. */
export const REFUSALS = ['WrongInput', 'RerunAtWork']

export type FollowRerun = {
  onProgress?: (progress: RerunProgress) => void
  signal?: AbortSignal
  /** Milliseconds between two looks; of a large rerun more, for a look takes longer. @default 500 */
  poll?: number
}

/**
 * Watches a rerun until all that it has asked for has ended, by the ledger: its machine says the same some seconds later.
 * @throws RerunBroken
 */
export async function followRerun(
  { ledger, machine }: Pick<Landfall, 'ledger' | 'machine'>,
  { dataset, rerun, execution }: { dataset: string; rerun: string; execution: string },
  { onProgress, signal, poll = 500 }: FollowRerun = {},
): Promise<EndedRerun> {
  const settled = async (): Promise<EndedRerun | undefined> => {
    const state = await rerunState(ledger, rerun)
    return state && { state, rows: await endedRows(ledger, rerun) }
  }
  for (;;) {
    const began = performance.now()
    const ended = await settled()
    if (ended) return ended
    const open = await openRerun(ledger, dataset)
    const mine = open?.rerun === rerun
    if (mine) {
      const [pending, rows] = await Promise.all([pendingRows(ledger, rerun), endedRows(ledger, rerun)])
      const totals: RerunTotals = {}
      for (const { state } of rows) totals[state] = (totals[state] ?? 0) + 1
      const phase = open.listed === undefined ? 'listing' : 'at work'
      onProgress?.({ phase, listed: pending.length + rows.length, pending: pending.length, totals })
    } else onProgress?.({ phase: 'starting', listed: 0, pending: 0, totals: {} })
    // Once all is listed the machine only waits; then it does not matter what becomes of it.
    if (!mine || open.listed === undefined) {
      const found = await machine.look(execution)
      if (found?.state !== 'running') {
        const after = await settled()
        if (after) return after
        const now = await openRerun(ledger, dataset)
        if (now?.rerun !== rerun || now.listed === undefined)
          throw new RerunBroken(brokenWords(rerun, mine, found), found)
      }
    }
    signal?.throwIfAborted()
    const took = performance.now() - began
    await sleep(Math.max(poll, 4 * took), undefined, { signal })
  }
}

function brokenWords(rerun: string, listing: boolean, found: ExecutionDetail | undefined): string {
  if (!found) return `Step Functions does not know the execution of ${rerun}.`
  const { state, error = state, cause } = found
  if (!listing) return `${error}: ${cause ?? 'the machine gave no reason.'}`
  return `The machine of ${rerun} has ended as ${state} while it listed${cause ? ` (${cause})` : ''}. What it had asked for until then is run, and summed up within 15 minutes: landfall rerun --list. Start it again for all.`
}
