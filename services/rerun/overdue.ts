import pMap from 'p-map'
import { inWords } from '../lambda/errors.ts'
import { onItsWayMs } from '../lambda/receives.ts'
import { sourceIdOf } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import {
  endedRows,
  type OpenRerun,
  openKey,
  openRerun,
  type PendingRow,
  pendingRows,
  rowAgain,
  rowWithoutRun,
} from '../ledger/reruns.ts'
import { hasEnded } from '../ledger/run.ts'

/** Of one minute; taking one up is a few calls. The next minute goes on. */
const MOST_TAKEN = 500

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
 * @throws AggregateError of the sources that could not be taken up; the others were
 */
export async function sweepRerun(deps: OverdueDeps, dataset: string): Promise<string | undefined> {
  const { ledger } = deps
  const open = await openRerun(ledger, dataset)
  if (!open) return undefined
  const did: string[] = []
  if (open.listed === undefined && isLate(ledger, open.startedAt) && !(await deps.isRunning(open.execution))) {
    await takeOver(ledger, dataset, open)
    did.push(`takes ${open.rerun} to its end, whose machine was stopped while it listed`)
  }
  const pending = await pendingRows(ledger, open.rerun)
  const late = pending.filter(({ runId, askedAt = open.startedAt }) => !runId && isLate(ledger, askedAt))
  const silent = pending.filter(({ runId, key }) => runId && !key.startsWith('data/'))
  for (const row of silent) await tellZip(ledger, dataset, open, row)
  const zips = late.filter(({ key }) => !key.startsWith('data/'))
  const csvs = late.filter(({ key }) => key.startsWith('data/')).slice(0, MOST_TAKEN)
  const errors: unknown[] = []
  await pMap(csvs, ({ key }) => deps.take(key, open).catch((error: unknown) => void errors.push(error)), {
    concurrency: 8,
  })
  const lost = zips.length > 0 && (await standsStill(ledger, open, pending)) ? zips : []
  for (const { key } of lost) await ledger.table.write(rowWithoutRun(open.rerun, lostZip(key)))
  const took = csvs.length - errors.length + lost.length
  if (took > 0) did.push(`took up ${took} sources of ${open.rerun} whose events did not come`)
  if (errors.length > 0)
    throw new AggregateError(
      errors,
      `${errors.length} sources of ${open.rerun} could not be taken up, first: ${inWords(errors[0])}`,
    )
  return did.length > 0 ? did.join('; ') : undefined
}

const isLate = (ledger: Ledger, since: string) => ledger.now().getTime() - Date.parse(since) >= onItsWayMs()

/**
 * A zip waits in its queue for those before it, each of which may take minutes. Only when none of them is at work, and
 * none has ended for as long as a message is tried, is the rest not on its way.
 */
async function standsStill(ledger: Ledger, { rerun }: OpenRerun, pending: PendingRow[]): Promise<boolean> {
  if (pending.some(({ runId }) => runId)) return false
  return (await endedRows(ledger, rerun)).every(({ endedAt }) => endedAt === undefined || isLate(ledger, endedAt))
}

/** A zip has failed before its last attempt, and its function may have died in it: nobody else tells the rerun then. */
async function tellZip(
  ledger: Ledger,
  dataset: string,
  { rerun, startedAt }: OpenRerun,
  row: PendingRow,
): Promise<void> {
  const { key, runId = '', askedAt = startedAt } = row
  if (!isLate(ledger, askedAt)) return
  const source = { dataset, sourceId: sourceIdOf(key) }
  const [run, head] = await Promise.all([ledger.run({ ...source, runId }), ledger.head(source)])
  const isAtWork = (head?.lockUntil ?? 0) > ledger.now().getTime()
  if (run?.cause === rerun && hasEnded(run.state) && !isAtWork) await ledger.table.write(rowAgain(run))
}

const lostZip = (key: string) => ({
  key,
  state: 'failed' as const,
  problem: {
    code: 'rerun_lost',
    message: `The rerun's event for ${key} did not come within 15 minutes. Look for it in the dead-letter queue of unzip, or start the rerun again.`,
  },
})

/** What it has entered until then is what it is for. */
async function takeOver(ledger: Ledger, dataset: string, { rerun, execution }: OpenRerun) {
  const listed = (await pendingRows(ledger, rerun)).length + (await endedRows(ledger, rerun)).length
  const listingFailed = `The machine was stopped while it listed (${execution}): ${listed} keys were asked for until then. Start the rerun again for all.`
  await ledger.table.write([
    {
      update: openKey(dataset),
      set: { listed, listingFailed },
      when: [
        { attribute: 'rerun', is: 'equal', to: rerun },
        { attribute: 'listed', is: 'absent' },
      ],
    },
  ])
}
