import pMap from 'p-map'
import { deliveryPrefix } from '../../../schemas/locations.ts'
import { memberFolderOf, parseDeliveryKey, sourceIdOf } from '../../ledger/ids.ts'
import type { Run } from '../../ledger/run.ts'
import type { Landfall } from '../connect.ts'
import type { ObjectVersion, Retention } from '../versions.ts'
import type { Asked, Source } from './sources.ts'
import { stagedBatches } from './staged.ts'

/** Where a source's data is, in the order of its way. `others_zip`: one that has other sources too, which were not asked for. */
export const PLACES = ['zip', 'others_zip', 'raw', 'processing', 'delivery', 'rejects', 'refusals', 'staging'] as const
export type Place = (typeof PLACES)[number]

/** Versions of objects that still hold something of a source; in staging, of those of one batch. */
export type Found = {
  place: Place
  sourceIds: string[]
  bucket: string
  /** What to look below: a key, or a prefix that ends in `/`. */
  where: string
  versions: ObjectVersion[]
}

/** What the ledger quotes of the sources' files. */
export type Quoted = {
  /** Rejected rows that a run has as examples, with their values. */
  examples: number
  /** Words of refusals and failures, which may quote a header or a value. */
  problems: number
}

export type Holdings = {
  found: Found[]
  quoted: Quoted
  /** Of each bucket, and of the one with query results. */
  retention: Record<string, Retention>
  /** What else a zip has that is not the source's own. */
  zipsOf: { key: string; others: string[] }[]
}

export type HoldingDeps = Pick<
  Landfall,
  | 'ledger'
  | 'objects'
  | 'versions'
  | 'rawBucket'
  | 'processingBucket'
  | 'deliveryBucket'
  | 'quarantineBucket'
  | 'stagingBucket'
  | 'resultsBucket'
>

/** What still holds data of these sources, whether or not they are withdrawn. Everything that is listed is kept in memory. */
export async function findHoldings(deps: HoldingDeps, { dataset, sources }: Asked): Promise<Holdings> {
  const { ledger, versions } = deps
  const runs = (await pMap(sources, (source) => ledger.runs(source), { concurrency: 16 })).flat()
  const zips = zipKeysOf(sources)
  const found = [
    ...(await inRaw(deps, dataset, sources, zips)),
    ...(await inProcessing(deps, dataset, sources)),
    ...(await inDelivery(deps, dataset, sources)),
    ...(await inQuarantine(deps, sources)),
    ...(await inStaging(deps, dataset, runs)),
  ]
  const buckets = [...new Set([...found.map(({ bucket }) => bucket), deps.resultsBucket])]
  const kept = await Promise.all(buckets.map(async (bucket) => [bucket, await versions.retention(bucket)] as const))
  return {
    found: found.filter((each) => each.versions.length > 0),
    quoted: {
      examples: runs.reduce((sum, { examples = [] }) => sum + examples.length, 0),
      problems: runs.filter(quotes).length,
    },
    retention: Object.fromEntries(kept),
    zipsOf: await Promise.all(
      zips.map(async (key) => {
        const members = (await ledger.head({ dataset, sourceId: sourceIdOf(key) }))?.members ?? []
        const ours = new Set(sources.map((source) => source.key))
        return { key, others: members.flatMap((member) => (ours.has(member.key) ? [] : member.key)) }
      }),
    ),
  }
}

/** Put in the place of words that may quote a file. */
export const ERASED = 'What was said here may have quoted the file, and was erased with it'
export const quotes = ({ kind, state, problem }: Run): boolean =>
  kind === 'csv' &&
  (state === 'refused' || state === 'failed') &&
  problem !== undefined &&
  !problem.message.startsWith(ERASED)

const ZIP = /\.zip$/i

/** Zips that some of the sources came in, and that were not asked for. */
function zipKeysOf(sources: Source[]): string[] {
  const asked = new Set(sources.map(({ key }) => key))
  return [...new Set(sources.flatMap(({ zipKey }) => (zipKey && ZIP.test(zipKey) && !asked.has(zipKey) ? zipKey : [])))]
}

async function inRaw(
  { versions, rawBucket }: HoldingDeps,
  dataset: string,
  sources: Source[],
  zips: string[],
): Promise<Found[]> {
  const of = async (place: Place, key: string): Promise<Found> => ({
    place,
    sourceIds: [sourceIdOf(key.replace(/^old-data\//, 'landing/'))],
    bucket: rawBucket,
    where: key,
    versions: (await versions.list(rawBucket, key)).filter((version) => version.key === key),
  })
  const bothOf = async (place: Place, key: string) => [
    await of(place, key),
    await of(place, key.replace(/^landing\//, 'old-data/')),
  ]
  const asked = new Set(sources.map(({ key }) => key))
  const folder = sources.flatMap(({ kind, key }) =>
    kind === 'zip' && ZIP.test(key) ? memberFolderOf(dataset, key) : [],
  )[0]
  const inFolder = Map.groupBy(folder === undefined ? [] : await versions.list(rawBucket, folder), ({ key }) => key)
  const found = await pMap(
    sources,
    async (source): Promise<Found[]> => {
      const { kind, key, sourceId, zipKey } = source
      if (kind === 'zip') return ZIP.test(key) ? await bothOf('zip', key) : [await of('raw', key)]
      if (folder !== undefined && key.startsWith(folder))
        return [
          { place: 'raw', sourceIds: [sourceId], bucket: rawBucket, where: key, versions: inFolder.get(key) ?? [] },
        ]
      // A CSV that landed where zips do is one source under two keys.
      const moved = zipKey && !ZIP.test(zipKey) && !asked.has(zipKey)
      const landed = moved ? [{ ...(await of('raw', zipKey)), sourceIds: [sourceId] }] : []
      return [...landed, await of('raw', key)]
    },
    { concurrency: 16 },
  )
  const others = await Promise.all(zips.map((key) => bothOf('others_zip', key)))
  return [...others, ...found].flat()
}

async function inProcessing(
  { versions, processingBucket: bucket }: HoldingDeps,
  dataset: string,
  sources: Source[],
): Promise<Found[]> {
  return await pMap(
    sources.filter(({ kind }) => kind === 'csv'),
    async ({ sourceId }): Promise<Found> => {
      const where = `data/${dataset}/${sourceId}/`
      return { place: 'processing', sourceIds: [sourceId], bucket, where, versions: await versions.list(bucket, where) }
    },
    { concurrency: 16 },
  )
}

/** In any partition, under any version of the contract: only the name of an object says whose it is. */
async function inDelivery(
  { versions, deliveryBucket: bucket }: HoldingDeps,
  dataset: string,
  sources: Source[],
): Promise<Found[]> {
  const bySource = new Map(
    sources.flatMap(({ kind, sourceId }) => (kind === 'csv' ? [[sourceId, [] as ObjectVersion[]]] : [])),
  )
  for (const prefix of [deliveryPrefix({ dataset, version: 1 }), `data/${dataset}.v`]) {
    for (const version of await versions.list(bucket, prefix)) {
      const of = parseDeliveryKey(version.key)
      if (of?.dataset === dataset) bySource.get(of.sourceId)?.push(version)
    }
  }
  const where = (sourceId: string) => `data/${dataset}*/*/${sourceId}-*.parquet`
  return [...bySource].map(([sourceId, versions]) => ({
    place: 'delivery',
    sourceIds: [sourceId],
    bucket,
    where: where(sourceId),
    versions,
  }))
}

async function inQuarantine({ versions, quarantineBucket: bucket }: HoldingDeps, sources: Source[]): Promise<Found[]> {
  const found = await pMap(
    sources,
    ({ dataset, sourceId }) =>
      Promise.all(
        (
          [
            ['rejects', 'rejects'],
            ['refusals', 'refused'],
          ] as const
        ).map(async ([place, folder]): Promise<Found> => {
          const where = `${folder}/${dataset}/${sourceId}/`
          return { place, sourceIds: [sourceId], bucket, where, versions: await versions.list(bucket, where) }
        }),
      ),
    { concurrency: 8 },
  )
  return found.flat()
}

async function inStaging(deps: HoldingDeps, dataset: string, runs: Run[]): Promise<Found[]> {
  const { versions, stagingBucket: bucket } = deps
  const batches = await stagedBatches(deps, dataset, runs)
  return await pMap(
    batches,
    async ({ folder, sourceIds }): Promise<Found> => ({
      place: 'staging',
      sourceIds,
      bucket,
      where: folder,
      versions: await versions.list(bucket, folder),
    }),
    { concurrency: 8 },
  )
}
