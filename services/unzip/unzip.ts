import type { S3Client } from '@aws-sdk/client-s3'
import pMap from 'p-map'
import type { Contract } from '../../schemas/contract.ts'
import { type Arrival, type IntakeDeps, recordRefusal, takeIn } from '../jobs/intake.ts'
import type { Lease } from '../jobs/lease.ts'
import { outdated, type PublishDeps, stillLocked, withdraw, withSourceLock } from '../jobs/publish.ts'
import { unknownDataset } from '../jobs/unknown-dataset.ts'
import { LandfallError, Refused, TryAgain } from '../lambda/errors.ts'
import { LIVE } from '../ledger/causes.ts'
import { type Ending, withdrawn } from '../ledger/endings.ts'
import { datasetOf, memberFolderOf, sourceIdOf } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { forgetLines, keepLines } from '../ledger/lines.ts'
import { hasEnded, headKey, type MemberLine, type Run, runKey } from '../ledger/run.ts'
import type { Condition } from '../ledger/table.ts'
import { IN_QUEUE } from '../letters/words.ts'
import { extract, type Skipped } from './extract.ts'
import { type Judge, type LeftOut, notToBeExtracted } from './left-out.ts'
import { OutOfTime, type Time } from './time.ts'

export type UnzipDeps = IntakeDeps &
  PublishDeps & {
    s3: S3Client
    contracts: Map<string, Contract>
    processingBucket: string
    deliveryBucket: string
    /** Of the function that this is. @default as much as it takes */
    time?: Time
  }

const ZIP = /\.zip$/i
const CSV = /\.csv(\.gz)?$/i

/** What a key in the raw zone's `landing/` may be. */
export const judgeLanded =
  (contracts: Map<string, Contract>) =>
  (key: string, dataset: string | undefined): Ending | undefined => {
    const refused = (code: string, message: string): Ending => ({ state: 'refused', problem: { code, message } })
    if (!dataset || !contracts.has(dataset)) return refused('unknown_dataset', unknownDataset(key, dataset, contracts))
    if (!ZIP.test(key) && !CSV.test(key))
      return refused(
        'not_a_zip',
        `${key} is neither a zip nor a CSV by its name: expected .zip, .csv or .csv.gz. Rename it and land it again.`,
      )
    return undefined
  }

/** A zip landed: its members become CSVs in the raw zone. A CSV that landed here moves to where CSVs are read. */
export async function zipLanded(deps: UnzipDeps, arrival: Arrival): Promise<void> {
  try {
    await takeUp(deps, arrival)
  } catch (error) {
    if (arrival.lastReceive) await giveUp(deps, arrival)
    throw error
  }
}

/** The message goes to the DLQ. A run of it that never came to its extraction, as others held the zip, would stay open for ever. */
async function giveUp({ ledger }: UnzipDeps, { key, cause, event }: Arrival): Promise<void> {
  const source = { dataset: datasetOf(key) ?? '', sourceId: sourceIdOf(key) }
  const version = event?.versionId
  for (const run of await ledger.runs(source)) {
    if (run.cause !== cause || hasEnded(run.state) || (version !== undefined && run.versionId !== version)) continue
    const still: Condition[] = [{ attribute: 'state', is: 'equal', to: run.state }]
    const endedAt = ledger.instant()
    await ledger.update(run, { state: 'failed', problem: notExtracted(run), endedAt }, [], [], still)
  }
}

async function takeUp(deps: UnzipDeps, arrival: Arrival): Promise<void> {
  const { ledger } = deps
  const { lastReceive } = arrival
  const known = await takeIn(deps, arrival, 'zip', judgeLanded(deps.contracts))
  if (!known) return
  // An earlier attempt may have died between its last word in the ledger and this.
  if (known.state === 'extracted') return await leaveLanding(deps, known)
  if (!isOpen(known)) return
  // One version at a time, or the slower of two would overwrite the members of the newer.
  await withSourceLock(deps, known, async (head, lock) => {
    const run = await ledger.run(known)
    if (!run || !isOpen(run)) return
    if (head.extractedSeq !== undefined && head.extractedSeq > run.seq) {
      const problem = { code: 'superseded', message: `A newer version of ${run.key} has been extracted.` }
      await ledger.update(run, { state: 'superseded', problem, endedAt: ledger.instant() })
      return
    }
    // Withdrawn since it was taken in: its version can be read for as long as the bucket keeps old ones. One that is still where
    // it landed has landed again, and nobody could look at it until now.
    if (head.withdrawnAt !== undefined && (await outdated(deps, run))) {
      await ledger.update(run, { ...withdrawn(run.key, head.withdrawnAt), endedAt: ledger.instant() })
      return
    }
    const given = { state: 'failed', problem: notExtracted(run) } as const
    // Whoever has slept over the end of the lock may find that another has ended it.
    const still: Condition[] = [{ attribute: 'state', is: 'equal', to: lastReceive ? given.state : run.state }]
    // Nobody is told yet: it may still go well.
    if (lastReceive) await ledger.table.write([{ update: runKey(run), set: given }])
    // Of this attempt alone: what an earlier one has kept may still be named.
    const list = `head-${lock.owner}`
    try {
      const before = head.members ?? []
      const again = run.cause !== LIVE && (await isExtracted(ledger, run))
      const judge: Judge = (members) => notToBeExtracted(deps, run, members, { again, isNewest: run.seq === head.seq })
      const out = await judge(before)
      if (again && before.length > 0 && out.length === before.length) throw new Withdrawn(run.key)
      const { still, ...done } = CSV.test(run.key)
        ? await moveCsv(deps, run, lock)
        : await unzip(deps, run, before, out, judge, lock, `${list}-before`)
      lock.check()
      const endedAt = ledger.instant()
      // What was left out, or was bad, is still this zip's: what withdraws or erases the zip must know of it.
      const kept = await keepLines(ledger.table, run, list, { members: [...done.members, ...still] })
      const told = await ledger.update(
        run,
        { ...done, state: 'extracted', endedAt, spanUnzip: { ...spanOf(run), endedAt } },
        [
          {
            update: headKey(run),
            set: { ...kept.set, extractedSeq: run.seq },
            // Landed again, and taken in only now.
            remove: ['withdrawnAt', ...kept.remove],
            when: stillLocked(lock.owner),
          },
        ],
        ['problem'],
      )
      if (!told) throw new TryAgain('unzip_contended', `${run.key} was extracted, but the ledger changed meanwhile.`)
    } catch (error) {
      if (!(error instanceof LandfallError) || error.retryable) {
        // Now it is true, and all who are told of ends hear of it.
        const problem = error instanceof OutOfTime ? notExtracted(run, error.message) : given.problem
        if (lastReceive) await ledger.update(run, { ...given, problem, endedAt: ledger.instant() }, [], [], still)
        throw error
      }
      const problem = { code: error.code, message: error.message }
      const state = GAVE_WAY.includes(error.code) ? 'superseded' : error instanceof Refused ? 'refused' : 'failed'
      lock.check()
      if (state === 'refused') await recordRefusal(deps, { ...run, problem })
      await ledger.update(run, { state, problem, endedAt: ledger.instant() }, [], [], still)
      return
    }
    await forgetLines(ledger.table, run, 'head-', list)
    await leaveLanding(deps, run)
  })
}

/** @param words of the last attempt */
const notExtracted = ({ key }: Run, words = '') => ({
  code: 'unzip_failed',
  message: `${words && `${words} `}${key} could not be extracted in several attempts. ${IN_QUEUE}`,
})

/** Only `failed` is tried again by another message: a redriven one. */
const isOpen = (run: Run) => !hasEnded(run.state) || run.state === 'failed'

const GAVE_WAY = ['gone', 'withdrawn']
class Withdrawn extends LandfallError {
  constructor(key: string) {
    const message = `All that ${key} holds was withdrawn, or has landed by itself since: no replay or rerun brings it back. Land it again, if it is wanted.`
    super('withdrawn', message, { retryable: false })
  }
}

/** Whether this version has been extracted before: then a replay or rerun brings nothing new. */
const isExtracted = async (ledger: Ledger, run: Run): Promise<boolean> =>
  (await ledger.runs(run)).some(({ versionId, state }) => versionId === run.versionId && state === 'extracted')

type Extracted = Pick<Run, 'skipped' | 'archived'> & {
  members: MemberLine[]
  /** Of the version before, and not taken out with it. */
  still: MemberLine[]
}

/** @param list where to keep what the zip may have by now, if that is much */
async function unzip(
  deps: UnzipDeps,
  run: Run,
  before: MemberLine[],
  known: LeftOut[],
  judge: Judge,
  lock: Lease,
  list: string,
): Promise<Extracted> {
  const { ledger, objects, rawBucket, contracts } = deps
  const { bucket, bytes, dataset, runId } = run
  // Kept under another key, once it has been extracted.
  const { key, versionId, etag } = run.archived ?? run
  const contract = contracts.get(dataset)
  if (!contract) throw new Error(`The contract of ${dataset} is gone`)
  const lineOf = (member: { name: string; key: string; bytes: number }): MemberLine => ({
    ...member,
    sourceId: sourceIdOf(member.key),
  })

  const to = { bucket: rawBucket, prefix: memberFolderOf(dataset, run.key) }
  const out = [...known]
  const isKnown = new Set(before.map((member) => member.key))
  const { members, skipped } = await extract(
    deps.s3,
    { bucket, key, versionId, etag, bytes },
    to,
    contract.limits,
    async (ready) => {
      await pMap(
        ready,
        (member) => {
          lock.check()
          const source = { dataset, sourceId: sourceIdOf(member.key), bucket: rawBucket, key: member.key }
          return ledger.noteMember(source, { key: run.key, runId })
        },
        { concurrency: 8 },
      )
      // What a crash after the first completion leaves must be known to the next version, to be withdrawn by it.
      const members = union(before, ready.map(lineOf))
      const { set, remove } = await keepLines(ledger.table, run, list, { members })
      lock.check()
      await ledger.table.write([{ update: headKey(run), set, remove }])
    },
    {
      badMembers: contract.zip.badMembers,
      leftOut: async (all) => {
        out.push(...(await judge(all.filter((member) => !isKnown.has(member.key)).map(lineOf))))
        return new Map(out.map(({ member, reason }) => [member.key, reason]))
      },
      time: deps.time,
      check: lock.check,
    },
  )

  const lines = members.map(({ name, key, bytes, versionId }) => ({ ...lineOf({ name, key, bytes }), versionId }))
  const still = [...out.map(({ member }) => member), ...badNow(before, skipped)]
  await withdrawMissing(deps, dataset, before, [...lines, ...still], lock)
  const done = { members: lines, skipped: await withWhatStays(deps, dataset, before, skipped), still }
  if (run.archived) return done
  const archive = { bucket, key: key.replace(/^landing\//, 'old-data/') }
  lock.check()
  const kept = await objects.copy({ bucket, key, versionId, etag, bytes }, archive)
  return {
    ...done,
    archived: { key: archive.key, versionId: kept.versionId ?? 'null', etag: kept.etag },
  }
}

const spanOf = (run: Run) => run.spanUnzip ?? { queuedAt: run.landedAt }

const union = (before: MemberLine[], now: MemberLine[]): MemberLine[] => {
  const keys = new Set(now.map(({ key }) => key))
  return [...now, ...before.filter(({ key }) => !keys.has(key))]
}

/** A member that is there, but bad, leaves the last good version of it in place. */
function badNow(before: MemberLine[], skipped: Skipped[]): MemberLine[] {
  const bad = new Set(skipped.flatMap(({ code, key }) => (code && key ? key : [])))
  return before.filter(({ key }) => bad.has(key))
}

/** Says of what was skipped as bad whether the table still has rows of the version before. */
async function withWhatStays(
  { ledger }: UnzipDeps,
  dataset: string,
  before: MemberLine[],
  skipped: Skipped[],
): Promise<NonNullable<Run['skipped']>> {
  const known = new Map(badNow(before, skipped).map(({ key, sourceId }) => [key, sourceId]))
  return await pMap(
    skipped,
    async ({ key = '', ...line }) => {
      const sourceId = known.get(key)
      const head = sourceId === undefined ? undefined : await ledger.head({ dataset, sourceId })
      return { ...line, ...(head?.deliveryRun && { stays: true }) }
    },
    { concurrency: 16 },
  )
}

/** A newer version of a zip takes out the sources that its predecessor had and it lacks. */
async function withdrawMissing(deps: UnzipDeps, dataset: string, before: MemberLine[], now: MemberLine[], lock: Lease) {
  const { objects, rawBucket, processingBucket, deliveryBucket } = deps
  const kept = new Set(now.map(({ key }) => key))
  for (const { key, sourceId } of before.filter((member) => !kept.has(member.key))) {
    // First the raw object: then no run of it that is still at work can publish after this.
    const isThere = await objects.head(rawBucket, key)
    lock.check()
    if (isThere) await objects.remove(rawBucket, [key])
    await withdraw(deps, { dataset, sourceId }, { processing: processingBucket, delivery: deliveryBucket })
  }
}

/**
 * Takes out what was read, and not what may have landed under the key since. After the ledger was told: a zip that is
 * gone from here cannot be read again, so whatever died before would look like a zip that nobody extracted.
 */
const leaveLanding = ({ objects }: UnzipDeps, { bucket, key, versionId }: Run): Promise<void> =>
  objects.removeVersion(bucket, key, versionId)

async function moveCsv({ ledger, objects, rawBucket }: UnzipDeps, run: Run, lock: Lease): Promise<Extracted> {
  const { bucket, key, versionId, etag, bytes, dataset, runId } = run
  const to = key.replace(/^landing\//, 'data/')
  const sourceId = sourceIdOf(to)
  await ledger.noteMember({ dataset, sourceId, bucket: rawBucket, key: to }, { key, runId })
  lock.check()
  const copy = await objects.copy({ bucket, key, versionId, etag, bytes }, { bucket: rawBucket, key: to })
  return { members: [{ name: key, key: to, sourceId, bytes, versionId: copy.versionId ?? 'null' }], still: [] }
}
