import type { Stage } from '../../events/replay.ts'
import { LIVE } from '../ledger/causes.ts'
import { cameIn } from '../ledger/lineage.ts'
import { hasEnded, type Run, type Span } from '../ledger/run.ts'
import { ordered } from './marks.ts'

/** Epoch milliseconds. What has no end is still going on. */
export type Stretch = { name: string; from: number; to?: number }
/** `outside`: what others do for us, a Glue job or a crawl. */
export type Part = Stretch & { outside?: true; parts?: Part[] }
export type Leg = Stretch & {
  name: Stage
  parts: Part[]
  jobRunId?: string
  batch?: string
  /** Instants that could not be as their clocks said, moved to where they could be. */
  clamped: string[]
}
/** One run from its beginning to its end, stage by stage. */
export type Journey = Pick<Stretch, 'from' | 'to'> & { legs: Leg[]; clamped: string[] }

type Plan = { name: Stage; span: Span; batch?: string; from?: number; end?: number }

const at = (instant: string | undefined) => (instant === undefined ? undefined : Date.parse(instant))
const open = (time: number) => (time === Number.POSITIVE_INFINITY ? undefined : time)

/** @param zip that it came in: ignored where it did not */
export function journeyOf(run: Run, zip?: Run): Journey {
  const of = zip && cameIn(run, zip) ? zip : undefined
  const first = of ?? run
  const registered = Date.parse(first.registeredAt)
  const landed = first.cause === LIVE ? Date.parse(first.landedAt) : registered
  const plans = plansOf(run, of)
  // A replay of `partition` is queued by the transaction that registers it, and says so a moment before.
  const from = Math.min(landed, registered, at(plans[0]?.span.queuedAt) ?? registered)
  const to = hasEnded(run.state)
    ? Math.max(from, at(run.endedAt) ?? Number.POSITIVE_INFINITY)
    : Number.POSITIVE_INFINITY
  const legs: Leg[] = []
  let last = from
  for (const [i, plan] of plans.entries()) {
    const next = plans[i + 1]
    const arrives = Math.min(last, plan.from ?? last)
    const end = Math.min(plan.end ?? at(plan.span.endedAt) ?? at(next?.span.queuedAt) ?? to, to)
    const settled = i === plans.length - 1 && ['failed', 'refused', 'superseded'].includes(run.state)
    const leg = legOf(plan, Math.max(from, Math.min(arrives, Date.parse(plan.span.queuedAt))), end, settled)
    legs.push(leg)
    last = leg.to ?? to
  }
  return { from, to: open(to), legs, clamped: landed > registered ? ['landedAt'] : [] }
}

function plansOf(run: Run, zip: Run | undefined): Plan[] {
  if (run.kind === 'zip') return run.spanUnzip ? [{ name: 'unzip', span: run.spanUnzip, end: at(run.endedAt) }] : []
  const { spanConvert, spanCatalog, convertBatch, partitionBatch } = run
  // Superseded before `partition` heard of it: it was on its way there.
  const unheard = run.state === 'superseded' && run.parts !== undefined && run.endedAt !== undefined
  const spanPartition = run.spanPartition ?? (unheard && spanConvert ? { queuedAt: run.endedAt ?? '' } : undefined)
  const plans: Plan[] = []
  if (zip?.spanUnzip) plans.push({ name: 'unzip', span: zip.spanUnzip, end: at(zip.endedAt) })
  // Of a zip that is still at work, it came out in the middle.
  const landed = run.cause === LIVE ? at(run.landedAt) : undefined
  if (spanConvert) plans.push({ name: 'convert', span: spanConvert, batch: convertBatch, from: landed })
  if (spanPartition) plans.push({ name: 'partition', span: spanPartition, batch: partitionBatch })
  if (spanCatalog) plans.push({ name: 'catalog', span: spanCatalog })
  return plans
}

function legOf({ name, span, batch }: Plan, from: number, end: number, settled: boolean): Leg {
  const marks = ordered(from, end, [
    ['queuedAt', at(span.queuedAt)],
    ['startedAt', at(span.startedAt)],
    ['jobStartedAt', at(span.jobStartedAt)],
    ['workStartedAt', at(span.workStartedAt)],
    ['workEndedAt', at(span.workEndedAt)],
    ['jobEndedAt', at(span.jobEndedAt)],
  ])
  const { queuedAt = from, startedAt, jobEndedAt } = marks.times
  const parts: Part[] = []
  const part = (name: string, from: number, to: number, more: Pick<Part, 'outside' | 'parts'> = {}) => {
    const stretch = { name, from, ...(open(to) !== undefined && { to }), ...more }
    parts.push(stretch)
  }
  if (queuedAt > from) part('arriving', from, queuedAt)
  const waited = startedAt ?? (name === 'catalog' ? jobEndedAt : undefined) ?? end
  if (waited > queuedAt) part('waiting', queuedAt, waited)
  if (name === 'unzip' && startedAt !== undefined) part('working', startedAt, end)
  if (name === 'catalog') {
    if (startedAt !== undefined) part('crawl', startedAt, jobEndedAt ?? end, { outside: true })
    if (jobEndedAt !== undefined) part('comparing', jobEndedAt, end)
  }
  if ((name === 'convert' || name === 'partition') && startedAt !== undefined)
    parts.push(...jobParts(marks.times, startedAt, end, settled ? 'settling' : 'publishing'))
  const { jobRunId } = span
  return {
    name,
    from,
    ...(open(end) !== undefined && { to: end }),
    parts,
    ...(jobRunId && { jobRunId }),
    ...(batch && { batch }),
    clamped: marks.clamped,
  }
}

type Times = Partial<Record<keyof Span, number>>

/** `starting` is until the job's own code began, so it goes on for a while beside the job run, which has to get machines. */
function jobParts(times: Times, startedAt: number, end: number, afterwards: string): Part[] {
  const { jobStartedAt, workStartedAt, workEndedAt, jobEndedAt } = times
  const stretch = (name: string, from: number, to: number): Part => ({
    name,
    from,
    ...(open(to) !== undefined && { to }),
  })
  const parts = [stretch('starting', startedAt, workStartedAt ?? jobStartedAt ?? jobEndedAt ?? end)]
  const begun = jobStartedAt ?? workStartedAt
  if (begun !== undefined) {
    const job: Part = { ...stretch('job', begun, jobEndedAt ?? end), outside: true }
    if (workStartedAt !== undefined) job.parts = [stretch('working', workStartedAt, workEndedAt ?? jobEndedAt ?? end)]
    parts.push(job)
  }
  if (jobEndedAt !== undefined) parts.push(stretch(afterwards, jobEndedAt, end))
  return parts
}
