import { runDelivered } from '../jobs/delivered.ts'
import { parseS3 } from '../jobs/publish.ts'
import { datasetOf, parseProcessingKey, sourceIdOf } from '../ledger/ids.ts'
import { ID_START, type Run } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'

export type Books = Pick<Landfall, 'ledger' | 'datasets' | 'rawBucket' | 'processingBucket' | 'deliveryBucket'>

/** A name that is no run's, or several runs'. */
export class NoSuchRun extends Error {}

const newest = (runs: Run[]): Run | undefined => runs.toSorted((a, b) => b.seq - a.seq)[0]

/**
 * The run that people mean: by its id or the first characters of it, by a landed key or its `s3://` URI (then the newest run),
 * by an object of the processing or delivery zone (the run that it is of), or by a source id.
 * @throws NoSuchRun saying what was looked for, and what to do
 */
export async function findRun(books: Books, text: string): Promise<Run> {
  const { ledger, datasets } = books
  if (text.startsWith('s3://')) return await byUri(books, text)
  if (text.includes('/')) return await byKey(books, text)
  if (/^[0-9a-f]+$/.test(text)) {
    if (text.length < ID_START)
      throw new NoSuchRun(`"${text}" is too short: give at least ${ID_START} characters of the run's id.`)
    const refs = await ledger.named(text)
    const found = (await Promise.all(refs.map((ref) => ledger.run(ref)))).flatMap((run) => run ?? [])
    if (found.length > 1) {
      const candidates = found.map(({ runId, key, state }) => `\n  ${runId}  ${key}  ${state}`).join('')
      throw new NoSuchRun(`${found.length} runs begin with "${text}". Give more of the id:${candidates}`)
    }
    if (found[0]) return found[0]
  }
  for (const dataset of datasets) {
    const run = newest(await ledger.runs({ dataset, sourceId: text }))
    if (run) return run
  }
  throw new NoSuchRun(
    `No run has the id "${text}", or an id that begins so, and no source is called that. landfall runs lists them.`,
  )
}

async function byUri(books: Books, uri: string): Promise<Run> {
  const { ledger, rawBucket, processingBucket, deliveryBucket } = books
  const { bucket, key } = parseS3(/^s3:\/\/[^/]+\/./.test(uri) ? uri : `${uri}/?`)
  if (bucket === rawBucket) return await byKey(books, key)
  if (bucket === processingBucket) {
    const ref = parseProcessingKey(key)
    const run = ref && (await ledger.run(ref))
    if (run) return run
    throw new NoSuchRun(`${key} of the processing bucket is no object of a run that the ledger knows.`)
  }
  if (bucket === deliveryBucket) return await byDelivered(books, key)
  throw new NoSuchRun(
    `${bucket} is none of this deployment's zones (raw ${rawBucket}, processing ${processingBucket}, delivery ${deliveryBucket}).`,
  )
}

async function byDelivered({ ledger }: Books, key: string): Promise<Run> {
  const run = await runDelivered(ledger, key)
  if (run) return run
  throw new NoSuchRun(`${key} of the delivery bucket is of no source whose rows the ledger has in the table now.`)
}

async function byKey({ ledger }: Books, text: string): Promise<Run> {
  // Zips are kept elsewhere once they are extracted.
  const key = text.replace(/^\/+/, '').replace(/^old-data\//, 'landing/')
  const source = { dataset: datasetOf(key) ?? 'unknown', sourceId: sourceIdOf(key) }
  const run = newest(await ledger.runs(source))
  if (run) return run
  throw new NoSuchRun(
    `Nothing has landed as ${key}, as far as the ledger knows. Keys are compared to the letter; landfall runs --source lists what contains a text.`,
  )
}
