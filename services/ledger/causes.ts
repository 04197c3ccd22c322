import { keyHash } from './ids.ts'
import type { Ledger } from './ledger.ts'
import type { Run, RunRef } from './run.ts'
import type { Item, ItemKey, Write } from './table.ts'

/** Of a run that an object's landing has caused. Any other cause is the name of a replay or a rerun. */
export const LIVE = 'live'

const RERUN = 'rerun-'
export const isRerun = (cause: string): boolean => cause.startsWith(RERUN)

/** Below it: `STATE`, what was asked; `RUN#…`, the runs that came of it; `SKIPPED#…`, events that it was not meant for. */
export const causePk = (cause: string): string => `CAUSE#${cause}`
export const causeKey = (cause: string): ItemKey => ({ pk: causePk(cause), sk: 'STATE' })

export const causedItem = ({ cause, runId, dataset, sourceId }: Pick<Run, 'cause'> & RunRef): Item => ({
  pk: causePk(cause),
  sk: `RUN#${runId}`,
  dataset,
  sourceId,
})

/** The runs that a replay or rerun has caused. */
export async function causedRuns({ table }: Ledger, cause: string): Promise<RunRef[]> {
  const items = await table.query(causePk(cause), 'RUN#')
  return items.map(({ sk, dataset, sourceId }) => ({
    runId: sk.slice('RUN#'.length),
    dataset: String(dataset),
    sourceId: String(sourceId),
  }))
}

/** Which of the window's events a replay is for. EventBridge replays them all: what is not meant is skipped here. */
export type ReplayFilter = { dataset?: string; sourceId?: string }

/** What a replay was started for. One that was started by hand in the console has none of this, and is for all events. */
export type ReplayState = ReplayFilter & { kind: 'replay'; stage: string; from: string; to: string; startedAt: string }

export async function noteReplay({ table }: Ledger, name: string, state: ReplayState): Promise<void> {
  await table.write([{ put: { ...causeKey(name), ...state } }])
}

export async function replayState({ table }: Ledger, name: string): Promise<ReplayState | undefined> {
  return (await table.get(causeKey(name))) as unknown as ReplayState | undefined
}

/** Notes a replay whose name addresses no stage. @returns false where it was noted before, so that it is reported once */
export async function noteUnaddressed({ table, instant }: Ledger, name: string): Promise<boolean> {
  const state = { kind: 'unaddressed', notedAt: instant() }
  return await table.write([{ put: { ...causeKey(name), ...state }, when: [{ attribute: 'pk', is: 'absent' }] }])
}

/** What a replayed event is about. */
export type About = { key: string; version?: string; dataset?: string; sourceId?: string }

/** Why an event of a replay has changed nothing. */
export type SkipReason = 'not_meant' | 'in_work'

/** Made of what the event is about, so that an event handed out twice is skipped once. */
export async function noteSkipped(
  { table }: Ledger,
  replay: string,
  { key, version = '' }: Pick<About, 'key' | 'version'>,
  reason: SkipReason,
): Promise<void> {
  await table.write([{ put: { pk: causePk(replay), sk: `SKIPPED#${keyHash(key)}#${version}`, key, reason } }])
}

export type Skipped = { key: string; reason: SkipReason }

/** The events that a replay was not for, or that came while their run was still at work. */
export async function skippedEvents({ table }: Ledger, replay: string): Promise<Skipped[]> {
  const items = await table.query(causePk(replay), 'SKIPPED#')
  return items.map(({ key, reason }) => ({ key: String(key), reason: reason as SkipReason }))
}

/** Whether an event of a replay is one that the replay was started for; notes it as skipped where it is not. */
export async function isMeant(ledger: Ledger, replay: string, about: About): Promise<boolean> {
  const filter = await replayState(ledger, replay)
  const meant =
    (filter?.dataset === undefined || filter.dataset === about.dataset) &&
    (filter?.sourceId === undefined || filter.sourceId === about.sourceId)
  if (!meant) await noteSkipped(ledger, replay, about, 'not_meant')
  return meant
}

/** `catalog` works on whole tables: its part of a replay is that a table's partitions are compared again. */
export const tableReplayed = (replay: string, dataset: string): Write => ({
  update: { pk: causePk(replay), sk: `TABLE#${dataset}` },
  add: { events: 1 },
})

export type ReplayedTable = { dataset: string; events: number }

/** Tables that a replay of `catalog` has touched. An event that is handed out twice counts twice. */
export async function replayedTables({ table }: Ledger, replay: string): Promise<ReplayedTable[]> {
  const items = await table.query(causePk(replay), 'TABLE#')
  return items.map(({ sk, events }) => ({ dataset: sk.slice('TABLE#'.length), events: Number(events) }))
}
