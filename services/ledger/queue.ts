import type { Stage } from '../../events/replay.ts'
import type { Run } from './run.ts'
import type { Item, ItemKey } from './table.ts'

export type QueueName = { stage: Stage; dataset: string }

/** A run waiting for a stage. It leaves the queue in the same transaction that records what came of it. */
export type Queued = {
  sk: string
  sourceId: string
  runId: string
  bytes: number
  /** Its last batch failed: it goes with those of the same half and no others, so that in the end one poison file fails alone. */
  half?: string
  /** Epoch milliseconds; no job is started for it before. */
  notBefore?: number
  /** Epoch milliseconds; when AWS first refused to start a job for it. */
  refusedAt?: number
  /** `catalog`: partition folders that the table must have for this run. */
  folders?: string[]
  /** `catalog`: the version of the contract whose folders these are. Absent for 1. */
  version?: number
}

/** The one batch of a stage and dataset that is in a job now. Holding it is the right to start a job. */
export type Slot = {
  batch: string
  items: Queued[]
  startedAt: string
  /** Epoch milliseconds; past it, the sweep asks Glue what became of the job. */
  leaseUntil: number
  manifest?: string
  jobRunId?: string
  /** DPU that the job may have at most. */
  dpu?: number
  /** How often its settling has begun, but for attempts that were killed when they had settled something. */
  settleAttempts?: number
  /** Epoch milliseconds; nobody else settles it before. It stays where a settler is killed. */
  settlingUntil?: number
  /** After the last attempt that was killed: how many of its items were still to be settled. */
  left?: number
}

export const queuePk = ({ stage, dataset }: QueueName) => `QUEUE#${stage}#${dataset}`
export const slotKey = (queue: QueueName): ItemKey => ({ pk: queuePk(queue), sk: 'SLOT' })

/** Oldest first. Made of what never changes about a run, so that queueing it twice is queueing it once. */
export const queueKey = (stage: Stage, run: Run): ItemKey => ({
  pk: queuePk({ stage, dataset: run.dataset }),
  sk: `ITEM#${run.registeredAt}#${run.runId}`,
})

export const queueItem = (stage: Stage, run: Run, more: Partial<Queued> = {}): Item => ({
  ...queueKey(stage, run),
  sourceId: run.sourceId,
  runId: run.runId,
  bytes: run.bytes,
  ...more,
})

/**
 * A converted run that `partition` has yet to hear of. Beside the queue and not in it, for it is the objects' event that
 * queues it; this is what the sweep finds where that died on its way.
 */
export const duePk = (dataset: string) => `DUE#partition#${dataset}`
export const dueKey = (run: Run): ItemKey => ({
  pk: duePk(run.dataset),
  sk: `ITEM#${run.registeredAt}#${run.runId}`,
})
export const dueItem = (run: Run, since: number): Item => ({
  ...dueKey(run),
  sourceId: run.sourceId,
  runId: run.runId,
  since,
})

export const asQueued = ({
  sk,
  sourceId,
  runId,
  bytes,
  half,
  notBefore,
  refusedAt,
  folders,
  version,
}: Item): Queued => ({
  sk,
  sourceId: String(sourceId),
  runId: String(runId),
  bytes: Number(bytes),
  ...(typeof half === 'string' && { half }),
  ...(typeof notBefore === 'number' && { notBefore }),
  ...(typeof refusedAt === 'number' && { refusedAt }),
  ...(Array.isArray(folders) && { folders: folders.map(String) }),
  ...(typeof version === 'number' && { version }),
})
