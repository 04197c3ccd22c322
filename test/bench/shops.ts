import { GlueClient, paginateGetJobRuns, paginateGetJobs } from '@aws-sdk/client-glue'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import pMap from 'p-map'
import { clientConfig, type Runtime } from '../../infra/local/runtime.ts'
import { catalogState } from '../../services/ledger/catalog-state.ts'
import { runIdOf, sourceIdOf } from '../../services/ledger/ids.ts'
import { hasEnded, type Run, type RunRef, type Span } from '../../services/ledger/run.ts'
import type { Landfall } from '../../services/operations/connect.ts'
import { query } from '../../services/operations/query.ts'
import { centsOf, type ShopFile, type Totals } from '../generator/shops.ts'

const UPLOADS = 32
const POLL_MS = 100

/** What one landing of many files at once came to. */
export type Burst = {
  runs: Run[]
  /** From the first upload until the last run had ended. */
  seconds: number
  uploadSeconds: number
  /** Runs of the two Glue jobs, whatever became of them. */
  jobRuns: number
  crawls: number
}

/** Uploads files side by side, and waits until each has come to its end. Nothing else may be at work. */
export async function landAtOnce(
  runtime: Pick<Runtime, 'endpoint'>,
  landfall: Landfall,
  files: ShopFile[],
  patience = 600_000,
): Promise<Burst> {
  const before = await countJobRuns(runtime)
  const crawls = watchCrawls(landfall)
  const began = performance.now()
  const since = () => (performance.now() - began) / 1000
  try {
    const refs = await pMap(files, (file) => put(landfall, file), { concurrency: UPLOADS })
    const uploadSeconds = since()
    const deadline = AbortSignal.timeout(patience)
    const runs: Run[] = []
    // One after the other: asking for all of them again and again would be most of the ledger's work.
    for (const ref of refs) runs.push(await ended(landfall, ref, deadline))
    const seconds = since()
    await crawls.rest()
    return { runs, seconds, uploadSeconds, jobRuns: (await countJobRuns(runtime)) - before, crawls: crawls.stop() }
  } finally {
    crawls.stop()
  }
}

async function put({ s3, rawBucket }: Landfall, { name, bytes }: ShopFile): Promise<RunRef> {
  const key = `data/sales/${name}`
  const { VersionId = 'null' } = await s3.send(new PutObjectCommand({ Bucket: rawBucket, Key: key, Body: bytes }))
  return { dataset: 'sales', sourceId: sourceIdOf(key), runId: runIdOf(key, VersionId, 'live') }
}

async function ended({ ledger }: Landfall, ref: RunRef, deadline: AbortSignal): Promise<Run> {
  for (;;) {
    const run = await ledger.run(ref)
    if (run && hasEnded(run.state)) return run
    if (deadline.aborted) throw new Error(`${ref.sourceId} is still ${run?.state ?? 'not in the ledger'}.`)
    await sleep(POLL_MS)
  }
}

/** The crawler keeps no list of its crawls here: each is seen while it is at work. */
function watchCrawls({ ledger }: Landfall) {
  const seen = new Set<string>()
  let isWatching = true
  const look = async () => {
    const state = await catalogState(ledger, 'sales')
    if (state.crawlStartedAt) seen.add(state.crawlStartedAt)
    return state
  }
  const watching = (async () => {
    while (isWatching) {
      await look().catch(() => undefined)
      await sleep(POLL_MS)
    }
  })()
  return {
    /** Until the catalog has been told of all that changed. */
    rest: async () => {
      for (
        let state = await look();
        state.dirty > state.crawled || state.crawlUntil !== undefined;
        state = await look()
      )
        await sleep(POLL_MS)
    },
    stop: () => {
      isWatching = false
      void watching
      return seen.size
    },
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

async function countJobRuns({ endpoint }: Pick<Runtime, 'endpoint'>): Promise<number> {
  const client = new GlueClient(clientConfig(endpoint))
  let count = 0
  for await (const { Jobs = [] } of paginateGetJobs({ client }, {}))
    for (const { Name: JobName } of Jobs)
      for await (const { JobRuns = [] } of paginateGetJobRuns({ client }, { JobName })) count += JobRuns.length
  client.destroy()
  return count
}

/** What the table holds, by country, as Athena says it. */
export async function totalsInTable(landfall: Landfall): Promise<Map<string, Totals>> {
  const { rows } = await query(
    landfall,
    'select country, count(*), sum(order_id), sum(total_revenue) from data_deliveryzone group by 1',
    'deliverydatabase',
  )
  return new Map(
    rows.map(([country, count, orderIds, revenue]) => [
      country ?? '',
      { rows: Number(count), orderIds: BigInt(orderIds ?? 0), cents: centsOf(revenue ?? '') },
    ]),
  )
}

type SpanName = 'spanConvert' | 'spanPartition' | 'spanCatalog'
const SPANS: [string, SpanName][] = [
  ['convert', 'spanConvert'],
  ['partition', 'spanPartition'],
  ['catalog', 'spanCatalog'],
]

/** One job run or crawl, with the runs that were in it; seconds from `since`. */
export type Batch = {
  stage: string
  files: number
  beganAt: number
  /** Until the job's own code began. */
  starting?: number
  working?: number
  /** From the job's end until its last run was published, or told. */
  settling?: number
  endedAt: number
}

export function batchesOf(runs: Run[], since: number): Batch[] {
  return SPANS.flatMap(([stage, name]) => {
    const groups = Map.groupBy(
      runs.flatMap((run) => run[name] ?? []),
      ({ jobRunId, startedAt }) => jobRunId ?? startedAt ?? '',
    )
    return [...groups.values()].map((spans) => batchOf(stage, spans, since))
  }).sort((a, b) => a.beganAt - b.beganAt)
}

function batchOf(stage: string, spans: Span[], since: number): Batch {
  const [one] = spans
  const at = (instant: string | undefined) => (instant === undefined ? undefined : (Date.parse(instant) - since) / 1000)
  const beganAt = at(one?.startedAt) ?? 0
  const endedAt = Math.max(...spans.map((span) => at(span.endedAt) ?? 0))
  const [workBegan, workEnded, over] = [at(one?.workStartedAt), at(one?.workEndedAt), at(one?.jobEndedAt)]
  return {
    stage,
    files: spans.length,
    beganAt,
    ...(workBegan !== undefined && { starting: workBegan - beganAt }),
    ...(workBegan !== undefined && workEnded !== undefined && { working: workEnded - workBegan }),
    ...(over !== undefined && { settling: endedAt - over }),
    endedAt,
  }
}
