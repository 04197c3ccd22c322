import type { z } from 'zod'
import type { RunEnded } from '../../events/run-ended.ts'
import type { Teller } from '../lambda/ended.ts'
import { hasEnded, type Run } from '../ledger/run.ts'
import type { PutEvents } from './put.ts'

type Detail = z.input<typeof RunEnded.schema>['detail']

/** What is told of a run: where it came from, how it ended, and how many rows; none of the rows, and no words that quote one. */
export function detailOf(run: Run): Detail | undefined {
  const { state, endedAt } = run
  if (!hasEnded(state) || endedAt === undefined) return undefined
  const { dataset, sourceId, runId, kind, key, versionId, cause, registeredAt } = run
  const { problem, sameAs, rowsIn, accepted, rejected, partitions } = run
  return {
    dataset,
    sourceId,
    runId,
    kind,
    key,
    versionId,
    cause,
    state,
    problem: problem?.code,
    sameAs: sameAs?.runId,
    rowsIn,
    accepted,
    rejected,
    partitions,
    registeredAt,
    endedAt,
  }
}

export const eventsTeller =
  (put: PutEvents): Teller =>
  async (runs) => {
    const details = runs.flatMap((run) => detailOf(run) ?? [])
    await put(details.map((detail) => ({ type: 'landfall.run', detail })))
  }
