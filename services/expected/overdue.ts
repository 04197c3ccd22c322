import { dueUntil, type Expected, expectations, graceMs } from '../../schemas/expected.ts'
import { LIVE } from '../ledger/causes.ts'
import {
  type Arrived,
  type ExpectedState,
  expectedId,
  expectedStates,
  type OverdueFile,
  overdueFile,
  overdueKey,
  stateKey,
} from '../ledger/expected.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Listing } from '../ledger/listing.ts'
import type { Run } from '../ledger/run.ts'

/** A file that lands is registered moments later, and listed a moment after that. */
const LAG_MS = 60_000
/** Runs are looked through once more from this long before the last look: a busy queue may hold an event so long. */
const OVERLAP_MS = 15 * 60_000

export type ExpectedDeps = { ledger: Ledger; listing: Pick<Listing, 'newest'> }
/** `overdue`: noted just now, for the first and only time. `late`: what was overdue has come. */
export type Seen = { what: 'overdue' | 'late'; file: OverdueFile }
type Expecting = { dataset: string; expected?: Expected | Expected[] | undefined }

/** Looks at all that a dataset's contract expects. @returns what is news since the last look */
export async function lookForOverdue(deps: ExpectedDeps, contract: Expecting): Promise<Seen[]> {
  const { ledger } = deps
  const { dataset } = contract
  const states = await expectedStates(ledger, dataset)
  const seen: Seen[] = []
  for (const expected of expectations(contract)) {
    const id = expectedId(expected)
    const state = states.get(id)
    states.delete(id)
    const news = state ? await look(deps, dataset, expected, state) : await begin(ledger, dataset, id)
    if (news) seen.push(news)
  }
  // Nobody waits any more for what a contract has ceased to expect.
  for (const id of states.keys()) await ledger.table.write([{ delete: stateKey(dataset, id) }])
  return seen
}

async function begin(ledger: Ledger, dataset: string, id: string): Promise<undefined> {
  const item = { ...stateKey(dataset, id), judged: ledger.instant() }
  await ledger.table.write([{ put: item, when: [{ attribute: 'pk', is: 'absent' }] }])
}

async function look(
  deps: ExpectedDeps,
  dataset: string,
  expected: Expected,
  state: ExpectedState,
): Promise<Seen | undefined> {
  const decided = deps.ledger.now().getTime() - graceMs(expected) - LAG_MS
  const { due } = dueUntil(expected, decided)
  if (due !== undefined && due > Date.parse(state.judged)) return await judge(deps, dataset, expected, state, due)
  return await clear(deps, dataset, expected, state)
}

/** Each landing belongs to one due instant: the first whose grace was not over yet, unless it made up for the one before. */
function windowOf(expected: Expected, due: number, { after }: ExpectedState): { from: number; until: number } {
  const grace = graceMs(expected)
  const { before = 0 } = dueUntil(expected, due)
  return { from: Math.max(before + grace, after === undefined ? 0 : Date.parse(after)), until: due + grace }
}

const at = (ms: number) => new Date(ms).toISOString()

function isMeant(run: Run, dataset: string, { prefix = '' }: Expected): boolean {
  // A member has not come by itself: its zip has.
  return run.dataset === dataset && run.cause === LIVE && !run.zip && run.key.startsWith(prefix)
}

async function judge(
  { ledger, listing }: ExpectedDeps,
  dataset: string,
  expected: Expected,
  state: ExpectedState,
  due: number,
): Promise<Seen | undefined> {
  const { from, until } = windowOf(expected, due, state)
  const { cron, prefix, leastBytes } = expected
  let largest: Arrived | undefined
  for await (const run of listing.newest({ from: at(from) })) {
    const landed = Date.parse(run.landedAt)
    if (!isMeant(run, dataset, expected) || landed <= from || landed > until) continue
    if (run.bytes > (largest?.bytes ?? -1)) largest = arrived(run)
    if (run.bytes >= leastBytes) break
  }
  const id = expectedId(expected)
  const update = stateKey(dataset, id)
  const when = [{ attribute: 'judged', is: 'equal' as const, to: state.judged }]
  if (largest && largest.bytes >= leastBytes) {
    await ledger.table.write([{ update, set: { judged: at(due) }, remove: ['open', 'lookedAt'], when }])
    return undefined
  }
  const file: OverdueFile = {
    dataset,
    cron,
    leastBytes,
    ...(prefix !== undefined && { prefix }),
    due: at(due),
    deadline: at(until),
    ...(largest && { found: largest }),
    notedAt: ledger.instant(),
  }
  const key = overdueKey(dataset, file.due, id)
  const isFirst = await ledger.table.write([
    { update, set: { judged: file.due, open: key.sk }, remove: ['lookedAt'], when },
    { put: { ...key, ...file }, when: [{ attribute: 'pk', is: 'absent' }] },
  ])
  return isFirst ? { what: 'overdue', file } : undefined
}

/** Whether what is overdue has come meanwhile. */
async function clear(
  { ledger, listing }: ExpectedDeps,
  dataset: string,
  expected: Expected,
  state: ExpectedState,
): Promise<Seen | undefined> {
  const file = await overdueFile(ledger, dataset, state.open)
  if (!file) return undefined
  const due = Date.parse(file.due)
  const { from } = windowOf(expected, due, state)
  const { lookedAt } = state
  const since = lookedAt === undefined ? from : Math.max(from, Date.parse(lookedAt) - OVERLAP_MS)
  let first: Arrived | undefined
  for await (const run of listing.newest({ from: at(since) }))
    if (isMeant(run, dataset, expected) && Date.parse(run.landedAt) > from && run.bytes >= expected.leastBytes)
      first = arrived(run)
  const id = expectedId(expected)
  const update = stateKey(dataset, id)
  const when = [{ attribute: 'open', is: 'equal' as const, to: state.open ?? '' }]
  if (!first) {
    await ledger.table.write([{ update, set: { lookedAt: ledger.instant() }, when }])
    return undefined
  }
  const cleared = { ...first, lateMs: Math.max(0, Date.parse(first.landedAt) - due) }
  const isFirst = await ledger.table.write([
    { update, set: { after: first.landedAt }, remove: ['open', 'lookedAt'], when },
    { update: overdueKey(dataset, file.due, id), set: { cleared } },
  ])
  return isFirst ? { what: 'late', file: { ...file, cleared } } : undefined
}

const arrived = ({ key, runId, bytes, landedAt }: Run): Arrived => ({ key, runId, bytes, landedAt })
