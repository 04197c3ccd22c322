import pMap from 'p-map'
import { reworded } from '../../ledger/reruns.ts'
import { type Run, runKey } from '../../ledger/run.ts'
import type { ObjectVersion } from '../versions.ts'
import { ERASED, type Found, findHoldings, type HoldingDeps, type Holdings, type Place, quotes } from './holdings.ts'
import type { Asked, Source } from './sources.ts'

export type Erased = {
  /** What was there, and is not any more. */
  erased: Holdings
  /** Of sources that have landed again since they were withdrawn: nothing of them was erased. */
  again: Source[]
}

export type Erase = {
  onProgress?: (place: Place | 'ledger', done: number, of: number) => void
  signal?: AbortSignal
}

/** Between two of them an interrupt is heard. */
const AT_ONCE = 1000

/**
 * Deletes for good what holds data of withdrawn sources: every version of every object, and what the ledger quotes of them.
 * Does what is left when it is begun again. A zip that also has other sources is left alone.
 * @throws the signal's reason when it is aborted
 */
export async function erase(deps: HoldingDeps, asked: Asked, { onProgress, signal }: Erase = {}): Promise<Erased> {
  const { ledger, versions } = deps
  const runs = (await pMap(asked.sources, (source) => ledger.runs(source), { concurrency: 16 })).flat()
  const all = await findHoldings(deps, asked)
  // After all that is to go was read. Landing again takes the mark away before anything of it is published: while it stands,
  // all that was read is of what was withdrawn.
  const heads = await pMap(asked.sources, (source) => ledger.head(source), { concurrency: 16 })
  const landed = landedKeys(all.found)
  const again = asked.sources.filter(
    ({ key, zipKey = key }, i) => heads[i]?.withdrawnAt === undefined || landed.has(key) || landed.has(zipKey),
  )
  const kept = new Set(again.map(({ sourceId }) => sourceId))
  const found = all.found.filter(
    ({ place, sourceIds }) => place !== 'others_zip' && !sourceIds.some((id) => kept.has(id)),
  )
  for (const [place, bucket, listed] of byPlace(found)) {
    let done = 0
    // Each in requests of its own, for S3 keeps no order within one.
    for (const part of [listed.filter((version) => !goesLast(version)), listed.filter(goesLast)]) {
      for (let i = 0; i < part.length; i += AT_ONCE) {
        signal?.throwIfAborted()
        await versions.remove(bucket, part.slice(i, i + AT_ONCE))
        done += Math.min(AT_ONCE, part.length - i)
        onProgress?.(place, done, listed.length)
      }
    }
  }
  signal?.throwIfAborted()
  const quoted = await eraseQuoted(
    deps,
    runs.filter(({ sourceId }) => !kept.has(sourceId)),
  )
  if (quoted.examples + quoted.problems > 0)
    onProgress?.('ledger', quoted.examples + quoted.problems, quoted.examples + quoted.problems)
  return { erased: { ...all, found, quoted }, again }
}

/**
 * Whatever dies on its way: without its marker, a version that is still there would be current again; without its manifest, no
 * one would know whose rows are left of a batch in staging.
 */
const goesLast = ({ marker, key }: ObjectVersion) => marker || key.endsWith('/manifest.json')

/** Where something is again, though its event has not been heard yet. */
const landedKeys = (found: Found[]) =>
  new Set(
    found
      .filter(({ place }) => place === 'raw' || place === 'zip')
      .flatMap(({ versions }) => versions.flatMap(({ key, current, marker }) => (current && !marker ? key : []))),
  )

function byPlace(found: Found[]): [Place, string, ObjectVersion[]][] {
  const places = new Map<Place, [Place, string, ObjectVersion[]]>()
  for (const { place, bucket, versions } of found) {
    const known = places.get(place) ?? [place, bucket, []]
    for (const version of versions) known[2].push(version)
    places.set(place, known)
  }
  return [...places.values()]
}

/** Counts and reasons stay: they are the history. */
async function eraseQuoted({ ledger }: HoldingDeps, runs: Run[]): Promise<Holdings['quoted']> {
  const quoted = { examples: 0, problems: 0 }
  // One after the other: two of one rerun would each write its words without the other's change.
  for (const run of runs) {
    const { problem, examples } = run
    const message = `${ERASED} at ${ledger.instant()}.`
    const words = quotes(run) && problem ? { problem: { ...problem, message } } : {}
    if (!examples && !words.problem) continue
    const update = { update: runKey(run), set: words, remove: examples ? ['examples'] : [] }
    await ledger.table.write([update, ...(words.problem ? await reworded(ledger, run, message) : [])])
    quoted.examples += examples?.length ?? 0
    if (words.problem) quoted.problems++
  }
  return quoted
}
