import type { Expected } from '../../schemas/expected.ts'
import type { Ledger } from './ledger.ts'
import type { Run } from './run.ts'
import type { ItemKey } from './table.ts'

/** A file that lands, as far as an expectation asks. */
export type Arrived = Pick<Run, 'key' | 'runId' | 'bytes' | 'landedAt'>

/** A file that was due and did not come within its grace, or only came implausibly small. Instants, ISO 8601 UTC. */
export type OverdueFile = Omit<Expected, 'grace'> & {
  dataset: string
  due: string
  /** When its grace was over. */
  deadline: string
  /** The largest of those that came and were too small; absent where none came at all. */
  found?: Arrived
  notedAt: string
  /** What came after all, and how long after it was due. */
  cleared?: Arrived & { lateMs: number }
}

/** How far an expectation has been looked after. */
export type ExpectedState = {
  /** Its newest due instant that was decided upon; at first, when it was first seen: nothing is overdue from before. */
  judged: string
  /** Sort key of the entry that waits for its file. */
  open?: string
  /** Until when runs were looked through for that file. */
  lookedAt?: string
  /** Landing of a file that came late: it is not the one that is due next. */
  after?: string
}

const pk = (dataset: string) => `OVERDUE#${dataset}`
const STATE = 'STATE#'
/** Of an expectation. Another time or another file is another expectation; another grace is not. */
export const expectedId = ({ cron, prefix = '' }: Pick<Expected, 'cron' | 'prefix'>) => `${cron} ${prefix}`.trim()
export const stateKey = (dataset: string, id: string): ItemKey => ({ pk: pk(dataset), sk: `${STATE}${id}` })
export const overdueKey = (dataset: string, due: string, id: string): ItemKey => ({
  pk: pk(dataset),
  sk: `${due}#${id}`,
})

/** By the id of the expectation. */
export async function expectedStates({ table }: Ledger, dataset: string): Promise<Map<string, ExpectedState>> {
  const items = await table.query(pk(dataset), STATE)
  return new Map(items.map(({ sk, ...state }) => [sk.slice(STATE.length), state as unknown as ExpectedState]))
}

export async function overdueFile(
  { table }: Ledger,
  dataset: string,
  open: string | undefined,
): Promise<OverdueFile | undefined> {
  if (open === undefined) return undefined
  const item = await table.get({ pk: pk(dataset), sk: open })
  if (!item) return undefined
  const { pk: _, sk: __, ...entry } = item
  return entry as unknown as OverdueFile
}

/** What a dataset waits for now, the longest due first. */
export async function overdueFiles(ledger: Ledger, dataset: string): Promise<OverdueFile[]> {
  const states = [...(await expectedStates(ledger, dataset)).values()]
  const entries = await Promise.all(states.map(({ open }) => overdueFile(ledger, dataset, open)))
  return entries.flatMap((entry) => entry ?? []).sort((a, b) => (a.due < b.due ? -1 : 1))
}
