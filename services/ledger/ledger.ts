import type { Stage } from '../../events/replay.ts'
import { TryAgain } from '../lambda/errors.ts'
import { causedItem, LIVE } from './causes.ts'
import { type Holder, holderOf, type Judged, judgeContent, type SameBytes, sameContent } from './content.ts'
import { type Ending, isEarlier, supersededBy, withdrawnFate } from './endings.ts'
import { runIdOf, sourceIdOf } from './ids.ts'
import { keepLines, type Lines, withLines } from './lines.ts'
import { listedAt, runOf } from './listing.ts'
import { queueItem } from './queue.ts'
import { endingOf, rowReopened, rowTakenIn } from './reruns.ts'
import {
  type Head,
  hasEnded,
  headKey,
  idKey,
  type Landed,
  type Replaced,
  type Run,
  type RunRef,
  runKey,
  type SourceRef,
  staysQueued,
} from './run.ts'
import type { Condition, Item, ItemKey, Table, Write } from './table.ts'

/** Attempts at an optimistic write before the message is given back; each loser has seen a winner. */
const ATTEMPTS = 8

export type Registration = { run: Run; fresh: boolean }

/** The books: every landed object, its runs, and what of it is in which zone. */
export class Ledger {
  readonly table: Table
  readonly now: () => Date
  readonly #onEnd: (run: Run) => void
  readonly #code: string | undefined

  /**
   * @param onEnd is told of each run that comes to its end by a write of this ledger
   * @param code version of the code that writes, for runs to say by which they came to be and to their end
   */
  constructor(table: Table, now: () => Date, onEnd: (run: Run) => void = () => {}, code?: string) {
    this.table = table
    this.now = now
    this.#onEnd = onEnd
    this.#code = code
  }

  instant = () => this.now().toISOString()

  async run(ref: RunRef): Promise<Run | undefined> {
    return asRun(await this.#whole(runKey(ref)))
  }

  async runs(source: SourceRef): Promise<Run[]> {
    const items = await this.table.query(headKey(source).pk, 'RUN#')
    const whole = await Promise.all(items.map((item) => withLines(this.table, item)))
    return whole.flatMap((item) => asRun(item) ?? [])
  }

  /** The runs whose id begins so. @param start at least `ID_START` characters */
  async named(start: string): Promise<RunRef[]> {
    const { pk } = idKey(start)
    const items = await this.table.query(pk, start)
    return items.map(({ sk, dataset, sourceId }) => ({
      dataset: String(dataset),
      sourceId: String(sourceId),
      runId: sk,
    }))
  }

  async head(source: SourceRef): Promise<Head | undefined> {
    return (await this.#whole(headKey(source))) as unknown as Head | undefined
  }

  async #whole(key: ItemKey): Promise<Item | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const item = await this.table.get(key)
      const whole = item && (await withLines(this.table, item))
      if (whole || !item) return whole
    }
    throw new TryAgain('source_contended', `${key.pk} is being changed by many at once.`)
  }

  /**
   * Enters one version of a raw object as a run. Idempotent: the same key, version and cause is the same run, and only
   * the first call queues it (unless it ends at once), in the same transaction.
   * @param begins where a run begins that does not at its kind's first stage, and what is known of it already
   */
  async register(
    kind: Run['kind'],
    dataset: string,
    landed: Landed,
    cause: string,
    end?: Ending,
    begins: { queue?: Stage; as?: Partial<Run>; bytes?: SameBytes } = {},
  ): Promise<Registration> {
    const source = { dataset, sourceId: sourceIdOf(landed.key) }
    const ref = { ...source, runId: runIdOf(landed.key, landed.versionId, cause) }
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const known = await this.run(ref)
      if (known) return { run: known, fresh: false }
      const head = await this.head(source)
      const seq = (head?.seq ?? 0) + 1
      const at = this.instant()
      // An archived zip uncovers the version before it, whose event may come only now.
      const late = kind === 'zip' && isEarlier(landed, head)
      // Of what failed unseen, too: redriven, it would come after the newer one, by its number.
      const fate = late && end?.state !== 'refused' ? supersededBy(landed.key) : end
      const begun = withdrawnFate(landed, cause, head) ?? fate
      const { twin, writes: held } = begun ? NOT_JUDGED : await this.#judge(landed, ref, cause, head, begins.bytes)
      const ending = begun ?? (twin && begins.bytes?.mode === 'refuse' ? sameContent(landed.key, twin) : undefined)
      // When that landed which a rerun could not look at, or found gone, nobody knows: the next event must not seem to be older.
      // One that has given way says nothing of what comes: the one that it gave way to may yet be taken in by another event.
      const gaveWay = ending?.state === 'superseded'
      const isPlaced = kind === 'zip' && !late && !gaveWay && (landed.sequencer !== undefined || !ending)
      const replaces = cause === LIVE ? undefined : await this.#rowsNow(source, head)
      const run: Run = {
        ...landed,
        ...ref,
        kind,
        cause,
        seq,
        registeredAt: at,
        state: kind === 'zip' ? 'extracting' : 'queued',
        ...(kind === 'zip'
          ? { spanUnzip: { queuedAt: cause === LIVE ? landed.landedAt : at, startedAt: at } }
          : { spanConvert: { queuedAt: at } }),
        ...(head?.zipKey && head.zipRunId && { zip: { key: head.zipKey, runId: head.zipRunId } }),
        ...(replaces && { replaces }),
        ...begins.as,
        ...(twin && !ending && { sameAs: sameAs(twin) }),
        ...(this.#code && { code: this.#code }),
        ...(ending && { ...ending, ...this.#ended(at) }),
      }
      const writes: Write[] = [
        {
          update: headKey(source),
          set: {
            seq,
            bucket: landed.bucket,
            key: landed.key,
            dataset,
            sourceId: source.sourceId,
            ...(kind === 'csv' && !ending && { contentVersion: landed.versionId }),
            ...(isPlaced && { landedAt: landed.landedAt }),
            ...(isPlaced && landed.sequencer && { sequencer: landed.sequencer }),
          },
          remove: [
            // Landing a key again is how a person takes its withdrawal back.
            ...(!ending && head?.withdrawnAt ? ['withdrawnAt'] : []),
            ...(isPlaced && !landed.sequencer ? ['sequencer'] : []),
          ],
          when: [
            head?.seq === undefined
              ? { attribute: 'seq', is: 'absent' }
              : { attribute: 'seq', is: 'equal', to: head.seq },
            head?.withdrawnAt === undefined
              ? { attribute: 'withdrawnAt', is: 'absent' }
              : { attribute: 'withdrawnAt', is: 'equal', to: head.withdrawnAt },
          ],
        },
        { put: runItem(run), when: [{ attribute: 'pk', is: 'absent' }] },
        { put: { ...idKey(run.runId), ...source } },
        ...held,
      ]
      if (cause !== LIVE) writes.push({ put: causedItem(run) })
      const queue = begins.queue ?? (kind === 'csv' ? 'convert' : undefined)
      if (ending) writes.push(...endingOf(run, {}))
      else writes.push(...rowTakenIn(run), ...(queue ? [{ put: queueItem(queue, run) }] : []))
      if (await this.table.write(writes)) {
        if (ending) this.#onEnd(run)
        return { run, fresh: true }
      }
    }
    throw new TryAgain('source_contended', `${landed.key} is being registered by many events at once.`)
  }

  /** What a replay or rerun works on was taken in before, where the table has rows of its source. */
  async #judge(landed: Landed, ref: RunRef, cause: string, head: Head | undefined, bytes?: SameBytes): Promise<Judged> {
    if (!bytes || (cause !== LIVE && head?.deliveryRun !== undefined)) return NOT_JUDGED
    return await judgeContent(this, { ...holderOf(landed, ref), dataset: ref.dataset }, bytes.prints, bytes.mode)
  }

  #ended = (endedAt: string): Pick<Run, 'endedAt' | 'endedCode'> => ({
    endedAt,
    ...(this.#code && { endedCode: this.#code }),
  })

  /** Of which run the table has rows of a source. */
  async #rowsNow(source: SourceRef, head: Head | undefined): Promise<Replaced | undefined> {
    const run = head?.deliveryRun && (await this.run({ ...source, runId: head.deliveryRun }))
    if (!run) return undefined
    const { runId, rowsIn, accepted, rejected } = run
    return { runId, rowsIn, accepted, rejected }
  }

  /** Queues a CSV that failed as it was registered; or ends it otherwise, if that is what it is worth by now. */
  async reopen(run: Run, landed: Landed, end?: Ending, bytes?: SameBytes): Promise<Run> {
    const when: Write['when'] = [{ attribute: 'state', is: 'equal', to: run.state }]
    const { problem: _, endedAt: __, ...open } = run
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const head = await this.head(run)
      const { twin, writes: held } = end ? NOT_JUDGED : await this.#judge(landed, run, run.cause, head, bytes)
      const ending = end ?? (twin && bytes?.mode === 'refuse' ? sameContent(landed.key, twin) : undefined)
      const again: Run = {
        ...open,
        ...landed,
        ...(ending
          ? { ...ending, ...this.#ended(this.instant()) }
          : { state: 'queued', ...(twin && { sameAs: sameAs(twin) }) }),
      }
      const writes: Write[] = [{ put: runItem(again), when }]
      if (!ending)
        writes.push(
          { put: queueItem('convert', again) },
          { update: headKey(run), set: { contentVersion: landed.versionId }, remove: ['withdrawnAt'] },
          ...rowReopened(again),
          ...held,
        )
      else writes.push(...endingOf(again, {}))
      if (await this.table.write(writes)) {
        if (ending) this.#onEnd(again)
        return again
      }
      const now = await this.run(run)
      if (now?.state !== run.state) return now ?? again
    }
    throw new TryAgain('source_contended', `${landed.key} is being registered by many events at once.`)
  }

  /** A run whose job could not be started, and now has been. */
  async started(run: Run, stage: Stage): Promise<Run> {
    if (!staysQueued(run, stage)) return run
    const { problem: _, endedAt: __, ...open } = run
    const state = stage === 'convert' ? 'queued' : 'converted'
    // Not one whose job has failed since: nothing would end it again.
    const still: Condition[] = [
      { attribute: 'state', is: 'equal', to: 'failed' },
      run.endedAt === undefined
        ? { attribute: 'endedAt', is: 'absent' }
        : { attribute: 'endedAt', is: 'equal', to: run.endedAt },
    ]
    return (await this.update(run, { state }, rowReopened(run), ['problem', 'endedAt'], still))
      ? { ...open, state }
      : ((await this.run(run)) ?? run)
  }

  /** What `unzip` knows of a member before the member's own event can come. What it writes is wanted again. */
  async noteMember(
    member: SourceRef & { bucket: string; key: string },
    zip: { key: string; runId: string },
  ): Promise<void> {
    const { bucket, key, dataset, sourceId } = member
    await this.table.write([
      {
        update: headKey(member),
        set: { bucket, key, dataset, sourceId, zipKey: zip.key, zipRunId: zip.runId },
        remove: ['withdrawnAt'],
      },
    ])
  }

  /**
   * Changes a run, and with it, all or nothing, whatever else the change means. The end of a run that a rerun has caused is
   * told to the rerun by the same transaction.
   * @param when must hold of the run as it is in the books
   */
  async update(
    run: Run,
    set: Partial<Run>,
    more: Write[] = [],
    remove: string[] = [],
    when: Condition[] = [],
  ): Promise<boolean> {
    const isEnd = set.state !== undefined && hasEnded(set.state)
    const ending = isEnd ? endingOf(run, set) : []
    // Without the instant it is the failure that is written before a last attempt.
    const all = isEnd && set.endedAt ? { ...set, ...this.#ended(set.endedAt) } : set
    const { members, skipped, ...rest } = all
    const lines: Lines = { ...(members && { members }), ...(skipped && { skipped }) }
    const kept =
      members || skipped ? await keepLines(this.table, run, `run-${run.runId}`, lines) : { set: {}, remove: [] }
    const update = { update: runKey(run), set: { ...rest, ...kept.set }, remove: [...remove, ...kept.remove], when }
    const written = await this.table.write([update, ...ending, ...more])
    if (written && isEnd && set.endedAt) this.#onEnd(without({ ...run, ...all }, remove))
    return written
  }
}

const NOT_JUDGED: Judged = { writes: [] }
const sameAs = ({ runId, key, landedAt }: Holder): Run['sameAs'] => ({ runId, key, landedAt })

const without = (run: Run, names: string[]): Run =>
  Object.fromEntries(Object.entries(run).filter(([name]) => !names.includes(name))) as Run

export const runItem = (run: Run): Item => ({
  ...run,
  ...runKey(run),
  listing: 'run',
  listedAt: listedAt(run),
})

const asRun = (item: Item | undefined): Run | undefined => item && runOf(item)
