import type { z } from 'zod'
import type { RerunAsked } from '../../events/rerun-asked.ts'
import type { S3ObjectEvent } from '../../events/s3-object.ts'
import { inWords } from '../lambda/errors.ts'
import { MAX_RECEIVES, onItsWayMs } from '../lambda/receives.ts'
import { isMeant, isRerun, LIVE } from '../ledger/causes.ts'
import { fingerprintsOf, type SameContent } from '../ledger/content.ts'
import { type Ending, supersededBy } from '../ledger/endings.ts'
import { datasetOf, runIdOf, sourceIdOf } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { fits, openRerun, type RerunFilter, type RerunRow, rowAgain, rowWithoutRun } from '../ledger/reruns.ts'
import { hasEnded, type Landed, type Run, type SourceRef } from '../ledger/run.ts'
import { IN_QUEUE } from '../letters/words.ts'
import type { ObjectHead, Objects } from './objects.ts'

export type IntakeDeps = { ledger: Ledger; objects: Objects; quarantineBucket: string }

/** What a stage is told of an object: by S3 as it landed, by a replay of that, or by a rerun, which knows only the key. */
export type Arrival = {
  bucket: string
  key: string
  cause: string
  /** What S3's event says. */
  event?: Pick<Landed, 'landedAt' | 'sequencer'> & { versionId?: string; etag?: string; bytes?: number }
  /** What a rerun was asked for. */
  filter?: RerunFilter
  /** Afterwards the message goes to the DLQ: then what cannot even be looked at is in the books as failed. */
  lastReceive?: boolean
}

export function arrivalOf({ detail, time }: S3ObjectEvent, cause: string, lastReceive = false): Arrival {
  const { bucket, object } = detail
  return {
    bucket: bucket.name,
    key: object.key,
    cause,
    lastReceive,
    event: {
      landedAt: new Date(time).toISOString(),
      versionId: object['version-id'],
      etag: object.etag,
      bytes: object.size,
      sequencer: object.sequencer,
    },
  }
}

export const rerunArrival = ({ detail }: z.output<typeof RerunAsked.schema>, lastReceive = false): Arrival => ({
  bucket: detail.bucket,
  key: detail.key,
  cause: detail.rerun,
  filter: { only: detail.only, since: detail.since },
  lastReceive,
})

/** Where objects go whose folder names no dataset at all: `landing/x.zip`. */
const NO_DATASET = 'unknown'
/** Failed before anyone could look at the object. A redriven message finds it open. */
const NOT_TAKEN_IN = 'not_taken_in'

/** Of the version that is meant: what is there by now may be another. */
const contentOf = (event: Arrival['event'], current: ObjectHead | undefined): Pick<Landed, 'etag' | 'bytes'> => ({
  etag: current?.etag ?? event?.etag ?? '',
  bytes: current?.bytes ?? event?.bytes ?? 0,
})

type Judge = (key: string, dataset: string | undefined) => Ending | undefined

/**
 * Enters what arrived in the books: as a run to be worked on, as one that ended at once (refused by `judge`, superseded
 * or gone), or, for an event seen before, as the run that it already is.
 *
 * @param mode what a file of the dataset gets whose bytes another source has landed; none where that does not matter
 * @returns undefined for keys that are folders, and for what a replay or rerun is not meant for.
 */
export async function takeIn(
  deps: IntakeDeps,
  arrival: Arrival,
  kind: Run['kind'],
  judge: Judge,
  mode?: (dataset: string) => SameContent | undefined,
): Promise<Run | undefined> {
  const { ledger, objects } = deps
  const { bucket, key, cause, event, lastReceive } = arrival
  const dataset = datasetOf(key)
  if (key.endsWith('/') || !(await meant(ledger, arrival))) return await nothingToDo(ledger, arrival)
  const source = { dataset: dataset ?? NO_DATASET, sourceId: sourceIdOf(key) }
  const named = event?.versionId
  if (named) {
    // A zip that has been archived is no longer under its key: the ledger must be asked first.
    const known = await ledger.run({ ...source, runId: runIdOf(key, named, cause) })
    if (known && hasEnded(known.state) && !isUnseen(known)) {
      // A crash may have come between the two; a second time writes the same words.
      if (known.state === 'refused') await recordRefusal(deps, known)
      return known
    }
  }
  const mine = isRerun(cause) ? await runOfRerun(ledger, source, cause) : undefined
  // A second event of the same key, which may have another version or none by now: a rerun has one run of each.
  if (mine && (await isNamesakes(ledger, mine)))
    return void (await ledger.table.write(rowWithoutRun(cause, nameUsed(mine))))
  if (mine) {
    if (mine.state === 'refused') await recordRefusal(deps, mine)
    await ledger.table.write(rowAgain(mine))
    return mine
  }
  const landedAs = (current?: ObjectHead): Landed => ({
    bucket,
    key,
    versionId: named ?? current?.versionId ?? 'null',
    ...contentOf(event, named && current?.versionId !== named ? undefined : current),
    landedAt: event?.landedAt ?? (current?.modified ?? ledger.now()).toISOString(),
    ...(event?.sequencer && { sequencer: event.sequencer }),
  })
  const end = judge(key, dataset)
  let current: ObjectHead | undefined
  try {
    current = await objects.head(bucket, key)
  } catch (error) {
    // What is refused by its name need not be looked at.
    if (!end) {
      if (lastReceive) await ledger.register(kind, source.dataset, landedAs(), cause, unseen(key, error))
      throw error
    }
  }
  // Of a live event of what is there, nothing else has to be known.
  const before = cause === LIVE && current ? [] : await ledger.runs(source)
  if (arrival.filter && !fits(arrival.filter, before, cause, current?.modified))
    return await nothingToDo(ledger, arrival)
  if (kind === 'zip' && isRerun(cause) && isOnItsWay(ledger, before, current)) return await nothingToDo(ledger, arrival)
  const kept = cause === LIVE || end ? undefined : keptCopy(before, named, current)
  const landed = kept?.landed ?? { ...landedAs(current), ...orderOf(before, named ?? current?.versionId) }
  const ending = end ?? (kept ? undefined : fate(landed, current?.versionId, arrival, before))
  const same = mode?.(source.dataset)
  const bytes = same && current && { prints: fingerprintsOf(current), mode: same }
  const { run, fresh } = await ledger.register(kind, source.dataset, landed, cause, ending, { as: kept?.as, bytes })
  if (!fresh && kind === 'csv' && isUnseen(run)) {
    const again = await ledger.reopen(run, landed, ending, bytes)
    if (again.state === 'refused') await recordRefusal(deps, again)
    return again
  }
  if (run.state === 'refused') await recordRefusal(deps, run)
  return run
}

/**
 * For whoever finds the message of an arrival given up, and no run of it: the function that should have entered it died each
 * time, or never got it. What has a newer version, or is gone, ends as that; the rest has failed.
 * @param how it came to be given up, in words
 */
export async function givenUp(deps: IntakeDeps, arrival: Arrival, kind: Run['kind'], how: string): Promise<Run> {
  const { ledger, objects } = deps
  const { bucket, key, cause, event } = arrival
  const source = { dataset: datasetOf(key) ?? NO_DATASET, sourceId: sourceIdOf(key) }
  const landed: Landed = {
    bucket,
    key,
    versionId: event?.versionId ?? 'null',
    etag: event?.etag ?? '',
    bytes: event?.bytes ?? 0,
    landedAt: event?.landedAt ?? ledger.instant(),
    ...(event?.sequencer && { sequencer: event.sequencer }),
  }
  const message = `${key} landed, but ${how}. ${IN_QUEUE}`
  const failed: Ending = { state: 'failed', problem: { code: NOT_TAKEN_IN, message } }
  // A replay may be for what is kept elsewhere, and its landing has a run of its own.
  const isNow = async () => (await objects.head(bucket, key))?.versionId
  const ending = cause === LIVE ? fate(landed, await isNow(), arrival, await ledger.runs(source)) : undefined
  const { run } = await ledger.register(kind, source.dataset, landed, cause, ending ?? failed)
  if (run.state === 'refused') await recordRefusal(deps, run)
  return run
}

/**
 * A zip whose own event nobody has handled yet: a rerun that was quicker would archive it, and uncover the version before it,
 * of which then nobody could tell that it is not the newest.
 */
function isOnItsWay({ now }: Ledger, before: Run[], current: ObjectHead | undefined): boolean {
  if (!current || before.some(({ versionId }) => versionId === current.versionId)) return false
  return now().getTime() - current.modified.getTime() < onItsWayMs()
}

/** A rerun waits for each key that it listed: one that no run will end is ended here. */
async function nothingToDo({ table }: Ledger, { key, cause }: Arrival): Promise<undefined> {
  if (isRerun(cause)) await table.write(rowWithoutRun(cause, { key, state: 'skipped' }))
}

const isUnseen = ({ state, problem }: Run) => state === 'failed' && problem?.code === NOT_TAKEN_IN

/** One that failed before anyone could look is of no version: redriven, it begins anew. */
const runOfRerun = async (ledger: Ledger, source: SourceRef, rerun: string): Promise<Run | undefined> =>
  (await ledger.runs(source)).find((run) => run.cause === rerun && !isUnseen(run))

/** More than clocks differ. */
const SKEW_MS = 60_000

/** Step Functions lets a name be used again after 90 days, or by a machine that was made anew: the run is of the one before. */
async function isNamesakes(ledger: Ledger, { cause, dataset, registeredAt }: Run): Promise<boolean> {
  const open = await openRerun(ledger, dataset)
  return open?.rerun === cause && Date.parse(registeredAt) + SKEW_MS < Date.parse(open.startedAt)
}

const nameUsed = ({ key, cause, registeredAt }: Run): RerunRow => ({
  key,
  state: 'failed',
  problem: {
    code: 'rerun_name_used',
    message: `${key} was not run again: another rerun was named ${cause} before, and ran it at ${registeredAt}. Start it under a name that was never used.`,
  },
})

async function meant(ledger: Ledger, { key, cause, event }: Arrival): Promise<boolean> {
  if (cause === LIVE) return true
  const about = { key, version: event?.versionId, dataset: datasetOf(key), sourceId: sourceIdOf(key) }
  return isRerun(cause) || (await isMeant(ledger, cause, about))
}

/** A zip that was extracted is kept elsewhere: there a replay of its landing finds it. */
function keptCopy(before: Run[], versionId: string | undefined, current: ObjectHead | undefined) {
  if (current?.versionId === versionId) return undefined
  const run = before.find((each) => each.versionId === versionId && each.archived)
  if (!run) return undefined
  const { bucket, key, etag, bytes, landedAt, sequencer, archived } = run
  const landed: Landed = { bucket, key, versionId: run.versionId, etag, bytes, landedAt, sequencer }
  return { landed, as: { archived } }
}

/** A rerun does not know when a version came among others; a run that its own event has caused does. */
function orderOf(before: Run[], versionId: string | undefined): Pick<Landed, 'sequencer'> {
  const sequencer = before.find((run) => run.versionId === versionId && run.sequencer)?.sequencer
  return sequencer ? { sequencer } : {}
}

const unseen = (key: string, error: unknown): Ending => ({
  state: 'failed',
  problem: {
    code: NOT_TAKEN_IN,
    message: `${key} landed, but could not be looked at in ${MAX_RECEIVES} attempts (${inWords(error)}). ${IN_QUEUE}`,
  },
})

function fate(
  { key, versionId }: Landed,
  current: string | undefined,
  { cause }: Arrival,
  before: Run[],
): Ending | undefined {
  if (current === versionId) return undefined
  if (current !== undefined) return supersededBy(key)
  const done = before.find((run) => run.versionId === versionId && run.state === 'extracted')
  if (done) return takenOver(done)
  const message = `${key} was deleted before it could be read. Land it again.`
  // Nobody waits for what a replay or a rerun finds gone: its landing has a run of its own, which said what became of it.
  return { state: cause === LIVE ? 'refused' : 'superseded', problem: { code: 'gone', message } }
}

/** Gone from `landing/`, as another run of this version has taken it from there. */
function takenOver({ key, cause, archived, members = [] }: Run): Ending {
  if (archived) {
    const message = `${key} has been extracted already, by ${cause}.`
    return { state: 'superseded', problem: { code: 'superseded', message } }
  }
  const message = `${key} was moved to ${members[0]?.key} when it landed: a replay of convert, or a rerun, reads it there.`
  return { state: 'superseded', problem: { code: 'moved', message } }
}

/** The words for the file's owner, where people look who have no access to the ledger. */
export async function recordRefusal({ ledger, objects, quarantineBucket }: IntakeDeps, run: Run): Promise<void> {
  const { key, versionId, landedAt, endedAt, problem, dataset, sourceId, runId } = run
  await objects.putText(
    quarantineBucket,
    `refused/${dataset}/${sourceId}/${runId}.json`,
    JSON.stringify({ key, versionId, landedAt, refusedAt: endedAt ?? ledger.instant(), ...problem }, null, 2),
  )
}
