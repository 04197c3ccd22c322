import pMap from 'p-map'
import type { StagedPart } from '../../schemas/report.ts'
import { TryAgain } from '../lambda/errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { type Head, headKey, type Run, type SourceRef, sourcePk } from '../ledger/run.ts'
import type { Condition, Write } from '../ledger/table.ts'
import type { Objects } from './objects.ts'

/** Longer than any function runs (5 minutes), so that a publisher that still lives still holds its lock. */
export const LOCK_MS = 6 * 60_000
/** Copies in flight; S3 takes 3,500 writes a second per prefix. */
const COPIES = 24
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
  objects: { staged: StagedPart; key: string }[]
  /** What else changes, all or nothing, with the source's new contents; told how many objects were written or removed. */
  effects: (changed: number) => { run: Partial<Run>; more: Write[] }
}

export type PublishDeps = { ledger: Ledger; objects: Objects; rawBucket: string; unique: () => string }

/** Runs `work` while no one else changes what the zones hold of this source. */
export async function withSourceLock<T>(
  { ledger, unique }: Pick<PublishDeps, 'ledger' | 'unique'>,
  source: SourceRef,
  work: (head: Head, owner: string) => Promise<T>,
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
    return await work(head, owner)
  } finally {
    await ledger.table.write([
      {
        update: headKey(source),
        remove: ['lockOwner', 'lockUntil'],
        when: [{ attribute: 'lockOwner', is: 'equal', to: owner }],
      },
    ])
  }
}

/** Lock still ours, at the moment the ledger is told: a publisher that overslept its lease changes nothing. */
export const stillLocked = (owner: string): Condition[] => [{ attribute: 'lockOwner', is: 'equal', to: owner }]

type ZoneKeys = { zone: Publication['zone']; bucket: string }

const listPrefix = (zone: string) => `OBJECTS#${zone}#`

/** Objects that a run has in a zone, as the ledger lists them: none where another run's have taken their place. */
export async function publishedKeys(
  ledger: Ledger,
  { runId, ...source }: SourceRef & { runId: string },
  zone: Publication['zone'],
): Promise<string[]> {
  const items = await ledger.table.query(sourcePk(source), `${listPrefix(zone)}${runId}#`)
  return items.flatMap(({ keys }) => (keys as string[] | undefined) ?? [])
}

/** All that the ledger lists of a source in a zone, of whichever run. */
export async function knownKeys(ledger: Ledger, source: SourceRef, zone: Publication['zone']) {
  const items = await ledger.table.query(sourcePk(source), listPrefix(zone))
  return { items, keys: items.flatMap(({ keys }) => (keys as string[] | undefined) ?? []) }
}

/** Takes out of a zone all that the ledger lists for the source but for `keep`, and then forgets the lists. */
async function clear(
  deps: PublishDeps,
  source: SourceRef,
  { zone, bucket }: ZoneKeys,
  keepRun?: string,
  keep: string[] = [],
) {
  const known = await knownKeys(deps.ledger, source, zone)
  const kept = new Set(keep)
  const stale = [...new Set(known.keys)].filter((key) => !kept.has(key))
  if (stale.length > 0) await deps.objects.remove(bucket, stale)
  const lists = known.items.filter(
    ({ sk }) => keepRun === undefined || !sk.startsWith(`${listPrefix(zone)}${keepRun}#`),
  )
  await pMap(lists, ({ pk, sk }) => deps.ledger.table.write([{ delete: { pk, sk } }]), { concurrency: 8 })
  return stale.length
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

async function hasBegun(ledger: Ledger, run: Run, zone: string): Promise<boolean> {
  return (await ledger.table.query(sourcePk(run), `${listPrefix(zone)}${run.runId}#`, 1)).length > 0
}

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
  const { zone, bucket } = publication
  return await withSourceLock(deps, run, async (head, owner) => {
    // What was begun is finished: half of it lies over the version before, which a refused next one would leave so.
    const stale = (await hasBegun(ledger, run, zone)) ? undefined : await outdated(deps, run)
    if (stale) return { outcome: 'superseded', why: stale }
    const published = zone === 'processing' ? head.processingSeq : head.deliverySeq
    const seq = run.typedBy?.seq ?? run.seq
    if (published !== undefined && published > seq)
      return { outcome: 'superseded', why: `A run registered later has been published for ${run.key}.` }

    const keys = publication.objects.map(({ key }) => key)
    for (let i = 0; i < keys.length; i += KEYS_PER_ITEM) {
      const sk = `${listPrefix(zone)}${run.runId}#${String(i / KEYS_PER_ITEM).padStart(4, '0')}`
      await ledger.table.write([{ put: { pk: sourcePk(run), sk, keys: keys.slice(i, i + KEYS_PER_ITEM) } }])
    }
    await pMap(
      publication.objects,
      ({ staged, key }) => {
        const { bucket: from, key: stagedKey } = parseS3(staged.uri)
        return objects.copy({ bucket: from, key: stagedKey, etag: staged.etag, bytes: staged.bytes }, { bucket, key })
      },
      { concurrency: COPIES },
    )
    const removed = await clear(deps, run, { zone, bucket }, run.runId, keys)
    const changed = keys.length + removed
    const effects = publication.effects(changed)
    const settled = await ledger.update(run, effects.run, [
      {
        update: headKey(run),
        set: zone === 'processing' ? { processingSeq: seq } : { deliverySeq: seq, deliveryRun: run.runId },
        when: stillLocked(owner),
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
  mark?: { at: string },
): Promise<boolean> {
  if (!(await deps.ledger.head(source))) return true
  return await withSourceLock(deps, source, async (head, owner) => {
    if (mark && (await deps.objects.head(head.bucket, head.key))) return false
    await clear(deps, source, { zone: 'delivery', bucket: buckets.delivery })
    await clear(deps, source, { zone: 'processing', bucket: buckets.processing })
    const sameSeq: Condition[] = mark ? [seqOf(head)] : []
    const done = await deps.ledger.table.write([
      {
        update: headKey(source),
        // A run registered before now may not publish any more.
        set: { processingSeq: head.seq, deliverySeq: head.seq, ...(mark && { withdrawnAt: mark.at }) },
        remove: ['deliveryRun'],
        // What lands later takes the mark away; what has landed in between must not be marked.
        when: [...stillLocked(owner), ...sameSeq],
      },
    ])
    if (!done)
      throw new TryAgain('withdraw_contended', `${source.sourceId} was withdrawn, but the ledger changed meanwhile.`)
    return true
  })
}

const seqOf = ({ seq }: Head): Condition =>
  seq === undefined ? { attribute: 'seq', is: 'absent' } : { attribute: 'seq', is: 'equal', to: seq }
