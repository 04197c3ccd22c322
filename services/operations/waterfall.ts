/** What is read of a segment's document, ours or X-Ray's. Seconds. */
export type Document = {
  id: string
  name: string
  parent_id?: string
  /** Made by X-Ray, for what a remote subsegment has called. */
  inferred?: boolean
  start_time: number
  end_time?: number
  fault?: boolean
  error?: boolean
  cause?: { exceptions?: { type?: string; message?: string }[] } | string
  metadata?: { landfall?: { clamped?: string[] } }
  subsegments?: Document[]
}

/** What time goes into: the words of the parts of a stage, and what of a run is in no part. */
export const SHARES = [
  'waiting',
  'starting',
  'working',
  'job',
  'publishing',
  'settling',
  'crawl',
  'comparing',
  'between',
] as const
export type Share = (typeof SHARES)[number]

/** Epoch milliseconds. One without an end is still going on. */
export type Bar = {
  name: string
  depth: number
  from: number
  to?: number
  /** Undefined for what is only the sum of its parts. */
  share?: Share
  failed?: 'fault' | 'error'
  /** Why, in words: of the bar in which it was first seen. */
  why?: string
}

export type Waterfall = {
  from: number
  to?: number
  bars: Bar[]
  /** They add up to all of the time. */
  shares: { share: Share; took: number }[]
  /** Instants that could not be as their clocks said, and are drawn where they could be. */
  clamped: string[]
}

/** Of a moment in which several go on, the time is that of the first of these. */
const FIRST: Share[] = ['working', 'publishing', 'settling', 'crawl', 'comparing', 'starting', 'job', 'waiting']

/** @param now epoch milliseconds, up to which it is drawn while it goes on */
export function waterfallOf(all: Document[], now: number): Waterfall | undefined {
  // They would show the same time once more.
  const documents = all.filter(({ inferred }) => !inferred)
  const ids = new Set(documents.flatMap(idsOf))
  const isRoot = ({ parent_id }: Document) => parent_id === undefined || !ids.has(parent_id)
  const roots = inOrder(documents.filter(isRoot))
  if (roots.length === 0) return undefined
  const stages = inOrder(documents.filter((document) => !isRoot(document)))
  // The root of a run is all of it: it is said in words, not drawn.
  const bars = (stages.length > 0 ? [...roots.slice(1), ...stages] : roots).flatMap((document) => barsOf(document, 0))
  const ends = [...documents.map(endOf), ...bars.map(({ to }) => to)]
  const from = Math.min(...documents.map(({ start_time }) => milliseconds(start_time)))
  const open = ends.includes(undefined)
  const to = open ? undefined : Math.max(...ends.map((end) => end ?? now))
  const shares = sharesOf(bars, from, to ?? Math.max(now, from))
  const clamped = documents.flatMap(({ name, metadata }) =>
    (metadata?.landfall?.clamped ?? []).map((instant) => `${instant} of ${name}`),
  )
  return { from, ...(to !== undefined && { to }), bars, shares, clamped }
}

const idsOf = ({ id, subsegments = [] }: Document): string[] => [id, ...subsegments.flatMap(idsOf)]
const milliseconds = (seconds: number) => Math.round(seconds * 1000)
const endOf = ({ end_time }: Document) => (end_time === undefined ? undefined : milliseconds(end_time))
const inOrder = (documents: Document[]) => documents.toSorted((a, b) => a.start_time - b.start_time)

function barsOf(document: Document, depth: number): Bar[] {
  const { name, start_time, fault, error, subsegments = [] } = document
  const to = endOf(document)
  const share = shareOf(name, subsegments.length > 0)
  const failed = fault ? 'fault' : error ? 'error' : undefined
  const why = whyOf(document)
  const bar: Bar = {
    name,
    depth,
    from: milliseconds(start_time),
    ...(to !== undefined && { to }),
    ...(share && { share }),
    ...(failed && { failed }),
    ...(failed && why && { why }),
  }
  return [bar, ...inOrder(subsegments).flatMap((inner) => barsOf(inner, depth + 1))]
}

/** A file that is on its way to a stage waits, too. */
function shareOf(name: string, hasParts: boolean): Share | undefined {
  if (name === 'arriving') return 'waiting'
  const known = SHARES.find((share) => share === name)
  return known ?? (hasParts ? undefined : 'working')
}

/** Where the document only names another's exception, that one has the words. */
function whyOf({ cause }: Document): string | undefined {
  const [exception] = typeof cause === 'object' ? (cause.exceptions ?? []) : []
  return exception && [exception.type, exception.message].filter((word) => word !== undefined).join(': ')
}

/** Each moment is counted once, however many bars go over it. */
function sharesOf(bars: Bar[], from: number, to: number): Waterfall['shares'] {
  const parts = bars.flatMap(({ share, ...bar }) => (share ? [{ share, from: bar.from, to: bar.to ?? to }] : []))
  const moments = [...new Set([from, to, ...parts.flatMap((part) => [part.from, part.to])])]
    .filter((moment) => moment >= from && moment <= to)
    .sort((a, b) => a - b)
  const took = new Map<Share, number>()
  for (const [i, start] of moments.entries()) {
    const end = moments[i + 1]
    if (end === undefined) break
    const over = parts.filter((part) => part.from <= start && part.to >= end)
    const share = FIRST.find((first) => over.some((part) => part.share === first)) ?? 'between'
    took.set(share, (took.get(share) ?? 0) + end - start)
  }
  return SHARES.flatMap((share) => (took.has(share) ? [{ share, took: took.get(share) ?? 0 }] : []))
}
