import { traceTeller } from '../trace/send.ts'
import { ledger, sendSegments } from './clients.ts'
import type { Teller } from './ended.ts'
import { readEnv, TraceEnv } from './env.ts'
import { logger } from './logger.ts'

/** Who is told of the runs that end in a function, in this order. */
export const tellers = (): Record<string, Teller> => ({
  trace: async (runs) => {
    const { LEDGER_TABLE, TRACE_SAMPLING: share } = readEnv(TraceEnv)
    const warn = (message: string, about: object) => logger.warn(message, { ...about })
    await traceTeller({ ledger: ledger(LEDGER_TABLE), send: sendSegments(), share, warn })(runs)
  },
})
