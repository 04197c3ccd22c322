import type { Stage } from '../../events/replay.ts'
import type { Reject, RejectReason } from '../../schemas/report.ts'
import type { ItemKey } from './table.ts'

/** The states in which a landed object may rest. Everything else is on its way there. */
export const END_STATES = ['extracted', 'delivered', 'refused', 'failed', 'superseded'] as const
export type EndState = (typeof END_STATES)[number]
/**
 * `extracting`: a zip at work. `queued`: waits for, or is in, a convert job. `converted`: typed in the processing zone.
 * `published`: in the delivery zone, waits for the catalog.
 */
export type RunState = EndState | 'extracting' | 'queued' | 'converted' | 'published'

export const hasEnded = (state: RunState): state is EndState => (END_STATES as readonly string[]).includes(state)

/** Why a run was refused, failed or superseded, in words for its owner. */
export type Problem = { code: string; message: string }

/** Instants, ISO 8601 UTC with milliseconds. Waiting, working and the job's own part can be told apart. */
export type Span = {
  queuedAt: string
  startedAt?: string
  /** As Glue says it: the job run, before its machines were there. */
  jobStartedAt?: string
  /** As the job says it: the first of its own instants. */
  workStartedAt?: string
  /** As the job says it: the last of them, before Glue had its machines back. */
  workEndedAt?: string
  /** As Glue says it; of the catalog, when the end of its crawl was taken up. */
  jobEndedAt?: string
  endedAt?: string
  /** Glue's id of the job run. */
  jobRunId?: string
  /** Its part of what the job or crawl cost that it was in with others: 0 to 1. */
  share?: number
  /** DPU that the job might have at most. */
  dpu?: number
  /** What Glue billed of them, where Glue says it. */
  dpuSeconds?: number
}

export type MemberLine = { name: string; key: string; sourceId: string; bytes: number; versionId?: string }

/** A member that was not extracted. One that is bad has a code; `stays`: the table still has rows of an earlier version of it. */
export type SkippedLine = { name: string; reason: string; code?: string; stays?: boolean }

/** A kept copy of a zip, in the raw zone. */
export type Archived = { key: string; versionId: string; etag: string }

export type Replaced = Pick<Run, 'runId' | 'rowsIn' | 'accepted' | 'rejected'>

/** What landed: one version of one raw key. */
export type Landed = {
  bucket: string
  key: string
  versionId: string
  etag: string
  bytes: number
  /** When S3 says that the object came to be. */
  landedAt: string
  /** S3's order of the events of one key. */
  sequencer?: string
}

/** One journey of one version of one raw object. */
export type Run = Landed & {
  kind: 'zip' | 'csv'
  dataset: string
  sourceId: string
  runId: string
  /** `live`, or the name of the replay or rerun that caused it. */
  cause: string
  /** Version of the contract that its rows were typed under. Absent until then, and of runs that know of no other: 1. */
  contractVersion?: number
  /** Version of the code that registered it, and of the code that it ended under. Absent where none was said. */
  code?: string
  endedCode?: string
  /** Order of registration within the source: among runs of one version the last registered wins. */
  seq: number
  registeredAt: string
  endedAt?: string
  state: RunState
  problem?: Problem
  rowsIn?: number
  accepted?: number
  rejected?: number
  reasons?: { reason: RejectReason; column: string | null; rows: number }[]
  examples?: Reject[]
  /** Parquet objects in the processing zone, and rows in them by their own footers. */
  parts?: number
  processingRows?: number
  /** Objects and partitions in the delivery zone, and rows in them by their own footers. */
  deliveredObjects?: number
  partitions?: number
  deliveredRows?: number
  /** Zip: what became of its members. */
  members?: MemberLine[]
  skipped?: SkippedLine[]
  /** Member: the zip that it came from. */
  zip?: { key: string; runId: string }
  /** Zip: where it is kept once it is extracted. */
  archived?: Archived
  /** A replay of `partition`: the run whose typed rows it partitions again, and that one's place in the source's order. */
  typedBy?: { runId: string; seq: number }
  /** Another source's run, registered before, whose rows of the same bytes were in the table or on their way. */
  sameAs?: { runId: string; key: string; landedAt: string }
  /** A replay or rerun: the run whose rows the table had of this source when it was registered. */
  replaces?: Replaced
  spanUnzip?: Span
  spanConvert?: Span
  spanPartition?: Span
  spanCatalog?: Span
  convertBatch?: string
  partitionBatch?: string
}

export const notStarted = (stage: Stage) => `${stage}_not_started` as const

/** Publishing it has begun, and could not be finished. */
export const unfinished = (stage: Stage) => `${stage}_unfinished` as const

/**
 * Failed, for its job could not be started, or for a part of it is in the zone and the rest is not. It waits in its queue all the
 * same, and runs when the cause is mended.
 */
export const staysQueued = ({ state, problem }: Pick<Run, 'state' | 'problem'>, stage: Stage): boolean =>
  state === 'failed' && (problem?.code === notStarted(stage) || problem?.code === unfinished(stage))

/** Whether a stage's job has nothing to do for the run any more. */
export const isOver = (run: Run, stage: Stage): boolean => hasEnded(run.state) && !staysQueued(run, stage)

export type SourceRef = { dataset: string; sourceId: string }
export type RunRef = SourceRef & { runId: string }

export const sourcePk = ({ dataset, sourceId }: SourceRef) => `SOURCE#${dataset}#${sourceId}`
export const headKey = (source: SourceRef): ItemKey => ({ pk: sourcePk(source), sk: 'HEAD' })
export const runKey = (run: RunRef): ItemKey => ({ pk: sourcePk(run), sk: `RUN#${run.runId}` })

/** Characters of a run's id that are enough to look for it. */
export const ID_START = 4
/** People name a run by the first characters of its id. Spread over 65,536 places, each with few. */
export const idKey = (runId: string): ItemKey => ({ pk: `RUNID#${runId.slice(0, ID_START)}`, sk: runId })

/** What the ledger knows of a source beyond its runs. Flat, so that conditions can name every attribute. */
export type Head = {
  bucket: string
  key: string
  /** Sequence number of the run registered last. */
  seq: number
  lockOwner?: string
  /** Epoch milliseconds. */
  lockUntil?: number
  /** CSV: version of the object that was registered last, to be worked on. */
  contentVersion?: string
  /** Sequence numbers of the runs whose rows are in the zones now. */
  processingSeq?: number
  deliverySeq?: number
  deliveryRun?: string
  /** Version of the contract that those were published under, absent for 1: rows of earlier ones may still be queried, too. */
  deliveryVersion?: number
  zipKey?: string
  zipRunId?: string
  /** Zip: of the version registered last, so that an older one is known as such when the newer has been archived. */
  sequencer?: string
  landedAt?: string
  /** Zip: sequence number of the run extracted last. */
  extractedSeq?: number
  /** Zip: the members of the version extracted last. */
  members?: MemberLine[]
  /** Since when a person wants none of its rows. Landing its key again ends that; a replay or rerun does not. */
  withdrawnAt?: string
  /** Member: sequence number of its zip's run that was registered last by then. That one, redriven, does not bring it back. */
  withdrawnZipSeq?: number
}
