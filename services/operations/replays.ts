import pMap from 'p-map'
import { addressedStage, type Stage } from '../../events/replay.ts'
import type { Replay } from '../jobs/archives.ts'
import { causedRuns, type ReplayFilter, replayedTables, replayState, skippedEvents } from '../ledger/causes.ts'
import { hasEnded } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'
import { ending } from './outcome.ts'
import { noSuchReplay } from './replay.ts'

/** One replay, and what has come of it so far. */
export type ListedReplay = Replay & {
  /** Absent where its name addresses none: then no stage hears it. */
  stage?: Stage
  /** What it was for, of its window. One that was started by hand is for all of it. */
  filter: ReplayFilter
  /** Runs that it has caused, by how they ended, or `open`. */
  runs: Record<string, number>
  /** Events that it was not for, or that came while their run was at work. */
  skipped: number
  /** Tables that it had compared. */
  tables: string[]
}

type Deps = Pick<Landfall, 'ledger' | 'archives'>

/** Replays, newest first. EventBridge has forgotten them some time after their end; the runs that they caused stay. */
export async function listReplays({ ledger, archives }: Deps, limit: number): Promise<ListedReplay[]> {
  const found = (await archives.replays()).slice(0, limit)
  return await pMap(
    found,
    async (replay): Promise<ListedReplay> => {
      const { name } = replay
      const stage = addressedStage(name)
      const [state, refs, skipped, tables] = await Promise.all([
        replayState(ledger, name),
        causedRuns(ledger, name),
        skippedEvents(ledger, name),
        replayedTables(ledger, name),
      ])
      const runs: Record<string, number> = {}
      for (const run of await pMap(refs, (ref) => ledger.run(ref), { concurrency: 16 })) {
        const word = run && hasEnded(run.state) ? ending(run) : 'open'
        runs[word] = (runs[word] ?? 0) + 1
      }
      const { dataset, sourceId } = state ?? {}
      return {
        ...replay,
        ...(stage && { stage }),
        filter: { ...(dataset && { dataset }), ...(sourceId && { sourceId }) },
        runs,
        skipped: skipped.length,
        tables: tables.map((table) => table.dataset),
      }
    },
    { concurrency: 4 },
  )
}

/**
 * Has EventBridge replay no more of it. What it has replayed goes on.
 * @returns false where it has ended already
 * @throws NoReplay
 */
export async function cancelReplay({ archives }: Pick<Deps, 'archives'>, name: string): Promise<boolean> {
  if (!(await archives.replay(name))) throw noSuchReplay(name)
  return await archives.cancel(name)
}
