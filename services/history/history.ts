import pMap from 'p-map'
import type { Objects } from '../jobs/objects.ts'
import type { Teller } from '../lambda/ended.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { zipsOf } from '../ledger/lineage.ts'
import { runObjectKey, runRow } from './row.ts'

export type HistoryDeps = {
  ledger: Pick<Ledger, 'run'>
  objects: Pick<Objects, 'putText'>
  quarantineBucket: string
}

/** Writes each run that has ended to where the table of runs looks. */
export const history =
  ({ ledger, objects, quarantineBucket }: HistoryDeps): Teller =>
  async (runs) => {
    // A run may have ended twice in one invocation: the last word counts.
    const last = [...new Map(runs.map((run) => [run.runId, run])).values()]
    const zipOf = zipsOf(ledger)
    await pMap(
      last,
      async (run) => {
        const row = runRow(run, await zipOf(run))
        await objects.putText(quarantineBucket, runObjectKey(run), `${JSON.stringify(row)}\n`)
      },
      { concurrency: 16 },
    )
  }
