import type { Run } from '../ledger/run.ts'
import { logger } from './logger.ts'

/** Tells someone outside of runs that have ended: a trace, a metric, an event. */
export type Teller = (runs: Run[]) => Promise<void>

const ended: Run[] = []
export const noteEnd = (run: Run): void => void ended.push(run)

/**
 * Told at the end of an invocation of all runs that came to their end in it. What fails here fails no run and no message:
 * the ledger has it all, and it is logged.
 */
export async function tellEnded(tellers: Record<string, Teller>): Promise<void> {
  const runs = ended.splice(0)
  if (runs.length === 0) return
  for (const [name, tell] of Object.entries(tellers)) {
    try {
      await tell(runs)
    } catch (error) {
      const runIds = runs.slice(0, 20).map(({ runId }) => runId)
      logger.warn(`Runs that ended could not be told: ${name}`, { runs: runs.length, runIds, error: error as Error })
    }
  }
}
