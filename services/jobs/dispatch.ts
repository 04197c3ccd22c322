import pMap from 'p-map'
import type { Contract, EngineSize } from '../../schemas/contract.ts'
import type { Manifest, ManifestSource } from '../../schemas/manifest.ts'
import type { Plan } from '../../schemas/plan.ts'
import { WORKER_DPU } from '../cost/prices.ts'
import { Failed, inWords, isRefusal, LandfallError } from '../lambda/errors.ts'
import { patienceMs } from '../lambda/receives.ts'
import { batchIdOf, stagingFolder } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { asQueued, type Queued, type QueueName, queuePk, type Slot, slotKey } from '../ledger/queue.ts'
import { hasEnded, isOver, notStarted, type Problem, type Run, staysQueued } from '../ledger/run.ts'
import { later } from './fail.ts'
import type { Glue } from './glue.ts'
import type { Objects } from './objects.ts'
import { LOCK_MS } from './publish.ts'

/** A batch is at most this many sources: one settling function handles them within its five minutes. */
export const BATCH_SOURCES = 500
/** … and, beyond its first source, at most this many bytes of input. */
export const BATCH_BYTES = 20 * 1024 ** 3
/** Sources of a batch looked at side by side, when it is started and when it is settled. */
export const AT_ONCE = 16
/** How long dispatch itself may take before the sweep thinks it dead. A started job extends it. */
const STARTING_MS = 6 * 60_000
/** The sweep looks after a job this long after its start, and again each time it finds it running. */
export const LEASE_MS = 10 * 60_000

export type JobStage = {
  stage: 'convert' | 'partition'
  jobName: string
  plan: (dataset: string) => Plan
  size: (dataset: string) => EngineSize
  /** What the job reads for a run; undefined where it is not there any more, or why it is not to be read. */
  inputs: (run: Run) => Promise<ManifestSource['inputs'] | Problem | undefined>
  /** Whether the stage before has told the ledger what it did of the run. @default always */
  isHandedOver?: (run: Run) => boolean
}

export function contractOf(contracts: Map<string, Contract>, dataset: string): Contract {
  const contract = contracts.get(dataset)
  if (!contract) throw new Failed('unknown_dataset', `No contract names the dataset "${dataset}".`)
  return contract
}

export type DispatchDeps = {
  ledger: Ledger
  objects: Objects
  glue: Glue
  stagingBucket: string
  unique: () => string
  /** Milliseconds that the function has left. @default all that it needs */
  timeLeft?: () => number
}

export type Dispatched = 'started' | 'busy' | 'idle'

/** Oldest first, up to a size; what is left of a batch that failed goes by its halves. */
export function chooseBatch(waiting: Queued[]): Queued[] {
  const [first, ...rest] = waiting
  if (!first) return []
  const batch = [first]
  let bytes = first.bytes
  for (const next of rest) {
    if (next.half !== first.half) continue
    if (batch.length === BATCH_SOURCES || bytes + next.bytes > BATCH_BYTES) break
    batch.push(next)
    bytes += next.bytes
  }
  return batch
}

/**
 * Starts one job for all that waits for a stage of a dataset, unless one is at work: then its end will dispatch again.
 *
 * No wake-up is lost between two dispatchers: whoever finds the slot taken has queued before it looked, and whoever
 * holds the slot reads the queue after it took it, and once more after it let an empty one go.
 *
 * @throws what kept the job from starting: TryAgain where Glue has no room now. What is refused for as long as a message
 * is tried, a right that is missing say, fails the runs that wait.
 */
export async function dispatch(deps: DispatchDeps, stage: JobStage, dataset: string): Promise<Dispatched> {
  const queue: QueueName = { stage: stage.stage, dataset }
  const { ledger, unique } = deps
  for (;;) {
    if (!(await isDue(ledger, queue))) return 'idle'
    const batch = batchIdOf(dataset, `${ledger.instant().replaceAll(/[-:.]/g, '')}-${unique()}`)
    const slot: Slot = {
      batch,
      items: [],
      startedAt: ledger.instant(),
      leaseUntil: ledger.now().getTime() + STARTING_MS,
    }
    if (
      !(await ledger.table.write([{ put: { ...slotKey(queue), ...slot }, when: [{ attribute: 'pk', is: 'absent' }] }]))
    )
      return 'busy'
    let items: Queued[] = []
    let ready: Ready | undefined
    let jobRunId: string | undefined
    try {
      items = chooseBatch(await due(ledger, queue))
      ready = await prepare(deps, stage, queue, { ...slot, items })
      if (ready) jobRunId = await deps.glue.startJob(stage.jobName, ready.manifest, ready.size)
    } catch (error) {
      // A job may be at work: when the lease is over, the sweep asks Glue for the run of this manifest.
      if (ready && !isNo(error)) throw error
      if (isRefusal(error)) await refused(ledger, queue, items, error)
      await release(ledger, queue, batch)
      throw error
    }
    if (ready && jobRunId !== undefined) {
      await noteStarted(ledger, queue, batch, jobRunId, ready.runs)
      return 'started'
    }
    await release(ledger, queue, batch)
  }
}

/** Glue's own word that it has started nothing. After any other error, an answer that was lost say, nobody knows. */
const isNo = (error: unknown): boolean => error instanceof LandfallError || isRefusal(error)

/** What may go now, oldest first. */
async function due({ table, now }: Ledger, queue: QueueName, most = BATCH_SOURCES * 2): Promise<Queued[]> {
  const waiting = (await table.query(queuePk(queue), 'ITEM#', most)).map(asQueued)
  return waiting.filter(({ notBefore = 0 }) => notBefore <= now().getTime())
}

/** Mostly the oldest may go: then the rest need not be read by each who finds the slot taken. */
const isDue = async (ledger: Ledger, queue: QueueName): Promise<boolean> =>
  (await due(ledger, queue, 1)).length > 0 || (await due(ledger, queue)).length > 0

export async function release(ledger: Ledger, queue: QueueName, batch: string): Promise<boolean> {
  return await ledger.table.write([{ delete: slotKey(queue), when: [{ attribute: 'batch', is: 'equal', to: batch }] }])
}

type Ready = { manifest: string; size: EngineSize; runs: Run[] }

/**
 * What the job is started with. Undefined where nothing of the batch can be read now: the next ones may go. Or where the slot is another's by now.
 */
async function prepare(deps: DispatchDeps, stage: JobStage, queue: QueueName, slot: Slot): Promise<Ready | undefined> {
  const { ledger, objects, stagingBucket } = deps
  const looked = await pMap(slot.items, (item) => inputsOf(ledger, stage, queue, item), { concurrency: AT_ONCE })
  const found = looked.filter((one) => one !== undefined)
  if (found.length === 0) return undefined
  const items = found.map(({ item }) => item)
  const sources = found.map(({ source }) => source)

  const folder = stagingFolder(stage.stage, slot.batch)
  const staging = `s3://${stagingBucket}/${folder}`
  const manifest: Manifest = {
    manifest: 1,
    stage: stage.stage,
    batch: slot.batch,
    dataset: queue.dataset,
    plan: stage.plan(queue.dataset),
    sources,
    staging,
    report: `${staging}report.json`,
  }
  const uri = `${staging}manifest.json`
  const size = stage.size(queue.dataset)
  const dpu = size.workers.most * WORKER_DPU[size.workers.type]
  await objects.putText(stagingBucket, `${folder}manifest.json`, JSON.stringify(manifest))
  const held = { when: [{ attribute: 'batch', is: 'equal', to: slot.batch } as const] }
  // Written before the start: whatever dies from here on, the sweep can ask Glue for the run of this manifest.
  if (!(await ledger.table.write([{ update: slotKey(queue), set: { items, manifest: uri, dpu }, ...held }])))
    return undefined
  return { manifest: uri, size, runs: found.map(({ run }) => run) }
}

async function noteStarted(ledger: Ledger, queue: QueueName, batch: string, jobRunId: string, runs: Run[]) {
  const leaseUntil = ledger.now().getTime() + LEASE_MS
  const held = [{ attribute: 'batch', is: 'equal', to: batch } as const]
  await ledger.table.write([{ update: slotKey(queue), set: { jobRunId, leaseUntil }, when: held }])
  await pMap(runs, (run) => ledger.started(run, queue.stage), { concurrency: AT_ONCE })
}

/** What the job reads of an item. One for which there is nothing leaves the queue, and its run says why, if that is sure. */
async function inputsOf(ledger: Ledger, stage: JobStage, queue: QueueName, item: Queued) {
  const { sourceId, runId } = item
  const run = await ledger.run({ dataset: queue.dataset, sourceId, runId })
  const inputs = run && !isOver(run, stage.stage) ? await stage.inputs(run) : undefined
  if (run && Array.isArray(inputs)) return { item, run, source: { runId, sourceId, inputs } satisfies ManifestSource }
  if (run && !isOver(run, stage.stage) && inputs === undefined && stage.isHandedOver?.(run) === false) {
    // What another run took out, the stage before publishes again, or says why not.
    await later(ledger, { pk: queuePk(queue), sk: item.sk }, LOCK_MS)
    return undefined
  }
  const message = `What ${stage.stage} would read is gone: a newer version took its place.`
  const why = Array.isArray(inputs) ? undefined : inputs
  await leaveQueue(ledger, queue, item, why ?? { code: 'superseded', message })
  return undefined
}

/**
 * A start that was refused: the first time is noted; when patience is over, the runs have failed, and say what was refused.
 * They stay in the queue: whenever their job can be started, it is.
 */
async function refused(ledger: Ledger, { stage, dataset }: QueueName, items: Queued[], error: unknown) {
  const now = ledger.now().getTime()
  for (const item of items) {
    const place = { pk: queuePk({ stage, dataset }), sk: item.sk }
    const present = [{ attribute: 'pk', is: 'present' } as const]
    if (item.refusedAt === undefined) {
      await ledger.table.write([{ update: place, set: { refusedAt: now }, when: present }])
      continue
    }
    if (now - item.refusedAt < patienceMs()) continue
    const run = await ledger.run({ dataset, sourceId: item.sourceId, runId: item.runId })
    if (run && staysQueued(run, stage)) continue
    if (!run || hasEnded(run.state)) {
      await ledger.table.write([{ delete: place, when: present }])
      continue
    }
    const message = `No ${stage} job could be started for ${run.key}: ${inWords(error)} It is tried again each minute, and needs no landing when the cause is mended.`
    const problem = { code: notStarted(stage), message }
    await ledger.update(run, { state: 'failed', problem, endedAt: ledger.instant() })
  }
}

/** A queued run that has nothing to be worked on ends as superseded. */
async function leaveQueue(ledger: Ledger, queue: QueueName, item: Queued, problem: Problem) {
  const ref = { dataset: queue.dataset, sourceId: item.sourceId, runId: item.runId }
  const leave = { delete: { pk: queuePk(queue), sk: item.sk } }
  const known = await ledger.run(ref)
  if (known && !isOver(known, queue.stage))
    await ledger.update(known, { state: 'superseded', problem, endedAt: ledger.instant() }, [leave])
  else await ledger.table.write([leave])
}
