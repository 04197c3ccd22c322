import pMap from 'p-map'
import { z } from 'zod'
import { Plan } from '../../schemas/plan.ts'
import { Report, type SourceReport } from '../../schemas/report.ts'
import { sharesOf } from '../cost/shares.ts'
import { Failed, LandfallError, TryAgain } from '../lambda/errors.ts'
import { MAX_RECEIVES } from '../lambda/receives.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { type QueueName, queuePk, type Slot, slotKey } from '../ledger/queue.ts'
import { hasEnded, type Run, type Span } from '../ledger/run.ts'
import type { Write } from '../ledger/table.ts'
import { AT_ONCE, type DispatchDeps, type JobStage, LEASE_MS, release } from './dispatch.ts'
import { giveAllUp, giveUp, retryHalves } from './fail.ts'
import type { JobStatus } from './glue.ts'
import { type Lease, leaseOf } from './lease.ts'
import { LOCK_MS, parseS3 } from './publish.ts'

/** Nothing of a batch is begun when the function has less left: whatever is under way ends before it does. */
const ENOUGH_MS = 30_000

/** What of the plan that the job executed says where its rows belong: another contract may be deployed by now. */
const Executed = z.object({ report: z.string(), plan: Plan.pick({ version: true, partitionBy: true }) })
export type ExecutedPlan = z.infer<typeof Executed>['plan']

export type SettleStage = JobStage & {
  /**
   * Publishes what the job made of one source, or throws the run's problem. The queue item leaves with it, but where the job is to
   * be done again.
   */
  settle: (
    run: Run,
    report: SourceReport,
    job: JobTimes,
    leave: Write,
    batch: string,
    plan: ExecutedPlan,
  ) => Promise<void>
  /** Whether a part of the run is in the zone already, where people see it. */
  isHalfDone?: (run: Run) => Promise<boolean>
  /** Around the publishing of a whole batch. */
  around?: (dataset: string, batch: string, work: () => Promise<void>) => Promise<void>
}

/** When dispatch took the batch up, the job's own part of that, and this run's part of the job. */
export type JobTimes = Pick<
  Span,
  'jobStartedAt' | 'workStartedAt' | 'workEndedAt' | 'jobEndedAt' | 'jobRunId' | 'share' | 'dpu' | 'dpuSeconds'
> & { startedAt: string }

export async function readSlot(ledger: Ledger, queue: QueueName): Promise<Slot | undefined> {
  return (await ledger.table.get(slotKey(queue))) as unknown as Slot | undefined
}

/**
 * Takes up what became of a batch: publishes each source, or says why not; then frees the slot.
 * Harmless for a batch that was settled before: its slot is gone or is another's.
 *
 * @returns whether the batch is settled now, so that the caller dispatches what waits.
 */
export async function settle(
  deps: DispatchDeps,
  stage: SettleStage,
  dataset: string,
  batch: string,
  status: JobStatus | undefined,
): Promise<boolean> {
  const { ledger } = deps
  const queue: QueueName = { stage: stage.stage, dataset }
  if (status?.state === 'running') {
    await ledger.table.write([
      {
        update: slotKey(queue),
        set: { jobRunId: status.id, leaseUntil: ledger.now().getTime() + LEASE_MS },
        when: [{ attribute: 'batch', is: 'equal', to: batch }],
      },
    ])
    return false
  }
  const taken = await takeUp(ledger, queue, batch)
  if (!taken) return false
  const { slot, lease } = taken
  let ended: Ended | undefined
  try {
    ended = await readReport(deps, slot)
  } catch (error) {
    lease.check()
    if (!isLast(slot)) {
      await leaveToNext(ledger, queue, batch)
      throw error
    }
    await giveAllUp(ledger, stage, queue, slot, error)
    await release(ledger, queue, batch)
    return true
  }
  lease.check()
  if (ended) await settleAll(deps, stage, queue, taken, ended, status)
  else await retryHalves(ledger, stage, queue, slot, status)
  lease.check()
  await release(ledger, queue, batch)
  return true
}

/** `before`: attempts that count, without this one. */
type Taken = { slot: Slot; lease: Lease; before: number }

/** One settler at a time; a second one comes back when the first has finished or died. */
async function takeUp(ledger: Ledger, queue: QueueName, batch: string): Promise<Taken | undefined> {
  const slot = await readSlot(ledger, queue)
  if (slot?.batch !== batch) return undefined
  const now = ledger.now().getTime()
  const busy = new TryAgain('batch_settling', `Batch ${batch} is being settled.`)
  if ((slot.settlingUntil ?? 0) >= now) throw busy
  // An attempt that was killed, and had settled something, does not count: each such leaves fewer, so they come to an end.
  const left = slot.settlingUntil === undefined ? slot.left : await leftOf(ledger, queue, slot)
  const isFree = left !== undefined && left < (slot.left ?? slot.items.length)
  const taken = await ledger.table.write([
    {
      update: slotKey(queue),
      set: { settlingUntil: now + LOCK_MS, leaseUntil: now + LOCK_MS, left },
      ...(!isFree && { add: { settleAttempts: 1 } }),
      when: [
        { attribute: 'batch', is: 'equal', to: batch },
        { attribute: 'settlingUntil', is: 'absentOrLess', to: now },
      ],
    },
  ])
  if (!taken) throw busy
  const before = slot.settleAttempts ?? 0
  const settleAttempts = before + (isFree ? 0 : 1)
  return { before, slot: { ...slot, settleAttempts }, lease: leaseOf(ledger.now, now, LOCK_MS, `Batch ${batch}`) }
}

/** How many of a batch's items are in the queue still. */
async function leftOf({ table }: Ledger, queue: QueueName, { items }: Slot): Promise<number> {
  const found = await pMap(items, ({ sk }) => table.get({ pk: queuePk(queue), sk }), { concurrency: AT_ONCE })
  return found.filter((item) => item !== undefined).length
}

type Ended = { report: Report; plan: ExecutedPlan }

async function readReport({ objects }: DispatchDeps, slot: Slot): Promise<Ended | undefined> {
  if (!slot.manifest) return undefined
  const { bucket, key } = parseS3(slot.manifest)
  const manifest = await objects.getText(bucket, key)
  if (!manifest) return undefined
  const { report: uri, plan } = Executed.parse(JSON.parse(manifest))
  const at = parseS3(uri)
  const text = await objects.getText(at.bucket, at.key)
  const report = text === undefined ? undefined : readable(text)
  return report && { report, plan }
}

/** A report that cannot be read is none: the batch is halved until the source that breaks its report has failed alone. */
function readable(text: string): Report | undefined {
  try {
    return Report.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

async function settleAll(
  deps: DispatchDeps,
  stage: SettleStage,
  queue: QueueName,
  { slot, lease, before }: Taken,
  { report, plan }: Ended,
  status: JobStatus | undefined,
) {
  const { ledger, timeLeft = () => Number.POSITIVE_INFINITY } = deps
  const reports = new Map(report.sources.map((source) => [source.runId, source]))
  const batchTimes = {
    startedAt: slot.startedAt,
    jobStartedAt: status?.startedAt ?? report.startedAt,
    workStartedAt: report.startedAt,
    workEndedAt: report.endedAt,
    jobEndedAt: status?.endedAt ?? report.endedAt,
    jobRunId: status?.id ?? slot.jobRunId,
    dpu: slot.dpu,
    dpuSeconds: status?.dpuSeconds,
  }
  const shares = sharesOf(slot.items)
  const lastAttempt = isLast(slot)
  let settled = 0
  let later = 0
  const around = stage.around ?? ((_dataset, _batch, work) => work())
  let retry: unknown
  await around(queue.dataset, slot.batch, async () => {
    await pMap(
      slot.items,
      async (item, i) => {
        lease.check()
        if (settled > 0 && timeLeft() < ENOUGH_MS) {
          later++
          return
        }
        const times = { ...batchTimes, share: shares[i] }
        const place = { pk: queuePk(queue), sk: item.sk }
        // Settled before a crash: the item left the queue with what came of it.
        if (!(await ledger.table.get(place))) return
        const known = await ledger.run({ dataset: queue.dataset, sourceId: item.sourceId, runId: item.runId })
        const leave: Write = { delete: place, when: [{ attribute: 'pk', is: 'present' }] }
        // Its dispatcher may have died before it told that the job has started after all.
        const run = known && (await ledger.started(known, queue.stage))
        if (!run || hasEnded(run.state)) {
          await ledger.table.write([leave])
          return
        }
        try {
          const mine = reports.get(item.runId)
          if (!mine) throw new Failed('imbalance', `The report of batch ${slot.batch} says nothing of ${run.key}.`)
          await stage.settle(run, mine, times, leave, slot.batch, plan)
        } catch (error) {
          lease.check()
          // A neighbour's trouble is not ours: go on with the others, and let this one come back.
          if (mayPass(error) && !lastAttempt) {
            retry ??= error
            return
          }
          await giveUp(ledger, stage, slot, { run, item }, times, error)
        }
        settled++
      },
      { concurrency: AT_ONCE },
    )
  })
  if (retry === undefined && later === 0) return
  lease.check()
  await leaveToNext(ledger, queue, slot.batch, later > 0 ? before : undefined)
  throw retry ?? outOfTime(slot, later)
}

/** Beyond as many as a message has, one source that cannot be published would keep its whole dataset waiting. */
const isLast = ({ settleAttempts = 1 }: Slot) => settleAttempts >= MAX_RECEIVES

/**
 * Or the next attempt would have to wait for the end of this one's lease.
 * @param settleAttempts of one that has settled what it had time for, which does not count: those before it
 */
const leaveToNext = (ledger: Ledger, queue: QueueName, batch: string, settleAttempts?: number) =>
  ledger.table.write([
    {
      update: slotKey(queue),
      remove: ['settlingUntil'],
      // The sweep may take it up, whatever becomes of the message that has brought us here.
      ...(settleAttempts !== undefined && { set: { leaseUntil: ledger.now().getTime(), settleAttempts } }),
      when: [{ attribute: 'batch', is: 'equal', to: batch }],
    },
  ])

const outOfTime = ({ batch, items }: Slot, later: number) =>
  new TryAgain(
    'out_of_time',
    `${later} of the ${items.length} sources of batch ${batch} are left to the next function: this one's time is nearly over.`,
  )

/** What is not ours (S3, Glue or DynamoDB said no) may pass, as do our own errors that say so. */
const mayPass = (error: unknown) => !(error instanceof LandfallError) || error.retryable
