import { addressedStage, STAGES, type Stage } from '../../events/replay.ts'
import type { Replay } from '../jobs/archives.ts'
import { readSlot } from '../jobs/settle.ts'
import { catalogState } from '../ledger/catalog-state.ts'
import { type OverdueFile, overdueFiles } from '../ledger/expected.ts'
import { type Queued, queuePk } from '../ledger/queue.ts'
import { hasEnded, type Run } from '../ledger/run.ts'
import { type Mend, mends } from '../ledger/sweeps.ts'
import type { Landfall } from './connect.ts'
import { stageOf } from './outcome.ts'

/** A batch in a job, or a crawl. `overdue`: its lease is over, so the sweep asks Glue what became of it. */
export type Work = {
  batch?: string
  runs: number
  startedAt: string
  ageMs: number
  jobRunId?: string
  overdue: boolean
}

/** One stage of one dataset: now, and what ended there in the last 24 hours. */
export type StageStatus = {
  stage: Stage
  dataset: string
  waiting: number
  /** When the one that waits longest was registered. */
  oldest?: string
  /** `unzip`: zips being extracted, each by a function of its own. */
  atWork: number
  work?: Work
  refused: number
  failed: number
  rejectedRows: number
}

export type DatasetStatus = {
  dataset: string
  /** Runs of the last 24 hours by how they stand. */
  runs: { open: number; extracted: number; delivered: number; refused: number; failed: number; superseded: number }
  /** Delivered runs that had rejects. */
  withRejects: number
  /** Changes of the delivery zone, and how many of them a crawl has seen; the catalog is behind while they differ. */
  catalog: { dirty: number; crawled: number; crawlStartedAt?: string }
}

export type QueueStatus = {
  stage: string
  /** Events for the stage, absent for the sweep, which has a clock for a queue. */
  waiting?: number
  inFlight?: number
  /** Messages that the stage gave up on, and those that EventBridge could not hand over, by the event that was to wake it. */
  dead: number
  undelivered: Record<string, number>
}

export type Status = {
  at: string
  /** Start of the 24 hours. */
  since: string
  stages: StageStatus[]
  datasets: DatasetStatus[]
  queues: QueueStatus[]
  /** Refused or failed in the 24 hours, newest first. */
  troubled: Run[]
  /** Files that contracts expect and that have not come, or only too small. */
  overdue: OverdueFile[]
  /** Replays, started in the 24 hours, whose name addresses no stage. */
  unheard: Replay[]
  /** What the sweep mended, and what was found missing, in the 24 hours, newest first, at most `MOST_MENDS`. */
  mended: Mend[]
  /** False where there were more runs than are counted: then those of the 24 hours are the newest `counted`. */
  complete: boolean
  counted: number
}

const DAY_MS = 24 * 3_600_000
/** Runs of a day that are counted, and waiting ones of a queue. */
const MOST = 10_000
const MOST_MENDS = 50
const NO_RUNS = { open: 0, extracted: 0, delivered: 0, refused: 0, failed: 0, superseded: 0 }

type Deps = Pick<Landfall, 'ledger' | 'listing' | 'datasets' | 'queues' | 'depth' | 'archives'>

/** What waits, runs, failed and was rejected, by stage and dataset. Nothing is decided by it: some of it lags by moments. */
export async function status(deps: Deps, most = MOST): Promise<Status> {
  const now = deps.ledger.now()
  const since = new Date(now.getTime() - DAY_MS).toISOString()
  const day: Run[] = []
  let complete = true
  for await (const run of deps.listing.newest({ from: since })) {
    complete = day.length < most
    if (!complete) break
    day.push(run)
  }
  const datasets = [...new Set([...deps.datasets, ...day.map(({ dataset }) => dataset)])].sort()
  const [stages, perDataset, queues, replays, overdue, mended] = await Promise.all([
    Promise.all(datasets.flatMap((dataset) => STAGES.map((stage) => stageStatus(deps, stage, dataset, day)))),
    Promise.all(datasets.map((dataset) => datasetStatus(deps, dataset, day))),
    queueStatus(deps),
    deps.archives.replays(),
    Promise.all(datasets.map((dataset) => overdueFiles(deps.ledger, dataset))),
    mends(deps.ledger, MOST_MENDS),
  ])
  const troubled = day.filter(({ state }) => state === 'refused' || state === 'failed')
  return {
    at: now.toISOString(),
    since,
    stages,
    datasets: perDataset,
    queues,
    troubled,
    overdue: overdue.flat(),
    unheard: replays.filter(({ name, startedAt = since }) => !addressedStage(name) && startedAt >= since),
    mended: mended.filter(({ at }) => at >= since),
    complete,
    counted: day.length,
  }
}

async function stageStatus({ ledger }: Deps, stage: Stage, dataset: string, day: Run[]): Promise<StageStatus> {
  const mine = day.filter((run) => run.dataset === dataset && stageOf(run) === stage)
  const ended = {
    refused: mine.filter(({ state }) => state === 'refused').length,
    failed: mine.filter(({ state }) => state === 'failed').length,
    rejectedRows:
      stage === 'convert'
        ? day.reduce((rows, run) => rows + (run.dataset === dataset && !run.typedBy ? (run.rejected ?? 0) : 0), 0)
        : 0,
  }
  if (stage === 'unzip') {
    const atWork = mine.filter(({ state }) => !hasEnded(state)).length
    return { stage, dataset, waiting: 0, atWork, ...ended }
  }
  const queued = await ledger.table.query(queuePk({ stage, dataset }), 'ITEM#', MOST)
  const work = await workOf({ ledger }, stage, dataset, queued.length)
  const inJob = new Set(work?.items.map(({ sk }) => sk))
  const waiting = queued.filter(({ sk }) => !inJob.has(sk))
  const oldest = waiting[0]?.sk.split('#')[1]
  return {
    stage,
    dataset,
    waiting: waiting.length,
    ...(oldest && { oldest }),
    atWork: queued.length - waiting.length,
    ...(work && { work: work.work }),
    ...ended,
  }
}

type AtWork = { work: Work; items: Pick<Queued, 'sk'>[] }

async function workOf(
  { ledger }: Pick<Deps, 'ledger'>,
  stage: 'convert' | 'partition' | 'catalog',
  dataset: string,
  queued: number,
): Promise<AtWork | undefined> {
  const now = ledger.now().getTime()
  const age = (startedAt: string) => ({ startedAt, ageMs: now - Date.parse(startedAt) })
  if (stage === 'catalog') {
    const { crawlStartedAt, crawlUntil = now } = await catalogState(ledger, dataset)
    // Those that wait for it are settled by its end, or by the next one's: the crawl itself does not know them.
    return crawlStartedAt === undefined
      ? undefined
      : { work: { runs: queued, ...age(crawlStartedAt), overdue: crawlUntil < now }, items: [] }
  }
  const slot = await readSlot(ledger, { stage, dataset })
  if (!slot) return undefined
  const { batch, items, startedAt, jobRunId, leaseUntil } = slot
  const work = {
    batch,
    runs: items.length,
    ...age(startedAt),
    ...(jobRunId && { jobRunId }),
    overdue: leaseUntil < now,
  }
  return { work, items }
}

async function datasetStatus({ ledger }: Deps, dataset: string, day: Run[]): Promise<DatasetStatus> {
  const mine = day.filter((run) => run.dataset === dataset)
  const runs = { ...NO_RUNS }
  for (const { state } of mine) runs[hasEnded(state) ? state : 'open']++
  const { dirty, crawled, crawlStartedAt } = await catalogState(ledger, dataset)
  return {
    dataset,
    runs,
    withRejects: mine.filter(({ state, rejected = 0 }) => state === 'delivered' && rejected > 0).length,
    catalog: { dirty, crawled, ...(crawlStartedAt && { crawlStartedAt }) },
  }
}

async function queueStatus({ queues, depth }: Deps): Promise<QueueStatus[]> {
  const depths = await Promise.all(queues.map(async (queue) => ({ ...queue, ...(await depth(queue.url)) })))
  const stages = [...STAGES, 'sweep'].filter((stage) => depths.some((queue) => queue.stage === stage))
  return stages.map((stage) => {
    const mine = depths.filter((queue) => queue.stage === stage)
    const work = mine.find(({ kind }) => kind === 'work')
    const dead = mine.filter(({ kind }) => kind === 'dead')
    return {
      stage,
      ...(work && { waiting: work.waiting, inFlight: work.inFlight }),
      dead: dead.reduce((sum, { event, waiting, inFlight }) => sum + (event ? 0 : waiting + inFlight), 0),
      undelivered: Object.fromEntries(
        dead.flatMap(({ event, waiting, inFlight }) => (event ? [[event, waiting + inFlight]] : [])),
      ),
    }
  })
}
