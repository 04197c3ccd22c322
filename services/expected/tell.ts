import type { OwnEvent, PutEvents } from '../events/put.ts'
import type { OverdueFile } from '../ledger/expected.ts'
import type { Entry } from '../metrics/metrics.ts'
import type { Seen } from './overdue.ts'
import { overdueWords } from './words.ts'

export type TellDeps = {
  warn: (words: string, fields: Record<string, unknown>) => void
  write: (entries: Entry[]) => void
  put: PutEvents
}

/** Log, metric and event of what is overdue; what came late is in the log alone. */
export async function tellSeen({ warn, write, put }: TellDeps, seen: Seen[]): Promise<void> {
  for (const { file } of seen) {
    const { dataset, due, cleared, found } = file
    const runId = cleared?.runId ?? found?.runId
    warn(overdueWords(file), { dataset, due, ...(runId && { runId }) })
  }
  const overdue = seen.filter(({ what }) => what === 'overdue').map(({ file }) => file)
  if (overdue.length === 0) return
  const perDataset = Map.groupBy(overdue, ({ dataset }) => dataset)
  write(
    [...perDataset].map(([dataset, { length }]) => ({ dimensions: { dataset }, values: { OverdueFiles: [length] } })),
  )
  try {
    await put(overdue.map(eventOf))
  } catch (error) {
    // It is noted in the ledger and will not be news again: the log and the metric have told of it.
    warn('Overdue files could not be told: events', { files: overdue.length, error: error as Error })
  }
}

function eventOf(file: OverdueFile): OwnEvent {
  const { dataset, due, deadline, cron, prefix, leastBytes, found } = file
  const small = found && { key: found.key, bytes: found.bytes }
  const message = overdueWords(file)
  return {
    type: 'landfall.overdue',
    detail: { dataset, due, deadline, cron, prefix, leastBytes, found: small, message },
  }
}
