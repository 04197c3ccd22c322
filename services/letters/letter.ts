import { z } from 'zod'
import { CrawlEnded } from '../../events/crawl-ended.ts'
import { JobEnded } from '../../events/job-ended.ts'
import { RerunAsked } from '../../events/rerun-asked.ts'
import { S3ObjectEvent } from '../../events/s3-object.ts'
import { runDelivered } from '../jobs/delivered.ts'
import { readSlot } from '../jobs/settle.ts'
import { datasetOf, parseProcessingKey, runIdOf, sourceIdOf } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Run, RunRef } from '../ledger/run.ts'
import type { DeadLetter } from './dead-letters.ts'

/** What says of which run a letter is. */
export type Books = {
  ledger: Ledger
  datasets: string[]
  rawBucket: string
  processingBucket: string
  deliveryBucket: string
}

/** A dead letter, and what the books know of what it tells. */
export type Letter = DeadLetter & {
  /** As the event calls itself; absent for what is no event. */
  detailType?: string
  /** The key, job run or crawler that it tells of; of what is no event, how it begins. */
  about: string
  /** Runs that it is of, whether or not the ledger has them. */
  refs: RunRef[]
  runs: Run[]
}

type Told = Pick<Letter, 'detailType' | 'about' | 'refs'>

/** Of a text that is no event, in a table. */
const SHOWN = 60
const AnyEvent = z.object({ 'detail-type': z.string(), source: z.string() })

export async function readLetter(books: Books, letter: DeadLetter): Promise<Letter> {
  const told = await tell(books, letter.body)
  const runs = await Promise.all(told.refs.map((ref) => books.ledger.run(ref)))
  return { ...letter, ...told, runs: runs.flatMap((run) => run ?? []) }
}

async function tell(books: Books, body: string): Promise<Told> {
  const event = parsed(body)
  const object = S3ObjectEvent.safeParse(event)
  if (object.success) return await ofObject(books, object.data)
  const job = JobEnded.schema.safeParse(event)
  if (job.success) {
    const { jobRunId } = job.data.detail
    return { detailType: job.data['detail-type'], about: jobRunId, refs: await inJob(books, jobRunId) }
  }
  const crawl = CrawlEnded.schema.safeParse(event)
  if (crawl.success) return { detailType: crawl.data['detail-type'], about: crawl.data.detail.crawlerName, refs: [] }
  const rerun = RerunAsked.schema.safeParse(event)
  if (rerun.success) return await ofRerun(books, rerun.data)
  const other = AnyEvent.safeParse(event)
  if (other.success) return { detailType: other.data['detail-type'], about: other.data.source, refs: [] }
  return { about: body.slice(0, SHOWN), refs: [] }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

async function ofObject(books: Books, event: S3ObjectEvent): Promise<Told> {
  const { bucket, object } = event.detail
  const { key } = object
  const told = { detailType: event['detail-type'], about: key }
  const { ledger, rawBucket, processingBucket, deliveryBucket } = books
  if (bucket.name === rawBucket && !key.endsWith('/')) {
    const runId = runIdOf(key, object['version-id'] ?? 'null', event['replay-name'] ?? 'live')
    return { ...told, refs: [{ dataset: datasetOf(key) ?? 'unknown', sourceId: sourceIdOf(key), runId }] }
  }
  if (bucket.name === processingBucket) {
    const found = parseProcessingKey(key)
    if (found) return { ...told, refs: [refOf(found)] }
  }
  if (bucket.name === deliveryBucket) {
    // The names in this zone have no run in them: it is that of the rows which the source has there now.
    const run = await runDelivered(ledger, key)
    if (run) return { ...told, refs: [refOf(run)] }
  }
  return { ...told, refs: [] }
}

/** It names no version, so that its run is known only once a stage has registered it. */
async function ofRerun({ ledger }: Books, event: z.infer<typeof RerunAsked.schema>): Promise<Told> {
  const { key, rerun } = event.detail
  const runs = await ledger.runs({ dataset: datasetOf(key) ?? 'unknown', sourceId: sourceIdOf(key) })
  const refs = runs.filter(({ cause }) => cause === rerun).map(refOf)
  return { detailType: event['detail-type'], about: key, refs }
}

/** The runs of the batch that this job run has in its hands still. Of one that was settled since, no one knows any more. */
async function inJob({ ledger, datasets }: Books, jobRunId: string): Promise<RunRef[]> {
  for (const stage of ['convert', 'partition'] as const)
    for (const dataset of datasets) {
      const slot = await readSlot(ledger, { stage, dataset })
      if (slot?.jobRunId === jobRunId) return slot.items.map(({ sourceId, runId }) => ({ dataset, sourceId, runId }))
    }
  return []
}

const refOf = ({ dataset, sourceId, runId }: RunRef): RunRef => ({ dataset, sourceId, runId })
