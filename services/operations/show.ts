import pMap from 'p-map'
import { partitionOfFolder } from '../../schemas/hive.ts'
import { type Cost, estimate } from '../cost/estimate.ts'
import { publishedKeys } from '../jobs/publish.ts'
import { readSlot } from '../jobs/settle.ts'
import { landedToQueryable, zipRefOf } from '../ledger/lineage.ts'
import { queueKey } from '../ledger/queue.ts'
import { hasEnded, type Run } from '../ledger/run.ts'
import { adviceFor } from './advice.ts'
import { type Books, findRun } from './find-run.ts'
import { memberRuns } from './follow.ts'
import { type StageTime, stageTimes } from './outcome.ts'

/** Rows at each step, as far as the run has come; each counted apart from the others. */
export type Balance = {
  rowsIn?: number
  accepted?: number
  rejected?: number
  inProcessing?: number
  inDelivery?: number
  /** Undefined while there is nothing to compare. */
  holds?: boolean
}

/** A job that the run was in. */
export type Job = { stage: 'convert' | 'partition'; batch: string; jobRunId?: string }

/** Where an open run is. */
export type Now = { stage: string; doing: 'waits' | 'works'; since?: string; batch?: string; jobRunId?: string }

export type MemberRun = { name: string; key: string; bytes: number; run?: Run }

export type Shown = {
  run: Run
  /** The zip that it came in. */
  zip?: Run
  /** A zip's own, with what became of each. */
  members?: MemberRun[]
  /** Its objects in the processing zone now. */
  parts: string[]
  /** Its objects in the delivery zone now, by partition value. */
  partitions: { value: string; keys: string[] }[]
  /** Whether its rows are those that the table has of this source, and if not, the run whose rows are. */
  inTable: boolean
  inTableInstead?: string
  /** Since when a person wants none of its source's rows. */
  withdrawnAt?: string
  balance: Balance
  times: StageTime[]
  landedToQueryable?: number
  /** An estimate at list prices; of a member with its share of its zip's. */
  cost: Cost
  /** A zip: what its members cost beside that, as far as they have come. */
  membersCostUsd?: number
  jobs: Job[]
  now?: Now
  advice?: string
  /** Other runs of the same source, newest first. */
  others: Run[]
}

/** All that is known of one run. @throws NoSuchRun */
export async function show(books: Books, text: string): Promise<Shown> {
  const { ledger } = books
  const run = await findRun(books, text)
  const [head, all, parts, delivered, zip, now] = await Promise.all([
    ledger.head(run),
    ledger.runs(run),
    // A replay of partition has none of its own: the typed rows are those of the run that it names.
    publishedKeys(ledger, { ...run, runId: run.typedBy?.runId ?? run.runId }, 'processing'),
    publishedKeys(ledger, run, 'delivery'),
    zipOf(books, run),
    nowOf(books, run),
  ])
  const members = run.members && (await membersOf(books, run))
  const inTable = head?.deliveryRun === run.runId
  const advice = adviceFor(run)
  const queryable = landedToQueryable(run, zip)
  return {
    run,
    ...(zip && { zip }),
    ...(members && { members }),
    parts,
    partitions: byPartition(delivered),
    inTable,
    ...(!inTable && head?.deliveryRun && { inTableInstead: head.deliveryRun }),
    ...(head?.withdrawnAt && { withdrawnAt: head.withdrawnAt }),
    balance: balanceOf(run),
    times: [...(zip ? stageTimes(zip) : []), ...stageTimes(run)],
    ...(queryable !== undefined && { landedToQueryable: queryable }),
    cost: estimate(run, zip),
    ...(members && { membersCostUsd: members.reduce((sum, { run }) => sum + (run ? estimate(run).usd : 0), 0) }),
    jobs: jobsOf(run),
    ...(now && { now }),
    ...(advice && { advice }),
    others: all.filter(({ runId }) => runId !== run.runId).sort((a, b) => b.seq - a.seq),
  }
}

/** The zip that a run's source came in. */
export async function zipOf({ ledger }: Books, run: Run): Promise<Run | undefined> {
  const ref = zipRefOf(run)
  return ref && (await ledger.run(ref))
}

/** A zip's members, with what became of each. */
export async function membersOf({ ledger }: Books, zip: Run): Promise<MemberRun[]> {
  const refs = memberRuns(zip)
  return await pMap(
    zip.members ?? [],
    async ({ name, key, bytes }, i) => {
      const ref = refs[i]
      const run = ref && (await ledger.run(ref))
      return { name, key, bytes, ...(run && { run }) }
    },
    { concurrency: 16 },
  )
}

export function byPartition(keys: string[]): Shown['partitions'] {
  const found = new Map<string, string[]>()
  for (const key of keys) {
    const folder = key.split('/')[2] ?? ''
    const value = partitionOfFolder(folder) ?? folder
    found.set(value, [...(found.get(value) ?? []), key])
  }
  return [...found].map(([value, keys]) => ({ value, keys })).sort((a, b) => (a.value < b.value ? -1 : 1))
}

function balanceOf(run: Run): Balance {
  const { rowsIn, accepted, rejected, processingRows: inProcessing, deliveredRows: inDelivery } = run
  const counts = { rowsIn, accepted, rejected, inProcessing, inDelivery }
  // Of a refused file none is taken, however many would have been right.
  if (rowsIn === undefined || accepted === undefined || rejected === undefined || run.state === 'refused') return counts
  const later = [inProcessing, inDelivery].filter((rows) => rows !== undefined)
  return { ...counts, holds: rowsIn === accepted + rejected && later.every((rows) => rows === accepted) }
}

function jobsOf({ convertBatch, partitionBatch, spanConvert, spanPartition }: Run): Job[] {
  const job = (stage: Job['stage'], batch: string | undefined, jobRunId: string | undefined): Job[] =>
    batch === undefined ? [] : [{ stage, batch, ...(jobRunId && { jobRunId }) }]
  return [
    ...job('convert', convertBatch, spanConvert?.jobRunId),
    ...job('partition', partitionBatch, spanPartition?.jobRunId),
  ]
}

/** Where an open run is: what its spans say only when the stage has settled it. */
export async function nowOf({ ledger }: Books, run: Run): Promise<Now | undefined> {
  if (hasEnded(run.state)) return undefined
  const { dataset, state } = run
  if (state === 'extracting') return { stage: 'unzip', doing: 'works', since: run.registeredAt }
  if (state === 'published') return { stage: 'catalog', doing: 'waits', since: run.spanCatalog?.queuedAt }
  const stage = state === 'queued' ? 'convert' : 'partition'
  const slot = await readSlot(ledger, { stage, dataset })
  if (slot?.items.some(({ sk }) => sk === queueKey(stage, run).sk))
    return { stage, doing: 'works', since: slot.startedAt, batch: slot.batch, jobRunId: slot.jobRunId }
  const span = stage === 'convert' ? run.spanConvert : run.spanPartition
  return { stage, doing: 'waits', since: span?.queuedAt }
}
