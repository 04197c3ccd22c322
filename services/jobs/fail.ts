import pMap from 'p-map'
import { Failed, inWords, LandfallError } from '../lambda/errors.ts'
import { MAX_RECEIVES } from '../lambda/receives.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { type Queued, type QueueName, queuePk, type Slot } from '../ledger/queue.ts'
import { isOver, type Problem, type Run, type RunState, unfinished } from '../ledger/run.ts'
import type { ItemKey, Write } from '../ledger/table.ts'
import type { JobStage } from './dispatch.ts'
import type { JobStatus } from './glue.ts'
import { LOCK_MS } from './publish.ts'
import type { JobTimes, SettleStage } from './settle.ts'

/** A job for it costs something, and what kept it from being published for so long does not pass in a minute. */
const AGAIN_MS = 60 * 60_000

/** What a run that failed in a job remembers of it: people look for the job's log. */
const traceOf = (run: Run, stage: JobStage['stage'], batch: string, times: JobTimes): Partial<Run> =>
  stage === 'convert'
    ? { convertBatch: batch, spanConvert: { queuedAt: run.registeredAt, ...run.spanConvert, ...times } }
    : { partitionBatch: batch, spanPartition: { queuedAt: times.startedAt, ...run.spanPartition, ...times } }

/** Ends a run that will not be delivered, in the transaction that takes it from the queue. */
export async function endRun(
  ledger: Ledger,
  run: Run,
  state: Extract<RunState, 'refused' | 'failed' | 'superseded'>,
  problem: Problem,
  leave: Write[],
  more: Partial<Run> = {},
): Promise<void> {
  await ledger.update(run, { ...more, state, problem, endedAt: ledger.instant() }, leave)
}

type Taken = { run: Run; item: Queued }

/**
 * A run has failed for good: it leaves the queue. But not one of which a part is in the zone, over what people saw before: that one
 * is finished as soon as it can be, whatever has landed since, and says so.
 */
export async function giveUp(
  ledger: Ledger,
  stage: SettleStage,
  { batch }: Slot,
  { run, item }: Taken,
  times: JobTimes,
  error: unknown,
): Promise<void> {
  const place = { pk: queuePk({ stage: stage.stage, dataset: run.dataset }), sk: item.sk }
  // It stays in the queue, for another job's end: the word of the stage before would come over the failure, and open it again.
  if (stage.isHandedOver?.(run) === false) return await later(ledger, place, LOCK_MS)
  const trace = traceOf(run, stage.stage, batch, times)
  // What has left the queue was settled by a write whose answer was lost.
  const leave: Write = { delete: place, when: [{ attribute: 'pk', is: 'present' }] }
  if (!(await stage.isHalfDone?.(run)))
    return await endRun(ledger, run, 'failed', problemOf(error, run, stage.stage), [leave], trace)
  const again = notBefore(ledger, place, AGAIN_MS)
  const message = `A part of ${run.key} may be in the table, and the rest is not: ${whyNot(error, run, stage.stage)} It is tried again each hour, and needs no landing when the cause is mended.`
  await endRun(ledger, run, 'failed', { code: unfinished(stage.stage), message }, [again], trace)
}

const notBefore = ({ now }: Ledger, place: ItemKey, ms: number): Write => ({
  update: place,
  set: { notBefore: now().getTime() + ms },
  remove: ['half'],
  when: [{ attribute: 'pk', is: 'present' }],
})

/** Job after job would end as this one did. Whoever was killed at the stage before is followed by another when its lease is over. */
export const later = async (ledger: Ledger, place: ItemKey, ms: number) =>
  void (await ledger.table.write([notBefore(ledger, place, ms)]))

export async function giveAllUp(ledger: Ledger, stage: SettleStage, queue: QueueName, slot: Slot, error: unknown) {
  for (const item of slot.items) {
    const run = await ledger.run({ dataset: queue.dataset, sourceId: item.sourceId, runId: item.runId })
    if (!run || isOver(run, queue.stage)) {
      await ledger.table.write([{ delete: { pk: queuePk(queue), sk: item.sk } }])
      continue
    }
    await giveUp(ledger, stage, slot, { run, item }, { startedAt: slot.startedAt, jobRunId: slot.jobRunId }, error)
  }
}

const isOurs = (error: unknown): error is LandfallError => error instanceof LandfallError && !error.retryable

/** Why a run was not published, without what to do about it. */
const whyNot = (error: unknown, { key }: Run, stage: JobStage['stage']): string =>
  isOurs(error)
    ? error.message
    : `What the ${stage} job made of ${key} could not be published in ${MAX_RECEIVES} attempts (${inWords(error)}).`

const problemOf = (error: unknown, run: Run, stage: JobStage['stage']): Problem =>
  isOurs(error)
    ? { code: error.code, message: error.message }
    : { code: `${stage}_not_published`, message: `${whyNot(error, run, stage)} Mend the cause and land it again.` }

const END_WORDS: Record<string, string> = {
  FAILED: 'failed',
  TIMEOUT: 'ran out of time',
  STOPPED: 'was stopped',
  ERROR: 'could not be run by Glue',
}

/**
 * A job without a report: a batch of many goes again by its halves, so that in the end the bad one stands alone and its
 * neighbours are delivered: of n sources with one poison in some 2 log2 n jobs. Alone, and for the second time, it has failed.
 */
export async function retryHalves(
  ledger: Ledger,
  stage: SettleStage,
  queue: QueueName,
  slot: Slot,
  status: JobStatus | undefined,
) {
  const { items, batch } = slot
  const [only] = items
  if (!only) return
  const never = !slot.manifest || (!status && !slot.jobRunId)
  if (never) return // Never started: the queue still has every item as it was.
  if (items.length > 1 || only.half === undefined) {
    const middle = Math.ceil(items.length / 2)
    await pMap(items, (item, i) => goByHalf(ledger, queue, item, `${batch}-${i < middle ? 1 : 2}`), { concurrency: 8 })
    return
  }
  const run = await ledger.run({ dataset: queue.dataset, sourceId: only.sourceId, runId: only.runId })
  if (!run) return
  const how = END_WORDS[status?.why ?? ''] ?? 'ended without a readable report'
  const message = `The ${stage.stage} job ${how} for ${run.key}, the last time alone: ${status?.message ?? 'Glue gave no reason.'} (job run ${status?.id ?? 'unknown'})`
  const times = {
    startedAt: slot.startedAt,
    jobStartedAt: status?.startedAt,
    jobEndedAt: status?.endedAt,
    jobRunId: status?.id ?? slot.jobRunId,
    share: 1,
    dpu: slot.dpu,
    dpuSeconds: status?.dpuSeconds,
  }
  await giveUp(ledger, stage, slot, { run, item: only }, times, new Failed(`${stage.stage}_job_failed`, message))
}

const goByHalf = (ledger: Ledger, queue: QueueName, { sk }: Queued, half: string) =>
  ledger.table.write([
    { update: { pk: queuePk(queue), sk }, set: { half }, when: [{ attribute: 'pk', is: 'present' }] },
  ])
