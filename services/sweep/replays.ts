import { addressedStage, unheard } from '../../events/replay.ts'
import type { Replay } from '../jobs/archives.ts'
import { noteUnaddressed } from '../ledger/causes.ts'
import type { Ledger } from '../ledger/ledger.ts'

/** A replay that was started longer ago than this was looked at in its own time, or is no news any more. */
const DAY_MS = 24 * 3_600_000

export type ReplayDeps = {
  ledger: Ledger
  /** Those of our archive. */
  replays: () => Promise<Replay[]>
}

/** Replays, started by hand, that no stage hears. @returns of each, words for the log, once */
export async function unheardReplays({ ledger, replays }: ReplayDeps): Promise<string[]> {
  const words: string[] = []
  for (const { name, startedAt } of await replays()) {
    if (addressedStage(name) || ledger.now().getTime() - Date.parse(startedAt ?? '') >= DAY_MS) continue
    if (await noteUnaddressed(ledger, name)) words.push(unheard(name))
  }
  return words
}
