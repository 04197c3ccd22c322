import pMap from 'p-map'
import { causedRuns } from '../ledger/causes.ts'
import { listedAt, type Range } from '../ledger/listing.ts'
import { hasEnded, type Run, type RunState } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'

export const RUN_STATES = [
  'extracting',
  'queued',
  'converted',
  'published',
  'extracted',
  'delivered',
  'refused',
  'failed',
  'superseded',
] as const satisfies RunState[]
/** A state, or one of two words for several. */
export const STATE_WORDS = [...RUN_STATES, 'open', 'ended'] as const
export type StateWord = (typeof STATE_WORDS)[number]

export type RunFilter = {
  dataset?: string
  /** Any of them. @default all */
  states?: StateWord[]
  /** Registered then or later, and before then. */
  since?: Date
  until?: Date
  /** Source id, key, or part of one of them. */
  source?: string
  /** Name of the replay or rerun that caused them. */
  cause?: string
}

/** `next` continues where this page ended; it is there while older runs have not been looked at. */
export type RunPage = { runs: Run[]; next?: string; lookedAt: number; backTo?: string }

/** A page looks at no more runs than this, however few of them fit: it costs what reading that many costs. */
const MOST_LOOKED_AT = 5000

const isIn = (state: RunState, word: StateWord) =>
  word === 'open' ? !hasEnded(state) : word === 'ended' ? hasEnded(state) : state === word

const fits = (run: Run, { dataset, states, source }: RunFilter) =>
  (dataset === undefined || run.dataset === dataset) &&
  (!states?.length || states.some((word) => isIn(run.state, word))) &&
  (source === undefined || run.sourceId.includes(source) || run.key.includes(source))

type Deps = Pick<Landfall, 'ledger' | 'listing'>

/** What a cause has caused stands below it in the ledger: few are read, and the index's lag is none of theirs. */
async function newestOf({ ledger }: Pick<Deps, 'ledger'>, cause: string, { from = '', before = '~' }: Range) {
  const found = await pMap(await causedRuns(ledger, cause), (ref) => ledger.run(ref), { concurrency: 16 })
  const placed = found.flatMap((run) => (run ? [{ run, at: listedAt(run) }] : []))
  return placed
    .filter(({ at }) => at >= from && at < before)
    .sort((a, b) => (a.at < b.at ? 1 : -1))
    .map(({ run }) => run)
}

/** Runs, newest first, a page at a time. The index by time lags behind the ledger by moments. */
export async function listRuns(
  { ledger, listing }: Deps,
  filter: RunFilter,
  { limit, next, most = MOST_LOOKED_AT }: { limit: number; next?: string; most?: number },
): Promise<RunPage> {
  const runs: Run[] = []
  let last: Run | undefined
  let lookedAt = 0
  const range = { from: filter.since?.toISOString(), before: next ?? filter.until?.toISOString() }
  const newest = filter.cause === undefined ? listing.newest(range) : await newestOf({ ledger }, filter.cause, range)
  for await (const run of newest) {
    if (runs.length === limit || lookedAt === most)
      return { runs, lookedAt, ...(last && { next: listedAt(last), backTo: last.registeredAt }) }
    last = run
    lookedAt++
    if (fits(run, filter)) runs.push(run)
  }
  return { runs, lookedAt, ...(last && { backTo: last.registeredAt }) }
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

/**
 * An instant as people write it: `2h` or `3d` ago, or ISO 8601. Without a zone it is UTC, as everything else here.
 * @returns undefined for what is neither
 */
export function parseInstant(text: string, now: Date): Date | undefined {
  const [, number, unit] = /^(\d+)\s*([smhdw])$/.exec(text) ?? []
  if (number && unit) return new Date(now.getTime() - Number(number) * UNITS[unit as keyof typeof UNITS])
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/.test(text))
    return undefined
  const zoned = text.length === 10 || /(?:Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10)) ? text : `${text}Z`
  const instant = new Date(zoned.replace(' ', 'T'))
  return Number.isNaN(instant.getTime()) ? undefined : instant
}
