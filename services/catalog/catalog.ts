import pMap from 'p-map'
import type { S3ObjectEvent } from '../../events/s3-object.ts'
import type { Contract } from '../../schemas/contract.ts'
import { partitionOfFolder } from '../../schemas/hive.ts'
import { deliveryPrefix, physicalTable } from '../../schemas/locations.ts'
import { sharesOf } from '../cost/shares.ts'
import type { CatalogPartition, Glue } from '../jobs/glue.ts'
import type { Objects } from '../jobs/objects.ts'
import { inWords, isRefusal, TryAgain } from '../lambda/errors.ts'
import { patienceMs } from '../lambda/receives.ts'
import {
  beginCrawl,
  catalogState,
  endCrawl,
  FIRST_HOLD_MS,
  hasSeen,
  isMoreComing,
  isPublishing,
  markDirty,
  noRefusal,
  noteRefusal,
} from '../ledger/catalog-state.ts'
import { isMeant, noteSkipped, tableReplayed } from '../ledger/causes.ts'
import { deliveredTo, parseDeliveryKey } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { asQueued, type Queued, queuePk } from '../ledger/queue.ts'
import type { Span } from '../ledger/run.ts'
import { keepView } from './view.ts'

export type CatalogDeps = {
  ledger: Ledger
  objects: Objects
  glue: Glue
  contracts: Map<string, Contract>
  /** Crawler of each dataset. */
  crawlers: Record<string, string>
  deliveryBucket: string
  sleep: (ms: number) => Promise<void>
}

/** The dataset whose table a change of the zone is of; undefined for a place that no deployed contract publishes into. */
export function changedDataset(contracts: CatalogDeps['contracts'], key: string): string | undefined {
  const at = deliveredTo(key)
  return at && contracts.get(at.dataset)?.version === at.version ? at.dataset : undefined
}

/** How long a wake-up waits for publishers to finish or the crawler to be free, before it comes back later. */
export const PATIENCE_MS = 45_000
const STEP_MS = 150
const HOLD_STEP_MS = 500

const waitingRuns = async (ledger: Ledger, dataset: string, limit?: number): Promise<Queued[]> =>
  (await ledger.table.query(queuePk({ stage: 'catalog', dataset }), 'ITEM#', limit)).map(asQueued)

/** Polls until `ready`; the events that would say so are best effort. */
async function until(
  deps: CatalogDeps,
  patience: number,
  ready: () => Promise<boolean>,
  step = STEP_MS,
): Promise<boolean> {
  const deadline = deps.ledger.now().getTime() + patience
  for (;;) {
    if (await ready()) return true
    if (deps.ledger.now().getTime() >= deadline) return false
    await deps.sleep(step)
  }
}

/**
 * A change of the delivery zone, live or replayed.
 * @returns the dataset whose table it is of, if it has one
 */
export async function deliveryChanged(
  { ledger, contracts }: Pick<CatalogDeps, 'ledger' | 'contracts'>,
  { detail }: S3ObjectEvent,
  replay?: string,
): Promise<string | undefined> {
  const { key, 'version-id': version } = detail.object
  const dataset = changedDataset(contracts, key)
  if (dataset === undefined) {
    // Of a version that is not deployed no table is kept; a replay counts its events all the same.
    const known = contracts.has(deliveredTo(key)?.dataset ?? '')
    if (replay && known) await noteSkipped(ledger, replay, { key, version }, 'not_meant')
    return undefined
  }
  if (replay) {
    const about = { key, version, dataset, sourceId: parseDeliveryKey(key)?.sourceId }
    if (!(await isMeant(ledger, replay, about))) return undefined
    await ledger.table.write([tableReplayed(replay, dataset)])
  }
  return dataset
}

/** `held`: more files are on their way, and one crawl will do for them all. `seen`: by a crawl that began since. */
export type Woken = 'crawling' | 'busy' | 'settled' | 'idle' | 'held' | 'seen'

/**
 * A table's part of the zone has changed.
 * @param at when the newest of the changes was made; absent where a crawl is wanted whenever it was
 */
export async function changed(deps: CatalogDeps, dataset: string, at?: Date): Promise<Woken> {
  // Thousands of objects give thousands of events, most of which come when a crawl has seen what they tell of.
  if (at && hasSeen(await catalogState(deps.ledger, dataset), at)) return 'seen'
  // Before the crawler is started.
  await markDirty(deps.ledger, dataset)
  return await wake(deps, dataset)
}

/**
 * Starts the crawler if the delivery zone has changed since the last crawl began and none is at work; then that one's
 * end will look again. It waits for publishers, for a crawl in the middle of a publish would have to be repeated; and for a
 * while, longer each time, for files that are on their way.
 *
 * @throws TryAgain when it has been patient in vain.
 */
export const wake = (deps: CatalogDeps, dataset: string, patience = PATIENCE_MS): Promise<Woken> =>
  orSay(deps, dataset, () => startCrawl(deps, dataset, patience))

async function startCrawl(deps: CatalogDeps, dataset: string, patience: number): Promise<Woken> {
  const { ledger, glue } = deps
  const crawler = deps.crawlers[dataset]
  if (!crawler) throw new Error(`No crawler is known for the dataset ${dataset}`)
  if (!(await until(deps, patience, async () => !(await isPublishing(ledger, dataset)))))
    throw new TryAgain('publishing', `The table of ${dataset} is still being published into.`)

  const state = await catalogState(ledger, dataset)
  if (state.dirty <= state.crawled) {
    if ((await waitingRuns(ledger, dataset, 1)).length === 0) return 'idle'
    // All they wrote has been crawled: they were only too late to be told.
    await compare(deps, dataset)
    return 'settled'
  }
  if ((state.crawlUntil ?? 0) >= ledger.now().getTime()) return 'busy'
  const heldUntil = state.heldUntil ?? ledger.now().getTime() + Math.min(FIRST_HOLD_MS, patience)
  let more = false
  let waited = false
  const due = async () => {
    more = await isMoreComing(ledger, dataset)
    if (!more || ledger.now().getTime() >= heldUntil) return true
    waited = true
    return false
  }
  if (!(await until(deps, patience, due, HOLD_STEP_MS))) return 'held'
  const now = waited ? await catalogState(ledger, dataset) : state
  // Meanwhile a crawl may have begun and ended, or a publisher be at work.
  if (waited && (now.dirty <= now.crawled || (await isPublishing(ledger, dataset))))
    return await startCrawl(deps, dataset, patience)
  if (!(await beginCrawl(ledger, dataset, now, more))) return 'busy'
  const begun = await catalogState(ledger, dataset)
  const started = await until(deps, patience, async () => {
    try {
      await glue.startCrawler(crawler)
      return true
    } catch (error) {
      if (error instanceof TryAgain) return false
      await endCrawl(ledger, dataset, begun, 'abandoned')
      throw error
    }
  })
  if (started) return 'crawling'
  await endCrawl(ledger, dataset, begun, 'abandoned')
  throw new TryAgain('crawler_busy', `The crawler ${crawler} is still running or stopping.`)
}

/** Takes up a crawl's end, however it ended: what it did not add is added, and the waiting runs are queryable. */
export const crawlEnded = (deps: CatalogDeps, dataset: string): Promise<void> =>
  orSay(deps, dataset, async () => {
    const crawlEndedAt = deps.ledger.instant()
    const state = await catalogState(deps.ledger, dataset)
    await compare(deps, dataset, { startedAt: state.crawlStartedAt, jobEndedAt: crawlEndedAt })
    // Also after a failed crawl: the comparison has done its work, and repeating the crawl would only cost.
    await endCrawl(deps.ledger, dataset, state, 'seen')
  })

/**
 * When Glue or S3 refuse for as long as a message is tried, the runs that wait say why they are not queryable: they have
 * failed. They stay in the queue, for their rows are in the zone: whenever the catalog can be told, they are delivered.
 */
async function orSay<T>(deps: CatalogDeps, dataset: string, work: () => Promise<T>): Promise<T> {
  const { ledger } = deps
  try {
    return await work()
  } catch (error) {
    if (!isRefusal(error)) throw error
    const since = await noteRefusal(ledger, dataset)
    if (ledger.now().getTime() - since < patienceMs()) throw error
    for (const { sourceId, runId } of await waitingRuns(ledger, dataset)) {
      const run = await ledger.run({ dataset, sourceId, runId })
      if (run?.state !== 'published') continue
      const message = `The rows of ${run.key} are in the delivery zone, but cannot be made queryable: ${inWords(error)} It is tried again each minute, and needs no landing when the cause is mended.`
      const failed = {
        state: 'failed',
        problem: { code: 'catalog_refused', message },
        endedAt: ledger.instant(),
      } as const
      await ledger.update(run, failed, [], [], [{ attribute: 'state', is: 'equal', to: 'published' }])
    }
    throw error
  }
}

/** When it began, and when its end was taken up. */
type Crawl = Pick<Span, 'startedAt' | 'jobEndedAt' | 'share'>

export type Repair = { add: CatalogPartition[]; drop: string[] }

/** What the catalog lacks of the zone's folders, and what it has beyond them or under a wrong value. */
export function repairs(folders: string[], known: CatalogPartition[], base: string): Repair {
  const wanted = new Map<string, string>()
  for (const folder of folders) {
    // Null for a folder that is no partition's: someone else's objects are not rows of the table.
    const value = partitionOfFolder(folder)
    if (value !== null) wanted.set(value, `${base}${folder}/`)
  }
  const bare = (location: string) => location.replace(/\/*$/, '/')
  const right = new Set<string>()
  const drop: string[] = []
  for (const { value, location } of known) {
    if (wanted.get(value) === bare(location)) right.add(value)
    else drop.push(value)
  }
  const add = [...wanted].filter(([value]) => !right.has(value)).map(([value, location]) => ({ value, location }))
  return { add, drop }
}

/**
 * The crawler is checked, not trusted: compares the catalog with the zone, repairs it, and settles the waiting runs.
 * @param crawl after which it looks, if it was one
 * @returns what it repaired of the table of the contract that is deployed
 */
export async function compare(deps: CatalogDeps, dataset: string, crawl: Crawl = {}): Promise<Repair> {
  const { ledger } = deps
  const contract = deps.contracts.get(dataset)
  if (!contract) throw new Error(`No contract names the dataset ${dataset}`)
  // Before the listing: what is published later is not settled by it.
  const waiting = await waitingRuns(ledger, dataset)
  const { folders, repair } = await mend(deps, contract)
  const present = new Map([[contract.version, new Set(folders)]])
  // Published just before a version was deployed, and still being queried.
  for (const version of new Set(waiting.map(({ version = 1 }) => version)))
    if (version !== contract.version) present.set(version, new Set(await mendOther(deps, { ...contract, version })))
  await keepView(deps, contract)
  await noRefusal(ledger, dataset)
  const shares = sharesOf(waiting)
  await pMap(
    waiting,
    (item, i) => {
      const mine = crawl.startedAt ? { ...crawl, share: shares[i] } : crawl
      return settleRun(ledger, dataset, item, present.get(item.version ?? 1) ?? new Set(), mine)
    },
    { concurrency: 16 },
  )
  return repair
}

/** Makes the table of one version have the partitions that the zone has folders for. */
async function mend({ objects, glue, deliveryBucket }: CatalogDeps, contract: Contract) {
  const table = physicalTable(contract)
  const prefix = deliveryPrefix(contract)
  const look = async () => {
    const known = await glue.partitions(table)
    const folders = await objects.folders(deliveryBucket, prefix)
    return { folders, repair: repairs(folders, known, `s3://${deliveryBucket}/${prefix}`) }
  }
  const { folders, repair } = await look()
  if (repair.drop.length > 0) await glue.dropPartitions(table, repair.drop)
  // Another comparison may have added, by a newer listing, what ours has just dropped: then it is missing now.
  const { add } = repair.drop.length > 0 ? (await look()).repair : repair
  if (add.length > 0) await glue.addPartitions(table, add)
  return { folders, repair }
}

async function mendOther(deps: CatalogDeps, contract: Contract): Promise<string[]> {
  const found = await deps.glue.table(physicalTable(contract))
  // Where people have been switched, a view has its name or nothing has.
  if (!found || found.isView) return await deps.objects.folders(deps.deliveryBucket, deliveryPrefix(contract))
  return (await mend(deps, contract)).folders
}

async function settleRun(ledger: Ledger, dataset: string, item: Queued, present: Set<string>, crawl: Crawl) {
  const ref = { dataset, sourceId: item.sourceId, runId: item.runId }
  const place = { pk: queuePk({ stage: 'catalog', dataset }), sk: item.sk }
  const [run, head] = await Promise.all([ledger.run(ref), ledger.head(ref)])
  if (!run) return void (await ledger.table.write([{ delete: place }]))
  const endedAt = ledger.instant()
  const leave = [{ delete: place, when: [{ attribute: 'pk', is: 'present' } as const] }]
  const queuedAt = run.spanCatalog?.queuedAt ?? endedAt
  const spanCatalog = { queuedAt, ...crawl, endedAt }
  const supersede = async (message: string) => {
    const problem = { code: 'superseded', message }
    await ledger.update(run, { state: 'superseded', problem, endedAt, spanCatalog }, leave)
  }
  if (head?.deliveryRun !== item.runId)
    return await supersede(
      `The rows of this version of ${run.key} were replaced or withdrawn before they were queryable.`,
    )
  const lost = (item.folders ?? []).filter((folder) => !present.has(folder))
  // A publisher takes objects out before it tells the ledger whose they are now: its own changes will wake us again.
  if (lost.length > 0 && head.lockOwner !== undefined) {
    if ((head.lockUntil ?? 0) > ledger.now().getTime()) return
    const how = 'a newer version goes on by itself, a withdrawal has to be done again'
    return await supersede(
      `The rows of this version of ${run.key} were taken out, and what did it has broken off: ${how}.`,
    )
  }
  if (lost.length > 0) {
    const message = `${lost.length} partitions that were published of ${run.key} are not in the delivery zone, first ${lost[0]}. Someone else deleted them; land the file again.`
    await ledger.update(run, { state: 'failed', problem: { code: 'imbalance', message }, endedAt, spanCatalog }, leave)
    return
  }
  await ledger.update(run, { state: 'delivered', endedAt, spanCatalog }, leave, ['problem'])
}
