import { TryAgain } from '../lambda/errors.ts'
import { runIdOf, sourceIdOf } from './ids.ts'
import { listedAt, runOf } from './listing.ts'
import { queueItem } from './queue.ts'
import {
  type Head,
  headKey,
  idKey,
  type Landed,
  type Problem,
  type Run,
  type RunRef,
  runKey,
  type SourceRef,
} from './run.ts'
import type { Item, Table, Write } from './table.ts'

/** Attempts at an optimistic write before the message is given back; each loser has seen a winner. */
const ATTEMPTS = 8

/** A run that ends as it begins: refused by name, superseded before anyone looked, or failed because no one could. */
export type Ending = { state: 'refused' | 'superseded' | 'failed'; problem: Problem }

export type Registration = { run: Run; fresh: boolean }

/** The books: every landed object, its runs, and what of it is in which zone. */
export class Ledger {
  readonly table: Table
  readonly now: () => Date

  constructor(table: Table, now: () => Date) {
    this.table = table
    this.now = now
  }

  instant = () => this.now().toISOString()

  async run(ref: RunRef): Promise<Run | undefined> {
    return asRun(await this.table.get(runKey(ref)))
  }

  async runs(source: SourceRef): Promise<Run[]> {
    const items = await this.table.query(headKey(source).pk, 'RUN#')
    return items.flatMap((item) => asRun(item) ?? [])
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
    return (await this.table.get(headKey(source))) as unknown as Head | undefined
  }

  /**
   * Enters one version of a raw object as a run. Idempotent: the same key, version and cause is the same run, and only
   * the first call queues it (unless it ends at once), in the same transaction.
   */
  async register(
    kind: Run['kind'],
    dataset: string,
    landed: Landed,
    cause: string,
    end?: Ending,
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
      const late = kind === 'zip' && isEarlier(landed.sequencer, head?.sequencer)
      const ending = end ?? (late ? supersededBy(landed.key) : undefined)
      const run: Run = {
        ...landed,
        ...ref,
        kind,
        cause,
        seq,
        registeredAt: at,
        state: kind === 'zip' ? 'extracting' : 'queued',
        ...(ending && { ...ending, endedAt: at }),
        ...(kind === 'zip'
          ? { spanUnzip: { queuedAt: landed.landedAt, startedAt: at } }
          : { spanConvert: { queuedAt: at } }),
        ...(head?.zipKey && head.zipRunId && { zip: { key: head.zipKey, runId: head.zipRunId } }),
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
            ...(kind === 'zip' && !late && landed.sequencer && { sequencer: landed.sequencer }),
          },
          when: [
            head?.seq === undefined
              ? { attribute: 'seq', is: 'absent' }
              : { attribute: 'seq', is: 'equal', to: head.seq },
          ],
        },
        { put: runItem(run), when: [{ attribute: 'pk', is: 'absent' }] },
        { put: { ...idKey(run.runId), ...source } },
      ]
      if (kind === 'csv' && !ending) writes.push({ put: queueItem('convert', run) })
      if (await this.table.write(writes)) return { run, fresh: true }
    }
    throw new TryAgain('source_contended', `${landed.key} is being registered by many events at once.`)
  }

  /** Queues a CSV that failed as it was registered; or ends it otherwise, if that is what it is worth by now. */
  async reopen(run: Run, landed: Landed, end?: Ending): Promise<Run> {
    const when: Write['when'] = [{ attribute: 'state', is: 'equal', to: run.state }]
    const { problem: _, endedAt: __, ...open } = run
    const again: Run = { ...open, ...landed, ...(end ? { ...end, endedAt: this.instant() } : { state: 'queued' }) }
    const writes: Write[] = [{ put: runItem(again), when }]
    if (!end) writes.push({ put: queueItem('convert', again) })
    return (await this.table.write(writes)) ? again : ((await this.run(run)) ?? again)
  }

  /** What `unzip` knows of a member before the member's own event can come. */
  async noteMember(
    member: SourceRef & { bucket: string; key: string },
    zip: { key: string; runId: string },
  ): Promise<void> {
    const { bucket, key, dataset, sourceId } = member
    await this.table.write([
      { update: headKey(member), set: { bucket, key, dataset, sourceId, zipKey: zip.key, zipRunId: zip.runId } },
    ])
  }

  /** Changes a run, and with it, all or nothing, whatever else the change means. */
  async update(ref: RunRef, set: Partial<Run>, more: Write[] = [], remove: string[] = []): Promise<boolean> {
    return await this.table.write([{ update: runKey(ref), set, remove }, ...more])
  }
}

export const supersededBy = (key: string): Ending => ({
  state: 'superseded',
  problem: { code: 'superseded', message: `A newer version of ${key} landed.` },
})

/** Hexadecimal, of any length: compared after filling up with zeros on the right, as S3's documentation says. */
function isEarlier(sequencer: string | undefined, than: string | undefined): boolean {
  if (sequencer === undefined || than === undefined) return false
  const length = Math.max(sequencer.length, than.length)
  return sequencer.padEnd(length, '0') < than.padEnd(length, '0')
}

export const runItem = (run: Run): Item => ({
  ...run,
  ...runKey(run),
  listing: 'run',
  listedAt: listedAt(run),
})

const asRun = (item: Item | undefined): Run | undefined => item && runOf(item)
