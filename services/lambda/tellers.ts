import { detailOf, eventsTeller } from '../events/teller.ts'
import { history } from '../history/history.ts'
import { metricsTeller } from '../metrics/teller.ts'
import { write } from '../metrics/write.ts'
import { traceTeller } from '../trace/send.ts'
import { contracts, ledger, objects, put, sendSegments } from './clients.ts'
import type { Teller } from './ended.ts'
import { HistoryEnv, readEnv, TraceEnv } from './env.ts'
import { logger } from './logger.ts'

/** Who is told of the runs that end in a function, in this order. */
export const tellers = (): Record<string, Teller> => ({
  log: async (runs) => {
    for (const run of runs) {
      logger.info('A run ended', { ...detailOf(run) })
      if (run.sameAs)
        logger.warn('A file has the same bytes as another', { runId: run.runId, sameAs: run.sameAs.runId })
    }
  },
  history: (runs) => {
    const { LEDGER_TABLE, QUARANTINE_BUCKET } = readEnv(HistoryEnv)
    return history({ ledger: ledger(LEDGER_TABLE), objects: objects(), quarantineBucket: QUARANTINE_BUCKET })(runs)
  },
  metrics: (runs) =>
    metricsTeller({ ledger: ledger(process.env.LEDGER_TABLE ?? ''), datasets: contracts(), write })(runs),
  events: (runs) => eventsTeller(put())(runs),
  // The last one: of what is told, it is the one that may be lost.
  trace: async (runs) => {
    const { LEDGER_TABLE, TRACE_SAMPLING: share } = readEnv(TraceEnv)
    const warn = (message: string, about: object) => logger.warn(message, { ...about })
    await traceTeller({ ledger: ledger(LEDGER_TABLE), send: sendSegments(), share, warn })(runs)
  },
})
