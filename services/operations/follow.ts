import { setTimeout as sleep } from 'node:timers/promises'
import { runIdOf } from '../ledger/ids.ts'
import { hasEnded, type Run, type RunRef } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'

const POLL_MS = 100

export type FollowOptions = {
  /** A run is seen for the first time, or in another state than before. */
  onChange?: (run: Run) => void
  signal?: AbortSignal
}

/** The runs of a zip's members, once it has been extracted. */
export const memberRuns = (zip: Run): RunRef[] =>
  (zip.members ?? []).map(({ key, sourceId, versionId = 'null' }) => ({
    dataset: zip.dataset,
    sourceId,
    runId: runIdOf(key, versionId, 'live'),
  }))

/**
 * Watches landed files, and the members of zips, until each has come to its end.
 *
 * @returns all runs, zips before their members
 */
export async function follow(
  { ledger }: Pick<Landfall, 'ledger'>,
  landed: RunRef[],
  { onChange, signal }: FollowOptions = {},
): Promise<Run[]> {
  const open = [...landed]
  const states = new Map<string, string>()
  const ended: Run[] = []
  while (open.length > 0) {
    const runs = await Promise.all(open.map((ref) => ledger.run(ref)))
    // Backwards, for those that have ended are taken out.
    for (let i = runs.length - 1; i >= 0; i--) {
      const run = runs[i]
      if (!run) continue
      if (states.get(run.runId) !== run.state) onChange?.(run)
      states.set(run.runId, run.state)
      if (!hasEnded(run.state)) continue
      open.splice(i, 1)
      ended.push(run)
      open.push(...memberRuns(run))
    }
    signal?.throwIfAborted()
    if (open.length > 0) await sleep(POLL_MS, undefined, { signal })
  }
  const zipsFirst = (run: Run) => (run.kind === 'zip' ? 0 : 1)
  return ended.sort((a, b) => zipsFirst(a) - zipsFirst(b) || a.key.localeCompare(b.key))
}
