import pMap from 'p-map'
import type { Teller } from '../lambda/ended.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { landedToQueryable, zipsOf } from '../ledger/lineage.ts'
import { entriesOf } from './ended-runs.ts'
import type { Entry } from './metrics.ts'

export type MetricsDeps = {
  ledger: Pick<Ledger, 'run'>
  datasets: Pick<Set<string>, 'has'>
  write: (entries: Entry[]) => void
}

export const metricsTeller =
  ({ ledger, datasets, write }: MetricsDeps): Teller =>
  async (runs) => {
    const zipOf = zipsOf(ledger)
    const delivered = runs.filter(({ state }) => state === 'delivered')
    const tookOf = new Map(
      await pMap(delivered, async (run) => [run, landedToQueryable(run, await zipOf(run))] as const, {
        concurrency: 8,
      }),
    )
    write(entriesOf(runs, datasets, (run) => tookOf.get(run)))
  }
