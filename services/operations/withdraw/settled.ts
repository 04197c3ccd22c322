import { readSlot } from '../../jobs/settle.ts'
import { catalogState, markDirty } from '../../ledger/catalog-state.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { hasEnded, type Run, type SourceRef } from '../../ledger/run.ts'

export type Waiting = {
  /** Runs of the sources that have not ended: each will find that its object is gone. */
  runs: Run[]
  /** The catalog has not been compared with what is left in the zone. */
  catalog: boolean
  /** Epoch milliseconds; since when AWS refuses what the catalog needs. */
  refusedAt?: number
}

type Deps = { ledger: Ledger; sleep: (ms: number) => Promise<void> }
type Watch = { onChange?: (waiting: Waiting) => void; signal?: AbortSignal }

const STEP_MS = 250

/**
 * Tells the catalog that the zone has changed. The events of what was taken out say so too, but come later and may be lost;
 * the sweep starts a crawl for whatever stands here.
 * @returns the mark that the catalog has passed when it knows
 */
export async function tellCatalog(ledger: Ledger, dataset: string): Promise<number> {
  await markDirty(ledger, dataset)
  return (await catalogState(ledger, dataset)).dirty
}

/**
 * Waits until nobody works on the sources any more, and the catalog has been compared with the zone after the mark was set: a
 * crawl that began at the mark or later has seen the zone without them.
 * @throws the signal's reason when it is aborted
 */
export async function untilSettled(
  { ledger, sleep }: Deps,
  dataset: string,
  sources: SourceRef[],
  mark: number | undefined,
  { onChange, signal }: Watch = {},
): Promise<void> {
  let said = ''
  let open = sources
  for (;;) {
    const runs: Run[] = []
    const stillOpen: SourceRef[] = []
    for (const source of open) {
      const found = (await ledger.runs(source)).filter(({ state }) => !hasEnded(state))
      runs.push(...found)
      if (found.length > 0) stillOpen.push(source)
    }
    open = stillOpen
    const { crawled, refusedAt } = await catalogState(ledger, dataset)
    const catalog = mark !== undefined && crawled < mark
    if (runs.length === 0 && !catalog && !(await inJob(ledger, dataset, sources))) return
    const now = [...runs.map(({ runId, state }) => `${runId} ${state}`), catalog, refusedAt].join()
    if (now !== said) onChange?.({ runs, catalog, ...(refusedAt !== undefined && { refusedAt }) })
    said = now
    signal?.throwIfAborted()
    await sleep(STEP_MS)
  }
}

/** A batch that is being settled still has their staged rows. */
async function inJob(ledger: Ledger, dataset: string, sources: SourceRef[]): Promise<boolean> {
  const ids = new Set(sources.map(({ sourceId }) => sourceId))
  const slots = await Promise.all(
    (['convert', 'partition'] as const).map((stage) => readSlot(ledger, { stage, dataset })),
  )
  return slots.some((slot) => slot?.items.some(({ sourceId }) => ids.has(sourceId)))
}
