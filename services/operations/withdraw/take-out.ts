import pMap from 'p-map'
import type { PublishDeps, Zones } from '../../jobs/publish.ts'
import { type Withdrawal, withdrawCsv, withdrawZip } from '../../jobs/withdraw.ts'
import { inWords, LandfallError } from '../../lambda/errors.ts'
import { headKey } from '../../ledger/run.ts'
import { asItIs, type Source } from './sources.ts'

/**
 * `landed_again`: a newer version came meanwhile and stays. `busy`: someone was at work on it all the time. `not_begun`: after
 * an interrupt, or after one that failed.
 */
export type Outcome = Exclude<Withdrawal, 'unknown'> | 'busy' | 'failed' | 'not_begun'
export type TakenOut = Source & { outcome: Outcome; why?: string }

export type TakeOutDeps = PublishDeps & { sleep: (ms: number) => Promise<void> }
export type TakeOut = {
  /** A source is being waited for, in words, or is done. */
  onProgress?: (source: Source, news: string | Outcome) => void
  /** Between two sources: what has been begun of one is finished. */
  signal?: AbortSignal
}

/** A publisher of a large source holds its lock about so long. */
const PATIENCE_MS = 120_000
const STEP_MS = 1_000

/**
 * Takes sources out one after the other: a zip before its members, so that no replay extracts it meanwhile. Begun again, it
 * does what is left.
 * @returns all of them, and after them what came out of the zip since they were looked for
 */
export async function takeOut(
  deps: TakeOutDeps,
  sources: Source[],
  zones: Zones,
  { onProgress, signal }: TakeOut = {},
): Promise<TakenOut[]> {
  const done: TakenOut[] = []
  let zip: TakenOut | undefined
  const all = [...sources]
  for (const source of all) {
    const over = signal?.aborted || done.some(({ outcome }) => outcome === 'failed')
    const result = over ? NOT_BEGUN : await takeOutOne(deps, source, zones, zip, { onProgress, signal })
    const taken = { ...source, ...result }
    if (source.kind === 'zip') zip = taken
    if (source.kind === 'zip' && taken.outcome === 'withdrawn')
      all.push(...(await extractedSince(deps, source, sources)))
    if (taken.outcome !== 'not_begun') onProgress?.(source, taken.outcome)
    done.push(taken)
  }
  return done
}

/** It may have been at work when its members were looked for; from when it was withdrawn on, it has no more. */
async function extractedSince({ ledger }: TakeOutDeps, zip: Source, known: Source[]): Promise<Source[]> {
  const keys = new Set(known.map(({ key }) => key))
  const since = ((await ledger.head(zip))?.members ?? []).filter(({ key }) => !keys.has(key))
  const { dataset } = zip
  const found = await pMap(since, ({ key, sourceId }) => asItIs({ ledger }, { kind: 'csv', key, dataset, sourceId }), {
    concurrency: 16,
  })
  return found.flatMap((source) => source ?? [])
}

type Result = Pick<TakenOut, 'outcome' | 'why'>
const NOT_BEGUN: Result = { outcome: 'not_begun' }

async function takeOutOne(
  deps: TakeOutDeps,
  source: Source,
  zones: Zones,
  zip: TakenOut | undefined,
  { onProgress, signal }: TakeOut,
): Promise<Result> {
  const { ledger, sleep } = deps
  if (zip && zip.outcome !== 'withdrawn' && zip.outcome !== 'landed_again') return NOT_BEGUN
  const deadline = ledger.now().getTime() + PATIENCE_MS
  let said = ''
  for (;;) {
    try {
      // A zip that has landed again since brings its members back: that is what was wanted last.
      if (zip && !(await ledger.head(zip))?.withdrawnAt) return { outcome: 'landed_again' }
      const done = source.kind === 'zip' ? await withdrawZip(deps, source) : await withdrawCsv(deps, source, zones)
      return done === 'unknown' ? { outcome: 'withdrawn' } : { outcome: done }
    } catch (error) {
      if (!(error instanceof LandfallError) || !error.retryable) return { outcome: 'failed', why: inWords(error) }
      const over = ledger.now().getTime() >= deadline
      if (over || signal?.aborted)
        return { outcome: over ? 'busy' : 'not_begun', why: `${error.message}${await untilWhen(deps, source)}` }
      if (said !== error.message) onProgress?.(source, error.message)
      said = error.message
      await sleep(STEP_MS)
    }
  }
}

/** Of one that died at work, the lock ends by itself. */
async function untilWhen({ ledger }: TakeOutDeps, source: Source): Promise<string> {
  const until = (await ledger.table.get(headKey(source)))?.lockUntil
  return typeof until === 'number' ? ` Its lock ends at ${new Date(until).toISOString()} at the latest.` : ''
}
