import pMap from 'p-map'
import type { Teller } from '../lambda/ended.ts'
import { LIVE } from '../ledger/causes.ts'
import { sourceIdOf } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Run } from '../ledger/run.ts'
import { entriesOf, landedAt } from './ended-runs.ts'
import type { Entry } from './metrics.ts'

export type MetricsDeps = {
  ledger: Pick<Ledger, 'run'>
  datasets: Pick<Set<string>, 'has'>
  write: (entries: Entry[]) => void
}

/** The zips of delivered members are read once each. */
export const metricsTeller =
  ({ ledger, datasets, write }: MetricsDeps): Teller =>
  async (runs) => {
    const members = runs.filter(({ state, cause, zip }) => state === 'delivered' && cause === LIVE && zip)
    const refs = new Map(members.map((run) => [run.zip?.runId, zipOf(run)]))
    const zips = new Map(
      await pMap(refs, async ([runId, ref]) => [runId, await ledger.run(ref)] as const, { concurrency: 8 }),
    )
    write(entriesOf(runs, datasets, (run) => landedAt(run, zips.get(run.zip?.runId))))
  }

const zipOf = ({ dataset, zip }: Run) => ({ dataset, sourceId: sourceIdOf(zip?.key ?? ''), runId: zip?.runId ?? '' })
