import { LIVE } from '../ledger/causes.ts'
import { runIdOf } from '../ledger/ids.ts'
import { cameIn } from '../ledger/lineage.ts'
import { hasEnded, type Run } from '../ledger/run.ts'
import { segmentIdOf, traceIdOf } from './ids.ts'
import { type Journey, journeyOf, type Leg, type Part } from './journey.ts'

type Value = string | number | boolean
type Thrown = { exceptions: { id: string; message: string; type: string }[] }
type Common = {
  id: string
  name: string
  /** Seconds, with milliseconds behind the point. */
  start_time: number
  end_time?: number
  in_progress?: true
  /** Ours: it failed. */
  fault?: true
  /** The file's: it was refused. */
  error?: true
  /** The exceptions, or the id of one that another segment has. */
  cause?: Thrown | string
  metadata?: { landfall: Record<string, unknown> }
  subsegments?: Subsegment[]
}
export type Subsegment = Common & { namespace?: 'remote' }
/** https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html */
export type Segment = Common & { trace_id: string; parent_id?: string; annotations?: Record<string, Value> }

/** Documented: of a name, of an annotation's value. */
const NAME_CHARACTERS = 200
const ANNOTATION_CHARACTERS = 1000
/** Ours: a document may have 64 KB, and a trace that takes minutes a good deal less. */
const MESSAGE_CHARACTERS = 2000

/**
 * A run as X-Ray shows it: one trace, whose root is the whole journey and below it a segment for each stage, with the parts of
 * its time. A run that has not ended is in progress.
 * @param zip the run of the zip that it came in, whose extraction is the first stage of the journey
 */
export function traceOf(run: Run, zip?: Run): Segment[] {
  const journey = journeyOf(run, zip)
  const of = zip && cameIn(run, zip) ? zip : undefined
  const trace_id = traceIdOf(run)
  const id = segmentIdOf(run.runId, '')
  const ended = outcome(run)
  const { legs, clamped } = journey
  const root: Segment = {
    trace_id,
    id,
    name: nameOf(`landfall ${run.dataset}`),
    ...times(journey),
    ...ended?.flag,
    ...(ended && { cause: legs.length > 0 ? ended.id : ended.thrown }),
    annotations: annotations(run, of, run.cause === LIVE && zip && !of ? undefined : run.zip),
    metadata: metadata({
      key: run.key,
      bucket: run.bucket,
      versionId: run.versionId,
      bytes: run.bytes,
      landedAt: run.landedAt,
      problem: run.problem && { ...run.problem, message: cut(run.problem.message, MESSAGE_CHARACTERS) },
      clamped: clamped.length > 0 ? clamped : undefined,
    }),
  }
  return [
    root,
    ...legs.map((leg, i) =>
      stageSegment(run, leg, { trace_id, parent_id: id }, i === legs.length - 1 ? ended : undefined),
    ),
  ]
}

type Ended = { flag: { fault: true } | { error: true }; id: string; thrown: Thrown; code: string }

/** Superseded is neither a fault nor an error: another run has done what this one was for. */
function outcome({ runId, state, problem, endedAt }: Run): Ended | undefined {
  if ((state !== 'failed' && state !== 'refused') || endedAt === undefined) return undefined
  const { code, message } = problem ?? { code: state, message: `The run was ${state}.` }
  const id = segmentIdOf(runId, 'exception')
  return {
    flag: state === 'failed' ? { fault: true } : { error: true },
    id,
    thrown: { exceptions: [{ id, type: code, message: cut(message, MESSAGE_CHARACTERS) }] },
    code,
  }
}

function stageSegment(run: Run, leg: Leg, of: Pick<Segment, 'trace_id' | 'parent_id'>, ended?: Ended): Segment {
  const { name, batch, jobRunId, clamped } = leg
  const about = metadata({ batch, jobRunId, clamped: clamped.length > 0 ? clamped : undefined })
  return {
    ...of,
    id: segmentIdOf(run.runId, name),
    name,
    ...times(leg),
    ...ended?.flag,
    ...(ended && { cause: ended.thrown }),
    ...(about && { metadata: about }),
    subsegments: leg.parts.map((part) => subsegment(run, leg, part, name, ended)),
  }
}

function subsegment(run: Run, leg: Leg, part: Part, above: string, ended?: Ended): Subsegment {
  const place = `${above}/${part.name}`
  const failed = part.name === 'job' && ended?.code === `${leg.name}_job_failed`
  const about = part.name === 'job' ? metadata({ jobRunId: leg.jobRunId, batch: leg.batch }) : undefined
  return {
    id: segmentIdOf(run.runId, place),
    name: part.name,
    ...times(part),
    ...(part.outside && { namespace: 'remote' as const }),
    ...(failed && { ...ended.flag, cause: ended.id }),
    ...(about && { metadata: about }),
    ...(part.parts && { subsegments: part.parts.map((inner) => subsegment(run, leg, inner, place)) }),
  }
}

const times = ({ from, to }: Pick<Journey, 'from' | 'to'>) => ({
  start_time: from / 1000,
  ...(to === undefined ? { in_progress: true as const } : { end_time: to / 1000 }),
})

/**
 * What X-Ray can search for; at most 50 of a trace.
 * @param tied a zip that its source has come in, whether this run did or repeats one that did
 */
function annotations(run: Run, zip: Run | undefined, tied: Run['zip']): Record<string, Value> {
  const { dataset, sourceId, runId, state, rowsIn, accepted, rejected, contractVersion } = run
  const cause = (zip ?? run).cause
  return defined({
    dataset,
    sourceId,
    runId,
    state,
    rowsIn,
    accepted,
    rejected,
    cause,
    replay: cause !== LIVE,
    original: originalOf(run),
    contractVersion: contractVersion ?? (accepted === undefined ? undefined : 1),
    problem: hasEnded(state) ? run.problem?.code : undefined,
    // A zip has its own, too: one search finds it with all that came in it.
    zipRunId: run.kind === 'zip' ? runId : tied?.runId,
    zip: run.kind === 'zip' ? run.key : tied?.key,
    members: run.members?.length,
  })
}

/** Of a replay or rerun: the run whose typed rows it took, or whose rows the table had; else the landing's own. */
function originalOf({ cause, typedBy, replaces, key, versionId }: Run): string | undefined {
  if (cause === LIVE) return undefined
  // What was gone when it was looked at has no version, and is a repetition of nothing.
  const landing = versionId === 'null' ? undefined : runIdOf(key, versionId, LIVE)
  return typedBy?.runId ?? replaces?.runId ?? landing
}

const defined = (values: Record<string, Value | undefined>): Record<string, Value> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? cut(value, ANNOTATION_CHARACTERS) : value]],
    ),
  )

function metadata(about: Record<string, unknown>): Common['metadata'] {
  const known = Object.entries(about).filter(([, value]) => value !== undefined)
  return known.length === 0 ? undefined : { landfall: Object.fromEntries(known) }
}

/** A dataset's name may be a folder's that no contract knows, with any character in it. */
const nameOf = (text: string): string => cut(text.replaceAll(/[^\p{L}\p{N}\s_.:/%&#=+\\\-@]/gu, '_'), NAME_CHARACTERS)

/** Never half of a character. */
const cut = (text: string, most: number): string =>
  text.length <= most ? text : text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')
