import { BATCH_SOURCES } from '../jobs/dispatch.ts'
import { readSlot } from '../jobs/settle.ts'
import { catalogState } from '../ledger/catalog-state.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { duePk, queuePk } from '../ledger/queue.ts'
import type { Entry } from './metrics.ts'

const WAITING = ['convert', 'partition', 'catalog'] as const
/** Longer than any wait that passes by itself but Glue's outages: jobs may run for an hour, and one waits for another. */
export const TOO_OLD_MS = 6 * 3_600_000
/** Items of a queue that are looked at: those of a job, and the first that wait behind it. */
const MOST = BATCH_SOURCES + 100

/** `ITEM#<registeredAt>#<runId>`, oldest first. */
const registeredAt = ({ sk }: { sk: string }) => Date.parse(sk.split('#')[1] ?? '')

/** How long files have been waiting, as the ledger's queues have it. An item that is in a job does not wait. */
export async function waitingEntries(ledger: Ledger, dataset: string): Promise<Entry[]> {
  const now = ledger.now().getTime()
  const entries: Entry[] = []
  const tooOld = new Set<string>()
  const note = (items: { sk: string }[]) => {
    for (const item of items) if (now - registeredAt(item) > TOO_OLD_MS) tooOld.add(item.sk)
  }
  for (const stage of WAITING) {
    const [items, slot] = await Promise.all([
      ledger.table.query(queuePk({ stage, dataset }), 'ITEM#', MOST),
      stage === 'catalog' ? undefined : readSlot(ledger, { stage, dataset }),
    ])
    note(items)
    const inJob = new Set(slot?.items.map(({ sk }) => sk))
    const oldest = items.find(({ sk }) => !inJob.has(sk))
    if (oldest) {
      const age = Math.max(0, Math.round((now - registeredAt(oldest)) / 1000))
      entries.push({ dimensions: { dataset, stage }, values: { QueueAge: [age] } })
    }
  }
  note(await ledger.table.query(duePk(dataset), 'ITEM#', MOST))
  const { dirty, crawled } = await catalogState(ledger, dataset)
  const values = {
    ...(tooOld.size > 0 && { OpenRunsTooOld: [tooOld.size] }),
    ...(dirty > crawled && { CatalogBehind: [dirty - crawled] }),
  }
  if (Object.keys(values).length > 0) entries.push({ dimensions: { dataset }, values })
  return entries
}
