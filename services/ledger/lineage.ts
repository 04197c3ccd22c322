import { LIVE } from './causes.ts'
import { sourceIdOf } from './ids.ts'
import type { Ledger } from './ledger.ts'
import type { Run, RunRef } from './run.ts'

/**
 * Whether a run is of what this zip gave: not a replay of it, nor a member's key that has landed by itself since.
 * The zip knows versions only when it has been extracted; its first members may have ended before.
 */
export function cameIn(run: Run, zip: Run): boolean {
  if (run.cause !== LIVE || run.zip?.runId !== zip.runId) return false
  const line = zip.members?.find(({ key }) => key === run.key)
  if (zip.members) return line !== undefined && (line.versionId ?? run.versionId) === run.versionId
  return zip.endedAt === undefined || run.registeredAt <= zip.endedAt
}

/** The zip's run that a run's source came in last; whether this version came in it, `cameIn` says. */
export const zipRefOf = ({ dataset, zip }: Run): RunRef | undefined =>
  zip && { dataset, sourceId: sourceIdOf(zip.key), runId: zip.runId }

/** Finds the zip that each of many runs came in; members of one zip ask for it once. */
export function zipsOf(ledger: Pick<Ledger, 'run'>): (run: Run) => Promise<Run | undefined> {
  const asked = new Map<string, Promise<Run | undefined>>()
  return async (run) => {
    const ref = run.cause === LIVE ? zipRefOf(run) : undefined
    if (!ref) return undefined
    const found = asked.get(ref.runId) ?? ledger.run(ref)
    asked.set(ref.runId, found)
    const zip = await found
    return zip && cameIn(run, zip) ? zip : undefined
  }
}

/**
 * Milliseconds from the landing of the file, or of the zip that it came in, until its rows could be queried; undefined for
 * what did not land to be delivered now: what a replay or a rerun works on may have landed long before.
 */
export function landedToQueryable(run: Run, zip?: Run): number | undefined {
  if (run.state !== 'delivered' || run.endedAt === undefined) return undefined
  const { cause, landedAt } = zip && cameIn(run, zip) ? zip : run
  if (run.cause !== LIVE || cause !== LIVE) return undefined
  // S3's clock and ours are two.
  return Math.max(0, Date.parse(run.endedAt) - Date.parse(landedAt))
}
