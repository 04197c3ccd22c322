import type { CatalogDeps } from '../catalog/catalog.ts'
import { compare, crawlEnded, wake } from '../catalog/catalog.ts'
import { endRerun } from '../catalog/end-rerun.ts'
import { type RetireDeps, retire } from '../catalog/retire.ts'
import { type DispatchDeps, dispatch, release } from '../jobs/dispatch.ts'
import { readSlot, type SettleStage, settle } from '../jobs/settle.ts'
import { LandfallError } from '../lambda/errors.ts'
import { catalogState, isPublishing } from '../ledger/catalog-state.ts'
import { comparedAt, type Mend, noteCompared } from '../ledger/sweeps.ts'
import { type OverdueDeps, sweepRerun } from '../rerun/overdue.ts'

/** Glue may report a crawl's end late, or never: one that was started this long ago is looked at. */
const CRAWL_DOUBT_MS = 30_000

/** How often a table is compared with its zone though nobody told of a change: of what was lost, or done by hand. */
export const COMPARE_EVERY_MS = 3_600_000

export type Sweepable = {
  deps: DispatchDeps
  stage: SettleStage
  /** Queues what should have been queued long ago. @returns how many runs */
  overdue?: (dataset: string) => Promise<number>
}
export type Reruns = Omit<OverdueDeps, 'ledger'>
export type Swept = Omit<Mend, 'at'>

/** Every wake-up is a hint, and the sweep is the one that always comes: the same dispatch, settle and wake, each minute. */
export async function sweep(
  stages: Sweepable[],
  catalog: RetireDeps,
  datasets: string[],
  reruns: Reruns,
): Promise<{ swept: Swept[]; waits: Swept[]; errors: unknown[] }> {
  const swept: Swept[] = []
  const waits: Swept[] = []
  const errors: unknown[] = []
  const attempt = async (dataset: string, stage: string, work: () => Promise<string | undefined>) => {
    try {
      const did = await work()
      if (did) swept.push({ dataset, stage, did })
    } catch (error) {
      // Someone is at work there just now; the next minute looks again. An error here would alarm for nothing.
      if (error instanceof LandfallError && error.retryable) waits.push({ dataset, stage, did: error.message })
      // One dataset's trouble must not keep the sweep from the others.
      else errors.push(error)
    }
  }
  for (const dataset of datasets) {
    await attempt(dataset, 'rerun', () => sweepRerun({ ...reruns, ledger: catalog.ledger }, dataset))
    for (const stage of stages) {
      await attempt(dataset, stage.stage.stage, () => sweepLease(stage, dataset))
      await attempt(dataset, stage.stage.stage, async () => {
        const runs = await stage.overdue?.(dataset)
        return runs ? `queued ${runs} runs whose events did not come` : undefined
      })
      await attempt(dataset, stage.stage.stage, async () => {
        const result = await dispatch(stage.deps, stage.stage, dataset)
        return result === 'started' ? 'started a job for what was waiting' : undefined
      })
    }
    await attempt(dataset, 'catalog', () => sweepCrawl(catalog, dataset))
    await attempt(dataset, 'catalog', async () => {
      const result = await wake(catalog, dataset, 0)
      return result === 'crawling' ? 'started the crawler' : result === 'settled' ? 'settled waiting runs' : undefined
    })
    await attempt(dataset, 'catalog', () => sweepCatalog(catalog, dataset))
    await attempt(dataset, 'catalog', () => retire(catalog, dataset))
    await attempt(dataset, 'rerun', async () => {
      const closed = await endRerun(catalog, dataset)
      return closed ? `ended ${closed.rerun}` : undefined
    })
  }
  return { swept, waits, errors }
}

/** A batch whose lease is over: its end was not heard, or its dispatcher or settler died. Glue knows. */
async function sweepLease({ deps, stage }: Sweepable, dataset: string): Promise<string | undefined> {
  const queue = { stage: stage.stage, dataset }
  const slot = await readSlot(deps.ledger, queue)
  if (!slot || slot.leaseUntil > deps.ledger.now().getTime()) return undefined
  if (!slot.manifest) {
    await release(deps.ledger, queue, slot.batch)
    return 'freed a slot whose dispatcher died'
  }
  const status = slot.jobRunId
    ? await deps.glue.job(stage.jobName, slot.jobRunId)
    : await deps.glue.jobByManifest(stage.jobName, slot.manifest)
  return (await settle(deps, stage, dataset, slot.batch, status)) ? `settled batch ${slot.batch}` : undefined
}

/** Partitions of which no event told: their own was lost, or a person took them out of the catalog, or their objects out of the zone. */
async function sweepCatalog(catalog: CatalogDeps, dataset: string): Promise<string | undefined> {
  const { ledger } = catalog
  const now = ledger.now().getTime()
  const at = await comparedAt(ledger, dataset)
  if (at !== undefined && now - at < COMPARE_EVERY_MS) return undefined
  const { dirty, crawled, crawlUntil } = await catalogState(ledger, dataset)
  // What is known of will be compared in its turn.
  if (dirty > crawled || crawlUntil !== undefined || (await isPublishing(ledger, dataset))) return undefined
  const { add, drop } = await compare(catalog, dataset)
  await noteCompared(ledger, dataset)
  if (add.length + drop.length === 0) return undefined
  const few = [...add.map(({ value }) => value), ...drop].slice(0, 5).join(', ')
  return `compared the catalog with the zone: added ${add.length} partitions and took out ${drop.length}, of which nobody had told (${few})`
}

async function sweepCrawl(catalog: CatalogDeps, dataset: string): Promise<string | undefined> {
  const state = await catalogState(catalog.ledger, dataset)
  const crawler = catalog.crawlers[dataset]
  if (!crawler || state.crawlStartedAt === undefined) return undefined
  const age = catalog.ledger.now().getTime() - Date.parse(state.crawlStartedAt)
  if (age < CRAWL_DOUBT_MS || !(await catalog.glue.crawlerReady(crawler))) return undefined
  await crawlEnded(catalog, dataset)
  return 'took up a crawl whose end was not heard'
}
