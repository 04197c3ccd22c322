import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Upload } from '@aws-sdk/lib-storage'
import { runIdOf, sourceIdOf } from '../ledger/ids.ts'
import type { RunRef } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'

export type Landing = RunRef & { file: string; key: string; versionId: string; bytes: number; landedAt: Date }

/** What a person can mend before anything is uploaded. */
export class NotLandable extends Error {}

/** Where a file goes by its name: zips to `landing/`, CSVs straight to `data/`. */
export function landingKey(file: string, dataset: string): string {
  const name = basename(file)
  if (/\.zip$/i.test(name)) return `landing/${dataset}/${name}`
  if (/\.csv(\.gz)?$/i.test(name)) return `data/${dataset}/${name}`
  throw new NotLandable(`${file} is neither a zip nor a CSV by its name: expected .zip, .csv or .csv.gz.`)
}

/**
 * Looks at all files before the first is uploaded.
 * Two of one name would be two versions of one source: the second would replace the first one's rows.
 * @throws NotLandable naming the first that cannot be landed
 */
export async function checkFiles(files: string[], dataset: string): Promise<void> {
  const seen = new Map<string, string>()
  for (const file of files) {
    const key = landingKey(file, dataset)
    const twin = seen.get(key)
    if (twin !== undefined)
      throw new NotLandable(
        `${twin} and ${file} have the same name, so the second would replace the first one's rows. Rename one.`,
      )
    seen.set(key, file)
    const found = await stat(file).catch(() => undefined)
    if (!found?.isFile()) throw new NotLandable(`${file} is not a file that can be read.`)
  }
}

/** Puts a local file where files land. */
export async function land({ s3, rawBucket }: Landfall, file: string, dataset: string): Promise<Landing> {
  const key = landingKey(file, dataset)
  const { size } = await stat(file)
  const upload = new Upload({ client: s3, params: { Bucket: rawBucket, Key: key, Body: createReadStream(file) } })
  const { VersionId: versionId = 'null' } = await upload.done()
  const landedAt = new Date()
  return {
    file,
    key,
    versionId,
    bytes: size,
    landedAt,
    dataset,
    sourceId: sourceIdOf(key),
    runId: runIdOf(key, versionId, 'live'),
  }
}
