import type { Mend } from '../ledger/sweeps.ts'
import { type Entry, NO_CONTRACT } from './metrics.ts'

/** What the sweep put right: for each dataset, how much. */
export function mendedEntries(mends: Pick<Mend, 'dataset'>[], datasets: Pick<Set<string>, 'has'>): Entry[] {
  const byDataset = Map.groupBy(mends, ({ dataset }) => (datasets.has(dataset) ? dataset : NO_CONTRACT))
  return [...byDataset].map(([dataset, { length }]) => ({ dimensions: { dataset }, values: { Mended: [length] } }))
}
