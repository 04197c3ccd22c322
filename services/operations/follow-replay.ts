import { setTimeout as sleep } from 'node:timers/promises'
import pMap from 'p-map'
import { addressedStage } from '../../events/replay.ts'
import type { Replay } from '../jobs/archives.ts'
import { onItsWayMs, patienceMs } from '../lambda/receives.ts'
import { catalogState } from '../ledger/catalog-state.ts'
import { causedRuns, type ReplayedTable, replayedTables, type Skipped, skippedEvents } from '../ledger/causes.ts'
import { hasEnded, type Run, type RunRef } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'
import { memberRuns } from './follow.ts'
import { whenRead } from './follow-returned.ts'
import { noSuchReplay } from './replay.ts'

export type FollowReplayOptions = {
  /** EventBridge has come further, or to its end. */
  onProgress?: (replay: Replay) => void
  /** A run is seen for the first time, or in another state than before. */
  onChange?: (run: Run) => void
  signal?: AbortSignal
  /** Milliseconds for which the stage's queue must be empty before all is read. @default the depth's lag */
  quiet?: number
  /** Milliseconds without anything new after which it counts as read, whatever is in the queue. @default 15 minutes */
  patience?: number
  /** Milliseconds between two looks. @default a second, or a tenth of the depth's lag if that is less */
  poll?: number
}

/** A source of which another number of rows was taken than before. */
export type Change = { run: Run; before: Counts; after: Counts }
export type Counts = Pick<Run, 'accepted' | 'rejected'>

/** `compared`: since the replay, the catalog and the delivery zone have been held against each other. */
export type TableOutcome = ReplayedTable & { compared: boolean }

/** What came of a replay. */
export type ReplayOutcome = {
  replay: Replay
  /** Those that it caused, zips first. */
  runs: Run[]
  /** Of what its zips wrote into the raw zone again; these are live. */
  members: Run[]
  skipped: Skipped[]
  tables: TableOutcome[]
  changes: Change[]
}

type Deps = Pick<Landfall, 'ledger' | 'archives' | 'queues' | 'depth' | 'depthLag'>

/**
 * Watches a replay until EventBridge has ended it and all that came of it has ended.
 *
 * EventBridge does not say how many events it has replayed, and the last ones are on their way to the queue when it is done.
 * So their end is told by the stage's queue: it must be empty, for as long as its depth may be behind, after the replay has
 * ended. Where live events never let it run empty, that nothing new has come of the replay for longer than a message is tried
 * says the same.
 *
 * @throws NoReplay where EventBridge knows none of this name
 */
export async function followReplay(landfall: Deps, name: string, options: FollowReplayOptions = {}) {
  const { ledger, archives } = landfall
  const { onProgress, onChange, signal, quiet = landfall.depthLag, patience = onItsWayMs() } = options
  const { poll = Math.min(1000, landfall.depthLag / 10) } = options
  const stage = addressedStage(name) ?? ''
  const read = whenRead(landfall, quiet)
  const watched = new Watched(landfall, onChange)
  let told = ''
  let news = { of: '', at: performance.now() }
  for (;;) {
    signal?.throwIfAborted()
    const began = performance.now()
    const replay = await archives.replay(name)
    if (!replay) throw noSuchReplay(name)
    const progress = `${replay.state} ${replay.lastReplayed}`
    if (progress !== told) onProgress?.(replay)
    told = progress
    // Before the runs are looked at: what was read by then has entered its runs.
    const isQuiet = hasStopped(replay) && (await read(new Set([stage])))(stage)
    const refs = await causedRuns(ledger, name)
    await watched.look(refs)
    const tables = await tablesOf(landfall, name)
    const skipped = await skippedEvents(ledger, name)
    const of = `${progress} ${refs.length} ${skipped.length} ${tables.map(({ events }) => events)}`
    if (of !== news.of) news = { of, at: performance.now() }
    const isRead = isQuiet || (hasStopped(replay) && performance.now() - news.at >= patience)
    if (isRead && watched.open === 0 && tables.every(({ compared, refused }) => compared || refused)) {
      const runs = watched.of(refs)
      const caused = new Set(refs.map(({ runId }) => runId))
      const members = watched.all().filter(({ runId }) => !caused.has(runId))
      const changes = await pMap([...runs, ...members], (run) => changeOf(ledger, run), { concurrency: 16 })
      return {
        replay,
        runs,
        members,
        skipped,
        tables: tables.map(({ refused: _, ...table }) => table),
        changes: changes.flat(),
      } satisfies ReplayOutcome
    }
    // What thousands of runs take long to look at is looked at as much less often.
    await sleep(Math.max(poll, performance.now() - began), undefined, { signal })
  }
}

const hasStopped = ({ state }: Replay) => state === 'completed' || state === 'cancelled' || state === 'failed'

/** Runs and how they stand, and of zips the runs of what they wrote. */
class Watched {
  readonly #ledger: Deps['ledger']
  readonly #onChange: (run: Run) => void
  readonly #refs = new Map<string, RunRef>()
  readonly #runs = new Map<string, Run>()

  constructor({ ledger }: Pick<Deps, 'ledger'>, onChange: (run: Run) => void = () => {}) {
    this.#ledger = ledger
    this.#onChange = onChange
  }

  get open(): number {
    return [...this.#refs.keys()].filter((id) => !this.#hasEnded(id)).length
  }

  all = (): Run[] => [...this.#runs.values()].sort(inOrder)
  of = (refs: RunRef[]): Run[] => refs.flatMap(({ runId }) => this.#runs.get(runId) ?? []).sort(inOrder)

  async look(refs: RunRef[]): Promise<void> {
    for (const ref of refs) this.#refs.set(ref.runId, ref)
    for (let open = this.#opened(); open.length > 0; ) {
      const looked = await pMap(open, (ref) => this.#ledger.run(ref), { concurrency: 16 })
      const known = this.#refs.size
      for (const run of looked) if (run) this.#take(run)
      // What a zip that has just ended wrote is looked at at once: else it would seem that nothing is open.
      open = this.#refs.size > known ? this.#opened() : []
    }
  }

  #opened = (): RunRef[] => [...this.#refs.values()].filter(({ runId }) => !this.#hasEnded(runId))

  #hasEnded(runId: string): boolean {
    const run = this.#runs.get(runId)
    return run !== undefined && hasEnded(run.state)
  }

  #take(run: Run): void {
    if (this.#runs.get(run.runId)?.state !== run.state) this.#onChange(run)
    this.#runs.set(run.runId, run)
    if (hasEnded(run.state)) for (const ref of memberRuns(run)) this.#refs.set(ref.runId, ref)
  }
}

const inOrder = (a: Run, b: Run) => (a.kind < b.kind ? 1 : a.kind > b.kind ? -1 : a.key.localeCompare(b.key))

/** `refused`: AWS has refused what the catalog needs for as long as a message is tried, so that nothing is waited for. */
async function tablesOf({ ledger }: Pick<Deps, 'ledger'>, name: string) {
  return await pMap(await replayedTables(ledger, name), async (table): Promise<TableOutcome & { refused: boolean }> => {
    const { dirty, crawled, refusedAt } = await catalogState(ledger, table.dataset)
    const refused = refusedAt !== undefined && ledger.now().getTime() - refusedAt >= patienceMs()
    return { ...table, compared: dirty <= crawled, refused }
  })
}

/** Of a source whose rows were replaced by others in another number: the contract, or the engine, has changed since. */
async function changeOf(ledger: Deps['ledger'], run: Run): Promise<Change[]> {
  if (run.state !== 'delivered') return []
  const before = run.replaces ?? (await deliveredBefore(ledger, run))
  const { accepted, rejected } = run
  if (!before || (before.accepted === accepted && before.rejected === rejected)) return []
  return [{ run, before: { accepted: before.accepted, rejected: before.rejected }, after: { accepted, rejected } }]
}

/** What a zip writes again is live, so that its run does not say itself what it replaces. */
async function deliveredBefore(ledger: Deps['ledger'], run: Run): Promise<Run | undefined> {
  const earlier = (await ledger.runs(run)).filter(({ seq, state }) => seq < run.seq && state === 'delivered')
  return earlier.sort((a, b) => b.seq - a.seq)[0]
}
