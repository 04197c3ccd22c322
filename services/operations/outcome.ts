import type { Stage } from '../../events/replay.ts'
import type { Run, Span } from '../ledger/run.ts'

const milliseconds = (from: string | undefined, to: string | undefined) =>
  from === undefined || to === undefined ? undefined : Date.parse(to) - Date.parse(from)

/**
 * Milliseconds of one stage. `waited`: for a batch, or a function, to take the file up; `starting`: from then until its
 * job's own code began; `working`: the job's own code; `job`: the Glue job run; `took`: all of it, publishing included.
 */
export type StageTime = {
  stage: string
  waited?: number
  starting?: number
  working?: number
  job?: number
  took?: number
}

const stageTime = (stage: string, span: Span | undefined): StageTime[] =>
  span
    ? [
        {
          stage,
          waited: milliseconds(span.queuedAt, span.startedAt),
          starting: milliseconds(span.startedAt, span.workStartedAt),
          working: milliseconds(span.workStartedAt, span.workEndedAt ?? span.jobEndedAt),
          job: milliseconds(span.jobStartedAt, span.jobEndedAt),
          took: milliseconds(span.queuedAt, span.endedAt),
        },
      ]
    : []

/** One ending of a landed object, in a word or three. */
export function ending(run: Run): string {
  if (run.state === 'delivered' && (run.rejected ?? 0) > 0) return 'delivered with rejects'
  return run.state
}

/** The stage that a run is in, or has ended in. */
export function stageOf(run: Run): Stage {
  if (run.kind === 'zip') return 'unzip'
  if (run.spanCatalog) return 'catalog'
  return run.spanPartition ? 'partition' : 'convert'
}

export const wentWell = (run: Run): boolean => run.state === 'delivered' || run.state === 'extracted'

export const stageTimes = (run: Run): StageTime[] => [
  ...stageTime('unzip', run.spanUnzip),
  ...stageTime('convert', run.spanConvert),
  ...stageTime('partition', run.spanPartition),
  ...stageTime('catalog', run.spanCatalog),
]
