import { eventsTeller } from '../events/teller.ts'
import { metricsTeller } from '../metrics/teller.ts'
import { write } from '../metrics/write.ts'
import { contracts, ledger, put } from './clients.ts'
import type { Teller } from './ended.ts'

/** Who is told of the runs that end in a function, in this order. */
export const tellers = (): Record<string, Teller> => ({
  metrics: (runs) =>
    metricsTeller({ ledger: ledger(process.env.LEDGER_TABLE ?? ''), datasets: contracts(), write })(runs),
  events: (runs) => eventsTeller(put())(runs),
})
