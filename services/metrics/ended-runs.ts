import { LIVE } from '../ledger/causes.ts'
import type { Run } from '../ledger/run.ts'
import { type Entry, type MetricName, NO_CONTRACT } from './metrics.ts'

/** When the file of a run landed; undefined where it has not landed to be delivered now, as in a replay. */
export type LandedAt = (run: Run) => string | undefined

/** Of a member the landing is its zip's, unless the zip is only being extracted once more. */
export function landedAt(run: Run, zip: Pick<Run, 'cause' | 'landedAt'> | undefined): string | undefined {
  if (run.cause !== LIVE) return undefined
  if (!run.zip) return run.landedAt
  return zip?.cause === LIVE ? zip.landedAt : undefined
}

/** What runs that ended add to the metrics: for each dataset one entry, and one for each state. */
export function entriesOf(runs: Run[], datasets: Pick<Set<string>, 'has'>, landed: LandedAt): Entry[] {
  const byDataset = Map.groupBy(runs, ({ dataset }) => (datasets.has(dataset) ? dataset : NO_CONTRACT))
  return [...byDataset].flatMap(([dataset, ended]) => {
    const byState = Map.groupBy(ended, ({ state }) => state)
    const files = [...byState].map(([state, { length }]) => ({
      dimensions: { dataset, state },
      values: { Files: [length] },
    }))
    const values = valuesOf(ended, landed)
    return Object.keys(values).length > 0 ? [...files, { dimensions: { dataset }, values }] : files
  })
}

function valuesOf(runs: Run[], landed: LandedAt): Entry['values'] {
  const values: Entry['values'] = {}
  const add = (name: MetricName, amount: number) => {
    if (amount > 0) values[name] = [(values[name]?.[0] ?? 0) + amount]
  }
  for (const run of runs) {
    const isDelivered = run.state === 'delivered'
    if (isDelivered) add('RowsAccepted', run.accepted ?? 0)
    // A run that `partition` alone has done again was typed, and its rejects counted, by another.
    if (!run.typedBy) add('RowsRejected', run.rejected ?? 0)
    if (run.kind === 'csv' && !run.typedBy) add('Bytes', run.bytes)
    if (run.state === 'failed' && /_job_failed$/.test(run.problem?.code ?? '')) add('JobFailures', 1)
    if (run.state === 'failed' && run.problem?.code === 'imbalance') add('BalanceFailures', 1)
    const since = isDelivered ? landed(run) : undefined
    if (since === undefined || run.endedAt === undefined) continue
    const took = Math.max(0, Date.parse(run.endedAt) - Date.parse(since))
    values.LandedToQueryable = [...(values.LandedToQueryable ?? []), took]
  }
  return values
}
