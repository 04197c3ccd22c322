import { detailOf, eventsTeller } from '../events/teller.ts'
import { metricsTeller } from '../metrics/teller.ts'
import { write } from '../metrics/write.ts'
import { contracts, ledger, put } from './clients.ts'
import type { Teller } from './ended.ts'
import { logger } from './logger.ts'

/** Who is told of the runs that end in a function, in this order. */
export const tellers = (): Record<string, Teller> => ({
  log: async (runs) => {
    for (const run of runs) logger.info('A run ended', { ...detailOf(run) })
  },
  metrics: (runs) =>
    metricsTeller({ ledger: ledger(process.env.LEDGER_TABLE ?? ''), datasets: contracts(), write })(runs),
  events: (runs) => eventsTeller(put())(runs),
})
