import type { Ledger } from './ledger.ts'
import { queuePk } from './queue.ts'
import type { ItemKey } from './table.ts'

/**
 * How far the catalog is behind the delivery zone. `dirty` counts handled changes of the zone; a crawl started at
 * `dirty` = n has seen all of the first n. So whenever dirty exceeds crawled and no crawl is at work, one is due.
 */
export type CatalogState = {
  dirty: number
  crawled: number
  /** Of the crawl at work. */
  crawlDirty?: number
  crawlStartedAt?: string
  /** Epoch milliseconds; past it the sweep looks at the crawler itself. */
  crawlUntil?: number
  /** When the last crawl began whose end was taken up: it, or the comparison after it, has seen all that was there by then. */
  seenUntil?: string
  /** Epoch milliseconds; no crawl begins before then while more files are on their way to the table. */
  heldUntil?: number
  /** How long that was, milliseconds. */
  held?: number
  /** Epoch milliseconds; since when AWS refuses what the catalog needs. */
  refusedAt?: number
}

const CRAWL_LEASE_MS = 15 * 60_000
/** How long the first crawl waits for more files that are on their way; each next one eight times as long, up to the last. */
export const FIRST_HOLD_MS = 3_000
const LAST_HOLD_MS = 4 * 60_000

const pkOf = (dataset: string) => `TABLE#${dataset}`
const stateKey = (dataset: string): ItemKey => ({ pk: pkOf(dataset), sk: 'STATE' })

export async function catalogState(ledger: Ledger, dataset: string): Promise<CatalogState> {
  const item = await ledger.table.get(stateKey(dataset))
  return { dirty: 0, crawled: 0, ...(item as Partial<CatalogState> | undefined) }
}

export async function markDirty(ledger: Ledger, dataset: string): Promise<void> {
  await ledger.table.write([{ update: stateKey(dataset), add: { dirty: 1 } }])
}

/** @returns since when AWS has refused. */
export async function noteRefusal(ledger: Ledger, dataset: string): Promise<number> {
  const refusedAt = ledger.now().getTime()
  await ledger.table.write([
    { update: stateKey(dataset), set: { refusedAt }, when: [{ attribute: 'refusedAt', is: 'absent' }] },
  ])
  return (await catalogState(ledger, dataset)).refusedAt ?? refusedAt
}

export async function noRefusal(ledger: Ledger, dataset: string): Promise<void> {
  if ((await catalogState(ledger, dataset)).refusedAt === undefined) return
  await ledger.table.write([{ update: stateKey(dataset), remove: ['refusedAt'] }])
}

/**
 * False when a crawl is at work: its end will look again.
 * @param more whether files are on their way still
 */
export async function beginCrawl(
  ledger: Ledger,
  dataset: string,
  { dirty, held = FIRST_HOLD_MS }: Pick<CatalogState, 'dirty' | 'held'>,
  more = false,
): Promise<boolean> {
  const next = Math.min(held * 8, LAST_HOLD_MS)
  const now = ledger.now().getTime()
  return await ledger.table.write([
    {
      update: stateKey(dataset),
      set: {
        crawlDirty: dirty,
        crawlStartedAt: ledger.instant(),
        crawlUntil: now + CRAWL_LEASE_MS,
        ...(more && { heldUntil: now + next, held: next }),
      },
      ...(!more && { remove: ['heldUntil', 'held'] }),
      when: [{ attribute: 'crawlUntil', is: 'absentOrLess', to: now }],
    },
  ])
}

/** Ends the crawl that began at `state`; another one that has begun since stays as it is. */
export async function endCrawl(
  ledger: Ledger,
  dataset: string,
  state: CatalogState,
  outcome: 'seen' | 'abandoned',
): Promise<void> {
  if (state.crawlUntil === undefined) return
  await ledger.table.write([
    {
      update: stateKey(dataset),
      set:
        outcome === 'seen'
          ? { crawled: Math.max(state.crawled, state.crawlDirty ?? 0), seenUntil: state.crawlStartedAt }
          : {},
      remove: ['crawlDirty', 'crawlStartedAt', 'crawlUntil'],
      when: [{ attribute: 'crawlUntil', is: 'equal', to: state.crawlUntil }],
    },
  ])
}

/**
 * Whether a change of the zone was there when the last crawl began, or the one at work. If S3's clock and ours differ by less
 * than a crawl takes, the comparison after it has seen the change all the same.
 */
export function hasSeen({ seenUntil = '', crawlStartedAt = '' }: CatalogState, changedAt: Date): boolean {
  const at = changedAt.toISOString()
  return at < seenUntil || at < crawlStartedAt
}

/** Whether files are on their way to a dataset's table: what is in a job is in its stage's queue still. */
export async function isMoreComing({ table }: Ledger, dataset: string): Promise<boolean> {
  for (const stage of ['partition', 'convert'] as const)
    if ((await table.query(queuePk({ stage, dataset }), 'ITEM#', 1)).length > 0) return true
  return false
}

const publishingKey = (dataset: string, batch: string): ItemKey => ({ pk: pkOf(dataset), sk: `PUBLISHING#${batch}` })

/** While a batch is being published into a table no crawl starts, for it would have to be repeated at once. */
export async function whilePublishing(
  ledger: Ledger,
  dataset: string,
  batch: string,
  leaseMs: number,
  work: () => Promise<void>,
) {
  const key = publishingKey(dataset, batch)
  await ledger.table.write([{ put: { ...key, until: ledger.now().getTime() + leaseMs } }])
  try {
    await work()
  } finally {
    await ledger.table.write([{ delete: key }])
  }
}

export async function isPublishing(ledger: Ledger, dataset: string): Promise<boolean> {
  const markers = await ledger.table.query(pkOf(dataset), 'PUBLISHING#')
  const now = ledger.now().getTime()
  return markers.some(({ until }) => typeof until === 'number' && until > now)
}

/** A switch of the name that people query: from `since` on, in epoch milliseconds, versions before `version` have no readers. */
export type Switch = { version: number; since: number }

const switchKey = (dataset: string): ItemKey => ({ pk: pkOf(dataset), sk: 'SWITCH' })

/** Written before the switch, so that what a crash leaves of it is known. */
export async function noteSwitch(ledger: Ledger, dataset: string, version: number): Promise<void> {
  await ledger.table.write([{ put: { ...switchKey(dataset), version, since: ledger.now().getTime() } }])
}

export async function switchOf(ledger: Ledger, dataset: string): Promise<Switch | undefined> {
  return (await ledger.table.get(switchKey(dataset))) as unknown as Switch | undefined
}

/** When nothing is left of the versions before; another switch that was noted since stays. */
export async function forgetSwitch(ledger: Ledger, dataset: string, { since }: Switch): Promise<void> {
  await ledger.table.write([{ delete: switchKey(dataset), when: [{ attribute: 'since', is: 'equal', to: since }] }])
}
