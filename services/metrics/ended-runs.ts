import type { Run } from '../ledger/run.ts'
import { type Entry, type MetricName, NO_CONTRACT } from './metrics.ts'

/** Milliseconds from a run's landing until its rows could be queried; undefined where it did not land to be delivered now. */
export type Took = (run: Run) => number | undefined

/** What runs that ended add to the metrics: for each dataset one entry, and one for each state. */
export function entriesOf(runs: Run[], datasets: Pick<Set<string>, 'has'>, tookOf: Took): Entry[] {
  const byDataset = Map.groupBy(runs, ({ dataset }) => (datasets.has(dataset) ? dataset : NO_CONTRACT))
  return [...byDataset].flatMap(([dataset, ended]) => {
    const byState = Map.groupBy(ended, ({ state }) => state)
    const files = [...byState].map(([state, { length }]) => ({
      dimensions: { dataset, state },
      values: { Files: [length] },
    }))
    const values = valuesOf(ended, tookOf)
    return Object.keys(values).length > 0 ? [...files, { dimensions: { dataset }, values }] : files
  })
}

function valuesOf(runs: Run[], tookOf: Took): Entry['values'] {
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
    const took = tookOf(run)
    if (took === undefined) continue
    values.LandedToQueryable = [...(values.LandedToQueryable ?? []), took]
  }
  return values
}
