import pMap from 'p-map'
import type { StagedPart } from '../../schemas/report.ts'
import { TryAgain } from '../lambda/errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { type Head, headKey, type Run, type SourceRef, sourcePk } from '../ledger/run.ts'
import type { Condition, Item, Write } from '../ledger/table.ts'
import { type Lease, leaseOf } from './lease.ts'
import type { Objects } from './objects.ts'

/** Longer than any function runs (5 minutes), so that a publisher that still lives still holds its lock. */
export const LOCK_MS = 6 * 60_000
/** Copies in flight of one source. Of all that are settled side by side, that is some more than the sockets of a client. */
const COPIES = 8
/** Keys in one ledger item: 1,000 keys of at most 300 bytes stay under DynamoDB's 400 KB. */
const KEYS_PER_ITEM = 1000

/** `s3://bucket/key` of a staged object. */
export function parseS3(uri: string): { bucket: string; key: string } {
  const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri)
  if (!match) throw new Error(`Not an s3:// URI: ${uri}`)
  return { bucket: match[1] ?? '', key: match[2] ?? '' }
}

export type Publication = {
  zone: 'processing' | 'delivery'
  bucket: string
  /** `delivery`: the version of the contract, each of which has a place of its own. @default 1 */
  version?: number
  /** Why it must not begin any more, asked under the lock. What was begun is finished all the same. */
  stale?: () => Promise<string | undefined>
  objects: { staged: StagedPart; key: string }[]
  /** What else changes, all or nothing, with the source's new contents; told how many objects were written or removed. */
  effects: (changed: number) => { run: Partial<Run>; more: Write[] }
}

export type PublishDeps = { ledger: Ledger; objects: Objects; rawBucket: string; unique: () => string }

export type SourceLock = Lease & { owner: string }

/** Runs `work` while no one else changes what the zones hold of this source. It asks its lock before each write. */
export async function withSourceLock<T>(
  { ledger, unique }: Pick<PublishDeps, 'ledger' | 'unique'>,
  source: SourceRef,
  work: (head: Head, lock: SourceLock) => Promise<T>,
): Promise<T> {
  const owner = unique()
  const now = ledger.now().getTime()
  const taken = await ledger.table.write([
    {
      update: headKey(source),
      set: { lockOwner: owner, lockUntil: now + LOCK_MS },
      when: [
        { attribute: 'pk', is: 'present' },
        { attribute: 'lockUntil', is: 'absentOrLess', to: now },
      ],
    },
  ])
  if (!taken) throw new TryAgain('source_locked', `Another publisher holds ${source.sourceId}.`)
  try {
    const head = await ledger.head(source)
    if (!head) throw new Error(`The ledger lost ${source.sourceId} while it was locked`)
    return await work(head, { owner, ...leaseOf(ledger.now, now, LOCK_MS, source.sourceId) })
  } finally {
    // What came of the work stands, also where the lock is not let go: it ends by itself.
    await letGo(ledger, source, owner).catch(() => {})
  }
}

const letGo = ({ table }: Ledger, source: SourceRef, owner: string) =>
  table.write([
    {
      update: headKey(source),
      remove: ['lockOwner', 'lockUntil'],
      when: [{ attribute: 'lockOwner', is: 'equal', to: owner }],
    },
  ])

/** Lock still ours, at the moment the ledger is told: a publisher that overslept its lease changes nothing. */
export const stillLocked = (owner: string): Condition[] => [{ attribute: 'lockOwner', is: 'equal', to: owner }]

/** What one version has in a zone: it is listed apart, for readers may still be at the rows of the version before. */
type Location = Pick<Publication, 'zone' | 'version'>

/** All versions' lists begin so. */
const zonePrefix = (zone: string) => `OBJECTS#${zone}`
const listPrefix = ({ zone, version = 1 }: Location) => `${zonePrefix(zone)}${version === 1 ? '' : `.v${version}`}#`

/** Objects that a run has in a zone, as the ledger lists them: none where another run's have taken their place. */
export async function publishedKeys(
  ledger: Ledger,
  { runId, contractVersion, ...source }: SourceRef & Pick<Run, 'runId' | 'contractVersion'>,
  zone: Publication['zone'],
): Promise<string[]> {
  const at = zone === 'delivery' ? { zone, version: contractVersion } : { zone }
  return keysIn(await ledger.table.query(sourcePk(source), `${listPrefix(at)}${runId}#`))
}

/** All that the ledger lists of a source in a zone, of whichever run and version. */
export async function knownKeys(ledger: Ledger, source: SourceRef, zone: Publication['zone']): Promise<string[]> {
  return [...new Set(keysIn(await ledger.table.query(sourcePk(source), zonePrefix(zone))))]
}

/** Of whichever zone and version. */
const runOf = ({ sk }: Item) => sk.split('#')[2] ?? ''

const keysIn = (lists: Item[]) => lists.flatMap(({ keys }) => (keys as string[] | undefined) ?? [])

type Keep = { run: string; keys: string[] }

/** Takes out of a bucket all that the lists beginning with `prefix` have but for `keep`, and then forgets the lists. */
async function clear(
  { ledger, objects }: PublishDeps,
  lease: Lease,
  source: SourceRef,
  bucket: string,
  prefix: string,
  keep: Keep = { run: '', keys: [] },
  needed: () => Promise<string[]> = async () => [],
) {
  const known = await ledger.table.query(sourcePk(source), prefix)
  const others = known.filter((list) => runOf(list) !== keep.run)
  const spared = others.length > 0 ? await needed() : []
  const isSpared = (list: Item) => spared.includes(runOf(list))
  const kept = new Set(keep.keys)
  const stale = [...new Set(keysIn(known.filter((list) => !isSpared(list))))].filter((key) => !kept.has(key))
  lease.check()
  if (stale.length > 0) await objects.remove(bucket, stale)
  await forget(
    ledger,
    lease,
    others.filter((list) => !isSpared(list)),
  )
  return stale.length
}

/**
 * Runs whose typed rows are needed still: of what was begun in the delivery zone and is not finished, a part lies over the version
 * before, and if all that came since fails or is refused, only these rows put that right.
 */
async function typedForHalves(ledger: Ledger, source: SourceRef): Promise<string[]> {
  const lists = await ledger.table.query(sourcePk(source), zonePrefix('delivery'))
  const runs = await Promise.all([...new Set(lists.map(runOf))].map((runId) => ledger.run({ ...source, runId })))
  return runs.flatMap((run) => (run && run.deliveredObjects === undefined ? [run.typedBy?.runId ?? run.runId] : []))
}

async function forget(ledger: Ledger, lease: Lease, lists: Item[]): Promise<void> {
  const one = async ({ pk, sk }: Item) => {
    lease.check()
    await ledger.table.write([{ delete: { pk, sk } }])
  }
  await pMap(lists, one, { concurrency: 8 })
}

export type Published = { outcome: 'published'; changed: number } | { outcome: 'superseded'; why: string }

/** Whether the run's version is the one that the raw zone holds now. */
export async function outdated(
  { objects, rawBucket }: Pick<PublishDeps, 'objects' | 'rawBucket'>,
  run: Run,
): Promise<string | undefined> {
  const current = await objects.head(rawBucket, run.key)
  if (!current) return `${run.key} is gone from the raw zone.`
  if (current.versionId !== run.versionId) return `A newer version of ${run.key} landed.`
  return undefined
}

async function hasBegun(ledger: Ledger, run: Run, at: Location): Promise<boolean> {
  return (await ledger.table.query(sourcePk(run), `${listPrefix(at)}${run.runId}#`, 1)).length > 0
}

const contents = ({ zone, version = 1 }: Location, runId: string, seq: number): Partial<Head> =>
  zone === 'processing'
    ? { processingSeq: seq }
    : { deliverySeq: seq, deliveryRun: runId, ...(version > 1 && { deliveryVersion: version }) }

/**
 * Makes a run's staged objects the source's contents of a zone.
 *
 * Begins only while its version is current, and only if no run registered later was published before it. The lists of keys are
 * written before the first copy, so that whatever a crash leaves behind is known and taken out by the next publisher.
 * A reader may see old and new partitions of a source side by side meanwhile, never a row twice in one partition.
 *
 * @throws TryAgain when another publisher holds the source.
 */
export async function publish(deps: PublishDeps, run: Run, publication: Publication): Promise<Published> {
  const { ledger, objects } = deps
  const { zone, bucket, version = 1 } = publication
  const prefix = listPrefix(publication)
  return await withSourceLock(deps, run, async (head, lock) => {
    // What was begun is finished: half of it lies over the version before, which a refused next one would leave so.
    const begun = await hasBegun(ledger, run, publication)
    const stale = begun ? undefined : ((await publication.stale?.()) ?? (await outdated(deps, run)))
    if (stale) return { outcome: 'superseded', why: stale }
    // The head speaks of the newest version only. Of an earlier one only what was begun gets here, and that is its newest:
    // whoever was published after it would have cleared its lists.
    const earlier = zone === 'delivery' && version < (head.deliveryVersion ?? 1)
    const published = zone === 'processing' ? head.processingSeq : earlier ? undefined : head.deliverySeq
    const seq = run.typedBy?.seq ?? run.seq
    if (published !== undefined && published > seq)
      return { outcome: 'superseded', why: `A run registered later has been published for ${run.key}.` }

    const keys = publication.objects.map(({ key }) => key)
    for (let i = 0; i < keys.length; i += KEYS_PER_ITEM) {
      lock.check()
      const sk = `${prefix}${run.runId}#${String(i / KEYS_PER_ITEM).padStart(4, '0')}`
      await ledger.table.write([{ put: { pk: sourcePk(run), sk, keys: keys.slice(i, i + KEYS_PER_ITEM) } }])
    }
    await pMap(
      publication.objects,
      async ({ staged, key }) => {
        lock.check()
        const { bucket: from, key: stagedKey } = parseS3(staged.uri)
        return await objects.copy(
          { bucket: from, key: stagedKey, etag: staged.etag, bytes: staged.bytes },
          { bucket, key },
        )
      },
      { concurrency: COPIES },
    )
    const needed = () => (zone === 'processing' ? typedForHalves(ledger, run) : Promise.resolve([]))
    const removed = await clear(deps, lock, run, bucket, prefix, { run: run.runId, keys }, needed)
    const changed = keys.length + removed
    const effects = publication.effects(changed)
    lock.check()
    const settled = await ledger.update(run, effects.run, [
      {
        update: headKey(run),
        set: earlier ? { lockOwner: lock.owner } : contents(publication, run.runId, seq),
        when: stillLocked(lock.owner),
      },
      ...effects.more,
    ])
    if (!settled) throw new TryAgain('publish_contended', `${run.key} was published, but the ledger changed meanwhile.`)
    return { outcome: 'published', changed }
  })
}

export type Zones = { processing: string; delivery: string }

/**
 * Takes a source's rows out of delivery and processing. Its raw object must be gone first: then a run still at work
 * finds it gone when it settles, and publishes nothing.
 * @param mark for a person who wants none of its rows any more: what has not landed since stays out
 * @returns false where the marked source has landed again meanwhile; its rows were left alone
 */
export async function withdraw(
  deps: PublishDeps,
  source: SourceRef,
  buckets: Zones,
  mark?: { at: string; zipSeq?: number },
): Promise<boolean> {
  if (!(await deps.ledger.head(source))) return true
  return await withSourceLock(deps, source, async (head, lock) => {
    if (mark && (await deps.objects.head(head.bucket, head.key))) return false
    // First of all: whoever misses an object from now on need not look for someone else who has deleted it.
    lock.check()
    const noMore = { update: headKey(source), remove: ['deliveryRun'], when: stillLocked(lock.owner) }
    if (!(await deps.ledger.table.write([noMore]))) throw contended(source)
    await clear(deps, lock, source, buckets.delivery, zonePrefix('delivery'))
    await clear(deps, lock, source, buckets.processing, zonePrefix('processing'))
    lock.check()
    const marked = { withdrawnAt: mark?.at, withdrawnZipSeq: mark?.zipSeq }
    const sameSeq: Condition[] = mark ? [seqOf(head)] : []
    const done = await deps.ledger.table.write([
      {
        update: headKey(source),
        // A run registered before now may not publish any more.
        set: { processingSeq: head.seq, deliverySeq: head.seq, ...(mark && marked) },
        remove: ['deliveryVersion'],
        // What lands later takes the mark away; what has landed in between must not be marked.
        when: [...stillLocked(lock.owner), ...sameSeq],
      },
    ])
    if (!done) throw contended(source)
    return true
  })
}

const contended = ({ sourceId }: SourceRef) =>
  new TryAgain('withdraw_contended', `${sourceId} was being withdrawn, but the ledger changed meanwhile.`)

const seqOf = ({ seq }: Head): Condition =>
  seq === undefined ? { attribute: 'seq', is: 'absent' } : { attribute: 'seq', is: 'equal', to: seq }

/** Takes one version's objects of a source out of the delivery zone, when nobody queries that version any more. */
export async function retireSource(
  deps: Pick<PublishDeps, 'ledger' | 'objects' | 'unique'>,
  source: SourceRef,
  version: number,
  { bucket, keys }: { bucket: string; keys: string[] },
): Promise<void> {
  const prefix = listPrefix({ zone: 'delivery', version })
  await withSourceLock(deps, source, async (_, lock) => {
    // The lists first: a listing of the zone finds objects that a crash leaves, but nothing would find the lists.
    await forget(deps.ledger, lock, await deps.ledger.table.query(sourcePk(source), prefix))
    lock.check()
    await deps.objects.remove(bucket, keys)
  })
}
