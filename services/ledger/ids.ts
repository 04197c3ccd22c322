import { createHash } from 'node:crypto'
import { basename } from 'node:path/posix'
import type { Stage } from '../../events/replay.ts'
import { type DatasetVersion, deliveryPrefix, versionOfFolder } from '../../schemas/locations.ts'

const hash = (text: string, length: number) => createHash('sha256').update(text).digest('hex').slice(0, length)

/**
 * Letters, digits, `.`, `_` and `-`; at most 40, so that keys stay short whatever people call their files. None begins with `_` or
 * `.`: Athena and Spark take such files for hidden, and nobody would see their rows.
 */
const slug = (name: string) =>
  name
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^[._]+/, '')
    .slice(0, 40)

/** For places in the ledger, whose keys are shorter than S3's may be. */
export const keyHash = (key: string): string => hash(key, 20)

/** A source is a raw key: the readable stem and a hash of the whole key, so two zips' members of one name are two sources. */
export function sourceIdOf(rawKey: string): string {
  const stem = basename(rawKey).replace(/(\.csv)?(\.gz)?$|\.zip$/i, '')
  return `${slug(stem) || 'source'}-${hash(rawKey, 10)}`
}

/** Same key, version and cause is the same run: a duplicate event changes nothing. */
export const runIdOf = (rawKey: string, versionId: string, cause: string): string =>
  hash(`${rawKey}\n${versionId}\n${cause}`, 20)

/** Folder of a zip's members in the raw zone; the hash is of the landing key, so that two zips of one name do not meet. */
export function memberFolderOf(dataset: string, landingKey: string): string {
  const stem = basename(landingKey).replace(/\.zip$/i, '')
  return `data/${dataset}/${slug(stem) || 'zip'}~${hash(landingKey, 10)}/`
}

/** The dataset is the folder below the zone's: `landing/<dataset>/…`, `data/<dataset>/…`. */
export function datasetOf(key: string): string | undefined {
  const [, dataset, ...rest] = key.split('/')
  return rest.length > 0 && dataset ? dataset : undefined
}

export const processingPrefix = (dataset: string, sourceId: string, runId: string) =>
  `data/${dataset}/${sourceId}/${runId}-`

const five = (n: number) => String(n).padStart(5, '0')

export const processingKey = (dataset: string, sourceId: string, runId: string, part: number, parts: number) =>
  `${processingPrefix(dataset, sourceId, runId)}${five(part)}-of-${five(parts)}.parquet`

export type ProcessingKey = { dataset: string; sourceId: string; runId: string; part: number; parts: number }

export function parseProcessingKey(key: string): ProcessingKey | undefined {
  const match = /^data\/([^/]+)\/([^/]+)\/([0-9a-f]+)-(\d{5})-of-(\d{5})\.parquet$/.exec(key)
  if (!match) return undefined
  const [, dataset = '', sourceId = '', runId = '', part, parts] = match
  return { dataset, sourceId, runId, part: Number(part), parts: Number(parts) }
}

/** No run id in the name: a new version of a source replaces its object in place. */
export const deliveryKey = (of: DatasetVersion, folder: string, sourceId: string, part: number) =>
  `${deliveryPrefix(of)}${folder}/${sourceId}-${five(part)}.parquet`

export type DeliveryKey = DatasetVersion & { folder: string; sourceId: string }

/** Undefined for a key that is none of ours, wherever it lies. */
export function parseDeliveryKey(key: string): DeliveryKey | undefined {
  const [, at = '', folder = '', sourceId = ''] = /^data\/([^/]+)\/([^/]+)\/([^/]+)-\d{5,}\.parquet$/.exec(key) ?? []
  const of = versionOfFolder(at)
  return of && sourceId ? { ...of, folder, sourceId } : undefined
}

/** Whose folder of the delivery zone a key is in, whoever put it there. */
export function deliveredTo(key: string): DatasetVersion | undefined {
  const folder = datasetOf(key)
  return folder === undefined ? undefined : versionOfFolder(folder)
}

/** A batch names its stage and dataset, so that a job's `--manifest` argument says whose end it is. */
export const batchIdOf = (dataset: string, unique: string) => `${dataset}~${unique}`

export const stagingFolder = (stage: Stage, batch: string) => `${stage}/${batch}/`

export function parseManifestUri(uri: string): { stage: string; dataset: string; batch: string } | undefined {
  const match = /^s3:\/\/[^/]+\/([a-z]+)\/(([^/~]+)~[^/]+)\/manifest\.json$/.exec(uri)
  if (!match) return undefined
  const [, stage = '', batch = '', dataset = ''] = match
  return { stage, dataset, batch }
}
