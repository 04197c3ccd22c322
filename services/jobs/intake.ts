import type { S3ObjectEvent } from '../../events/s3-object.ts'
import { inWords } from '../lambda/errors.ts'
import { MAX_RECEIVES } from '../lambda/receives.ts'
import { datasetOf, runIdOf, sourceIdOf } from '../ledger/ids.ts'
import { type Ending, type Ledger, supersededBy } from '../ledger/ledger.ts'
import { hasEnded, type Landed, type Run } from '../ledger/run.ts'
import type { ObjectHead, Objects } from './objects.ts'

export type IntakeDeps = { ledger: Ledger; objects: Objects; quarantineBucket: string }

/** Where objects go whose folder names no dataset at all: `landing/x.zip`. */
const NO_DATASET = 'unknown'
/** Failed before anyone could look at the object. A redriven message finds it open. */
const NOT_TAKEN_IN = 'not_taken_in'

/**
 * Enters what landed in the books: as a run to be worked on, as one that ended at once (refused by `judge`, superseded
 * or gone), or, for an event seen before, as the run that it already is.
 *
 * @param lastReceive afterwards the message goes to the DLQ: then what cannot even be looked at is in the books as failed
 * @returns undefined for keys that are folders.
 */
export async function takeIn(
  deps: IntakeDeps,
  event: S3ObjectEvent,
  kind: Run['kind'],
  cause: string,
  judge: (key: string, dataset: string | undefined) => Ending | undefined,
  lastReceive = false,
): Promise<Run | undefined> {
  const { ledger, objects } = deps
  const { bucket, object } = event.detail
  const { key } = object
  if (key.endsWith('/')) return undefined
  const dataset = datasetOf(key)
  const named = object['version-id']
  if (named) {
    // A zip that has been archived is no longer under its key: the ledger must be asked first.
    const ref = { dataset: dataset ?? NO_DATASET, sourceId: sourceIdOf(key), runId: runIdOf(key, named, cause) }
    const known = await ledger.run(ref)
    if (known && hasEnded(known.state) && known.problem?.code !== NOT_TAKEN_IN) {
      // A crash may have come between the two; a second time writes the same words.
      if (known.state === 'refused') await recordRefusal(deps, known)
      return known
    }
  }
  const landedAs = (current?: ObjectHead): Landed => ({
    bucket: bucket.name,
    key,
    versionId: named ?? current?.versionId ?? 'null',
    etag: current?.etag ?? object.etag ?? '',
    bytes: current?.bytes ?? object.size ?? 0,
    landedAt: new Date(event.time).toISOString(),
    ...(object.sequencer && { sequencer: object.sequencer }),
  })
  const end = judge(key, dataset)
  let current: ObjectHead | undefined
  try {
    current = await objects.head(bucket.name, key)
  } catch (error) {
    // What is refused by its name need not be looked at.
    if (!end) {
      if (lastReceive) await ledger.register(kind, dataset ?? NO_DATASET, landedAs(), cause, unseen(key, error))
      throw error
    }
  }
  const landed = landedAs(current)
  const ending = end ?? fate(landed, current?.versionId)
  const { run, fresh } = await ledger.register(kind, dataset ?? NO_DATASET, landed, cause, ending)
  if (!fresh && kind === 'csv' && run.problem?.code === NOT_TAKEN_IN) return await ledger.reopen(run, landed, ending)
  if (run.state === 'refused') await recordRefusal(deps, run)
  return run
}

const unseen = (key: string, error: unknown): Ending => ({
  state: 'failed',
  problem: {
    code: NOT_TAKEN_IN,
    message: `${key} landed, but could not be looked at in ${MAX_RECEIVES} attempts (${inWords(error)}). Its message is in the dead-letter queue: mend the cause and redrive it, or land the file again.`,
  },
})

function fate({ key, versionId }: Landed, current: string | undefined): Ending | undefined {
  if (current === undefined)
    return {
      state: 'refused',
      problem: { code: 'gone', message: `${key} was deleted before it could be read. Land it again.` },
    }
  return current === versionId ? undefined : supersededBy(key)
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
