import type { Table, Write } from '../ledger/table.ts'

const handled = new Set<string>()
/** As many ids as a line of a log names. */
const NAMED = 20

/** A table that notes the runs which it is told something of: those that this invocation handles. */
export const noting = (table: Table): Table => ({
  get: (key) => table.get(key),
  query: (pk, prefix, limit) => table.query(pk, prefix, limit),
  write: async (writes) => {
    const written = await table.write(writes)
    if (written) for (const write of writes) note(write)
    return written
  },
})

function note(write: Write) {
  const { sk } = 'put' in write ? write.put : 'update' in write ? write.update : write.delete
  if (sk.startsWith('RUN#')) handled.add(sk.slice('RUN#'.length))
}

/** The runs that were handled since it was asked last. */
export function takeHandled(): string[] {
  const runIds = [...handled]
  handled.clear()
  return runIds
}

/** How the trace of an invocation is found by a run: where it handled one, and where it handled more, how many. */
export const annotating = (runIds: string[]): Record<string, string | number> => {
  const [runId] = runIds
  if (runId === undefined) return {}
  return runIds.length === 1 ? { runId } : { runs: runIds.length }
}

/** How a line of a log names runs. */
export function naming(
  runIds: string[],
): { runId: string } | { runs: number; runIds: string[] } | Record<string, never> {
  const [runId] = runIds
  if (runId === undefined) return {}
  return runIds.length === 1 ? { runId } : { runs: runIds.length, runIds: runIds.slice(0, NAMED) }
}
