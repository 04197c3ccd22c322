import type { Run, Span } from '../ledger/run.ts'

const milliseconds = (from: string | undefined, to: string | undefined) =>
  from === undefined || to === undefined ? undefined : Date.parse(to) - Date.parse(from)

/** Milliseconds of one stage: waiting for it, its Glue job where it has one, and all of it. */
export type StageTime = { stage: string; waited?: number; job?: number; took?: number }

const stageTime = (stage: string, span: Span | undefined): StageTime[] =>
  span
    ? [
        {
          stage,
          waited: milliseconds(span.queuedAt, span.startedAt),
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

export const wentWell = (run: Run): boolean => run.state === 'delivered' || run.state === 'extracted'

export const stageTimes = (run: Run): StageTime[] => [
  ...stageTime('unzip', run.spanUnzip),
  ...stageTime('convert', run.spanConvert),
  ...stageTime('partition', run.spanPartition),
  ...stageTime('catalog', run.spanCatalog),
]

/** From the landing of the file, or of the zip that it came in, until its rows could be queried. */
export function landedToQueryable(run: Run, zip?: Run): number | undefined {
  return run.state === 'delivered' ? milliseconds((zip ?? run).landedAt, run.endedAt) : undefined
}
