import type { Ledger } from '../ledger/ledger.ts'
import { endedRows, type OpenRerun, openKey, openRerun, pendingRows, rowEnded } from '../ledger/reruns.ts'

/** Longer than a message is tried: until then a rerun's event is on its way. */
const OVERDUE_MS = 15 * 60_000

export type OverdueDeps = {
  ledger: Ledger
  /** Whether the machine's execution still runs. */
  isRunning: (execution: string) => Promise<boolean>
  /** What the event of a listed CSV would have done. */
  take: (key: string, open: OpenRerun) => Promise<void>
}

/**
 * Does what a rerun's lost events should have done, and takes over the end of one whose machine was stopped while it listed.
 * @returns what it did, in words
 */
export async function sweepRerun(deps: OverdueDeps, dataset: string): Promise<string | undefined> {
  const { ledger } = deps
  const open = await openRerun(ledger, dataset)
  if (!open) return undefined
  const late = (since: string | undefined) => ledger.now().getTime() - Date.parse(since ?? open.startedAt) >= OVERDUE_MS
  const did: string[] = []
  if (open.listed === undefined && late(open.startedAt) && !(await deps.isRunning(open.execution))) {
    await takeOver(ledger, dataset, open)
    did.push(`takes ${open.rerun} to its end, whose machine was stopped while it listed`)
  }
  const lost = (await pendingRows(ledger, open.rerun)).filter(({ runId, askedAt }) => !runId && late(askedAt))
  for (const { key } of lost) {
    if (key.startsWith('data/')) await deps.take(key, open)
    else {
      const message = `The rerun's event for ${key} did not come within 15 minutes. Look for it in the dead-letter queue of unzip, or start the rerun again.`
      await ledger.table.write(rowEnded(open.rerun, { key, state: 'failed', problem: { code: 'rerun_lost', message } }))
    }
  }
  if (lost.length > 0) did.push(`took up ${lost.length} sources of ${open.rerun} whose events did not come`)
  return did.length > 0 ? did.join('; ') : undefined
}

/** What it has entered until then is what it is for. */
async function takeOver(ledger: Ledger, dataset: string, { rerun }: OpenRerun) {
  const listed = (await pendingRows(ledger, rerun)).length + (await endedRows(ledger, rerun)).length
  await ledger.table.write([
    { update: openKey(dataset), set: { listed }, when: [{ attribute: 'rerun', is: 'equal', to: rerun }] },
  ])
}
