import { TryAgain } from '../lambda/errors.ts'
import { LIVE } from '../ledger/causes.ts'
import { memberFolderOf, sourceIdOf } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { type Head, hasEnded, headKey, type SourceRef } from '../ledger/run.ts'
import type { Lease } from './lease.ts'
import { type PublishDeps, stillLocked, withdraw, withSourceLock, type Zones } from './publish.ts'

/** `landed_again`: while it was being withdrawn; the newer version stays. `unknown`: the ledger has never heard of it. */
export type Withdrawal = 'withdrawn' | 'landed_again' | 'unknown'

/**
 * Takes out what people want no more: a CSV's rows, out of raw (its versions stay), processing and delivery. Delivery's
 * events then wake the catalog. The history stays, and no replay or rerun brings the rows back; landing the key does.
 *
 * @throws TryAgain while someone else is at work on the source, or on the zip that it came in
 */
export async function withdrawCsv(deps: PublishDeps, source: SourceRef, zones: Zones): Promise<Withdrawal> {
  const { ledger } = deps
  const head = await ledger.head(source)
  if (!head) return 'unknown'
  return await withZipLock(deps, source.dataset, head, async (zip, lease) => {
    // First the raw object: what is at work on it finds it gone, and publishes nothing.
    await removeRaw(deps, head.key, lease)
    const done = await withdraw(deps, source, zones, { at: markOf(ledger, head, zip), zipSeq: zip.seq })
    return done ? 'withdrawn' : 'landed_again'
  })
}

async function removeRaw({ objects, rawBucket }: PublishDeps, key: string, lease?: Lease): Promise<void> {
  if (!(await objects.head(rawBucket, key))) return
  lease?.check()
  await objects.remove(rawBucket, [key])
}

/** An extraction of its zip would write the raw object again, behind our back: of a replayed one, or of one that has just landed. */
async function withZipLock<T>(
  deps: PublishDeps,
  dataset: string,
  head: Head,
  work: (zip: Partial<Pick<Head, 'landedAt' | 'seq'>>, lease?: Lease) => Promise<T>,
): Promise<T> {
  const { ledger, objects, rawBucket } = deps
  const zipKey = head.zipKey ?? (await landedZip(deps, dataset, head.key))
  if (!zipKey) return await work({})
  const zip = { dataset, sourceId: sourceIdOf(zipKey) }
  const unlessWaiting = async (locked?: Head, lease?: Lease) => {
    const landed = await objects.head(rawBucket, zipKey)
    const seen = landed && (await ledger.runs(zip)).find(({ versionId }) => versionId === landed.versionId)
    if (landed && !(seen && hasEnded(seen.state)))
      throw new TryAgain('zip_in_work', `${zipKey} has landed again and is not extracted yet. Try again in a moment.`)
    return await work(locked ?? {}, lease)
  }
  return (await ledger.head(zip)) ? await withSourceLock(deps, zip, unlessWaiting) : await unlessWaiting()
}

/** Of a CSV that landed by itself in the folder of a zip's members: that zip, if it waits to be extracted for the first time. */
async function landedZip(
  { objects, rawBucket }: PublishDeps,
  dataset: string,
  key: string,
): Promise<string | undefined> {
  const folder = key.slice(0, key.lastIndexOf('/') + 1)
  if (!/~[0-9a-f]{10}\/$/.test(folder)) return undefined
  const landed = await objects.list(rawBucket, `landing/${dataset}/`)
  return landed.find((zip) => memberFolderOf(dataset, zip.key) === folder)?.key
}

/** A zip itself, before its members: from then on no replay extracts it again. @throws TryAgain while someone else is at work on it */
export async function withdrawZip(deps: PublishDeps, source: SourceRef): Promise<Withdrawal> {
  const { ledger } = deps
  if (!(await ledger.head(source))) return 'unknown'
  return await withSourceLock(deps, source, async (head, lock) => {
    await removeRaw(deps, head.key, lock)
    lock.check()
    const marked = await ledger.table.write([
      {
        update: headKey(source),
        set: { withdrawnAt: markOf(ledger, head, head) },
        when: [...stillLocked(lock.owner), { attribute: 'seq', is: 'equal', to: head.seq }],
      },
    ])
    if (marked) return 'withdrawn'
    const newest = (await ledger.runs(source)).sort((a, b) => b.seq - a.seq)[0]
    if (newest?.cause === LIVE) return 'landed_again'
    throw new TryAgain('withdraw_contended', `${head.key} was being withdrawn while a replay or rerun took it in.`)
  })
}

/**
 * The first instant stays, unless its zip has landed since. By whatever clocks, what is withdrawn did not land later than that:
 * it would come back.
 */
function markOf(ledger: Ledger, { withdrawnAt = '' }: Head, { landedAt = '' }: Pick<Head, 'landedAt'>): string {
  if (withdrawnAt !== '' && landedAt <= withdrawnAt) return withdrawnAt
  const now = ledger.instant()
  return now > landedAt ? now : landedAt
}

export const isZip = async (ledger: Ledger, source: SourceRef): Promise<boolean> =>
  (await ledger.head(source))?.key.startsWith('landing/') ?? false
