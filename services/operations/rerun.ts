import { randomBytes } from 'node:crypto'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import pMap from 'p-map'
import { sourceIdOf } from '../ledger/ids.ts'
import { fits, type OpenRerun, openRerun } from '../ledger/reruns.ts'
import type { RerunInput } from '../rerun/input.ts'
import type { Landfall } from './connect.ts'

/** What a person can mend in what was asked for; nothing was done. */
export class NotRerunnable extends Error {}

/**
 * A whole prefix of the raw zone: as it is where it begins with a zone's folder of the dataset, else below its CSVs.
 * @throws NotRerunnable for another dataset's, or a zone's that has no sources
 */
export function rerunPrefix(dataset: string, prefix = ''): string {
  const zones = ['data', 'landing'].map((zone) => `${zone}/${dataset}/`)
  if (zones.some((zone) => prefix.startsWith(zone))) return prefix
  if (/^(data|landing|old-data)(\/|$)/.test(prefix))
    throw new NotRerunnable(
      `The prefix ${prefix} is not of ${dataset}: expected one at or below ${zones.join(' or ')}, or what follows data/${dataset}/.`,
    )
  return `data/${dataset}/${prefix.replace(/^\/+/, '')}`
}

/** What is below a prefix; of it, a rerun is for `fitting` files: undefined where that was not looked up. */
export type Extent = { files: number; bytes: number; landed: number; fitting?: number }

/** Files whose runs are looked up to say how many a rerun is for. */
const LOOKED_UP = 1000

type Source = { key: string; bytes: number; modified: Date | undefined }

/** Lists, by pages, what a rerun would list. `landed` counts those of `since`. */
export async function extentOf(
  { s3, rawBucket, ledger }: Pick<Landfall, 's3' | 'rawBucket' | 'ledger'>,
  { dataset, prefix, only, since }: RerunInput & { prefix: string },
  signal?: AbortSignal,
): Promise<Extent> {
  let files = 0
  let bytes = 0
  let landed = 0
  const some: Source[] = []
  let token: string | undefined
  do {
    signal?.throwIfAborted()
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: rawBucket, Prefix: prefix, ContinuationToken: token }),
    )
    for (const { Key = '', Size = 0, LastModified: modified } of page.Contents ?? []) {
      if (Key.endsWith('/')) continue
      files++
      if (since && modified && modified.getTime() < Date.parse(since)) continue
      landed++
      bytes += Size
      if (some.length <= LOOKED_UP) some.push({ key: Key, bytes: Size, modified })
    }
    token = page.NextContinuationToken
  } while (token)
  if (!only?.length) return { files, bytes, landed, fitting: landed }
  if (some.length > LOOKED_UP) return { files, bytes, landed }
  const mine = await pMap(
    some,
    async ({ key, bytes, modified }) => {
      const runs = await ledger.runs({ dataset, sourceId: sourceIdOf(key) })
      return fits({ only, since }, runs, '', modified) ? [bytes] : []
    },
    { concurrency: 16 },
  )
  const sizes = mine.flat()
  return { files, bytes: sizes.reduce((a, b) => a + b, 0), landed, fitting: sizes.length }
}

/** Readable, and never the same twice: a rerun's name is the cause of its runs. At most 80 characters, as AWS wants it. */
export function rerunName(dataset: string, now: Date): string {
  const at = now.toISOString().replace(/[-:]|\.\d+Z$/g, '')
  return `${dataset.slice(0, 50)}-${at}-${randomBytes(2).toString('hex')}`
}

/** The part of a rerun's name that its execution has. */
export const executionName = (rerun: string): string => rerun.replace(/^rerun-/, '')

export type Begun = { rerun: string; execution: string; joined: boolean }

/**
 * Starts the machine; or finds the rerun that is at work with the same input.
 * @throws NotRerunnable where one with another input is at work
 */
export async function beginRerun(
  { ledger, machine }: Pick<Landfall, 'ledger' | 'machine'>,
  input: RerunInput & { prefix: string },
): Promise<Begun> {
  const atWork = await joinable({ ledger }, input)
  if (atWork) return atWork
  const name = rerunName(input.dataset, ledger.now())
  return { rerun: `rerun-${name}`, execution: await machine.start(name, input), joined: false }
}

/** The dataset's rerun at work, if it is for the same. @throws NotRerunnable if it is for another */
export async function joinable(
  { ledger }: Pick<Landfall, 'ledger'>,
  input: RerunInput & { prefix: string },
): Promise<Begun | undefined> {
  const open = await openRerun(ledger, input.dataset)
  if (!open) return undefined
  const { rerun, execution } = open
  if (asWords(open) === asWords(input)) return { rerun, execution, joined: true }
  throw new NotRerunnable(
    `The rerun ${executionName(rerun)} of ${input.dataset} is at work (${asWords(open)}), and a dataset has one at a time. Wait for its end: landfall rerun --list.`,
  )
}

/** What a rerun is for, as people write it. */
export function asWords({ prefix, only, since, dryRun }: Partial<Omit<OpenRerun, 'dataset'>>): string {
  const states = only?.length ? `only ${[...only].sort().join(' or ')}` : 'all'
  return [prefix, states, since && `since ${since}`, dryRun && 'dry run'].filter(Boolean).join(', ')
}
