import { history } from '../history/history.ts'
import { ledger, objects } from './clients.ts'
import type { Teller } from './ended.ts'
import { HistoryEnv, readEnv } from './env.ts'

/** Who is told of the runs that end in a function, in this order. */
export const tellers = (): Record<string, Teller> => ({
  history: (runs) => {
    const { LEDGER_TABLE, QUARANTINE_BUCKET } = readEnv(HistoryEnv)
    return history({ ledger: ledger(LEDGER_TABLE), objects: objects(), quarantineBucket: QUARANTINE_BUCKET })(runs)
  },
})
