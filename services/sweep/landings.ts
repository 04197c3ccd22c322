import pMap from 'p-map'
import type { S3ObjectEvent } from '../../events/s3-object.ts'
import type { ListedPage, ObjectHead, Objects } from '../jobs/objects.ts'
import { onItsWayMs } from '../lambda/receives.ts'
import { LIVE } from '../ledger/causes.ts'
import { datasetOf, runIdOf, sourceIdOf } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { hasEnded, type Run } from '../ledger/run.ts'
import { forgetSent, noteSent, type Pass, passOf, putPass, sentOnes } from '../ledger/sweeps.ts'
import type { Swept } from './sweep.ts'

/** Where landings are: what `unzip` hears of, and what `convert` does. */
const PREFIXES = ['landing/', 'data/'] as const

/** Clocks that differ, and the minutes for which `unzip` itself may be at an upload: S3 dates an object by its upload's beginning. */
const MARGIN_MS = 10 * 60_000
/** The buckets give up an upload after a day, at the next midnight: nothing is in a bucket later than this after its date. */
const UPLOAD_MS = 48 * 3_600_000
const DEEP_EVERY_MS = 24 * 3_600_000
/** A zip whose message waits behind many others has not lost it: it gets at most one more in this time. */
const SEND_AGAIN_MS = 3_600_000

/** In the place of what S3 says of how an object came to be. */
export const FOUND = 'found by the sweep'

export type LandingsDeps = {
  ledger: Ledger
  objects: Pick<Objects, 'head' | 'page'>
  rawBucket: string
  /** What the event of a CSV would have done. */
  take: (event: S3ObjectEvent) => Promise<void>
  /** Gives `unzip` the event that it did not get. */
  send: (event: S3ObjectEvent) => Promise<void>
}

/**
 * Takes in what landed and whose event never came: reads one page of each place where files land, goes on there at the next
 * call, and looks up in the ledger what was not there, or too young, when the pass before read it.
 */
export async function sweepLandings(deps: LandingsDeps): Promise<{ swept: Swept[]; errors: unknown[] }> {
  const swept: Swept[] = []
  const errors: unknown[] = []
  try {
    for (const did of await sendAgain(deps)) swept.push(did)
  } catch (error) {
    errors.push(error)
  }
  for (const prefix of PREFIXES) {
    try {
      const page = await sweepPage(deps, prefix)
      swept.push(...page.swept)
      errors.push(...page.errors)
    } catch (error) {
      errors.push(error)
    }
  }
  return { swept, errors }
}

/** What was sent and is in nobody's hands is sent again: the pass has gone by. */
async function sendAgain(deps: LandingsDeps): Promise<Swept[]> {
  const { ledger, objects, rawBucket } = deps
  const swept: Swept[] = []
  for (const sent of await sentOnes(ledger)) {
    if (ledger.now().getTime() < sent.again) continue
    const current = await objects.head(rawBucket, sent.key)
    const did = current?.versionId === sent.versionId ? await lookUp(deps, { key: sent.key, ...current }) : undefined
    if (did) swept.push(did)
    else await forgetSent(ledger, sent)
  }
  return swept
}

async function sweepPage(deps: LandingsDeps, prefix: string): Promise<{ swept: Swept[]; errors: unknown[] }> {
  const { ledger, objects, rawBucket } = deps
  const now = ledger.now().getTime()
  const known = await passOf(ledger, prefix)
  const pass = known.startedAt ? known : begin(known, now)
  const { objects: listed, more } = await objects.page(rawBucket, prefix, pass.after)
  const since = pass.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(pass.since)
  const due = listed.filter(({ key, modified }) => {
    const at = modified.getTime()
    return !key.endsWith('/') && at >= since && now - at >= onItsWayMs()
  })
  const swept: Swept[] = []
  const errors: unknown[] = []
  await pMap(
    due,
    async (object) => {
      try {
        const did = await lookUp(deps, object)
        if (did) swept.push(did)
      } catch (error) {
        // The others are looked at, and this one again in the next pass.
        errors.push(error)
      }
    },
    { concurrency: 16 },
  )
  const after = listed.at(-1)?.key
  const failed = pass.failed || errors.length > 0
  await putPass(ledger, prefix, more && after ? { ...pass, after, ...(failed && { failed }) } : ended(pass, failed))
  return { swept, errors }
}

const instant = (ms: number) => new Date(ms).toISOString()

/** What the last pass may have missed: what was too young for it, or came after it had gone by. */
function begin({ last, lastDeep }: Pass, now: number): Pass {
  const startedAt = instant(now)
  const deep = !lastDeep || now - Date.parse(lastDeep) >= DEEP_EVERY_MS
  const from = deep ? lastDeep : last
  const since = from && instant(Date.parse(from) - onItsWayMs() - (deep ? UPLOAD_MS : MARGIN_MS))
  return {
    startedAt,
    ...(since && { since }),
    ...(deep && { deep }),
    ...(last && { last }),
    ...(lastDeep && { lastDeep }),
  }
}

function ended({ startedAt, deep, last, lastDeep }: Pass, failed: boolean): Pass {
  if (failed) return { ...(last && { last }), ...(lastDeep && { lastDeep }) }
  return { last: startedAt, ...(deep ? { lastDeep: startedAt } : lastDeep && { lastDeep }) }
}

type Listed = ListedPage['objects'][number]

async function lookUp(deps: LandingsDeps, { key, etag, modified }: Listed): Promise<Swept | undefined> {
  const { ledger, objects, rawBucket } = deps
  const dataset = datasetOf(key) ?? 'unknown'
  const source = { dataset, sourceId: sourceIdOf(key) }
  const runs = await ledger.runs(source)
  const isZip = key.startsWith('landing/')
  const isIn = (run: Run) => !isZip || (hasEnded(run.state) && run.state !== 'extracted')
  // The same bytes, and not from before: S3 need not be asked which version it is.
  if (runs.some((run) => run.etag === etag && Date.parse(run.landedAt) >= modified.getTime() && isIn(run)))
    return undefined
  const current = await objects.head(rawBucket, key)
  if (!current) return undefined
  const mine = runs.filter(({ versionId }) => versionId === current.versionId)
  if (mine.length > 0 && !(isZip && (await isLeft(ledger, mine)))) return undefined
  const event = eventOf(rawBucket, key, current)
  const about = { key, runId: runIdOf(key, current.versionId, LIVE) }
  if (!isZip) {
    await deps.take(event)
    return { dataset, stage: 'convert', did: 'took in a file whose event did not come', ...about }
  }
  if (!(await noteSent(ledger, key, current.versionId, SEND_AGAIN_MS))) return undefined
  await deps.send(event)
  return {
    dataset,
    stage: 'unzip',
    did: 'sent unzip a file whose event did not come, or was lost before its end',
    ...about,
  }
}

/** A zip, or a CSV that landed there, is taken out when all is done: its message was purged, or no one is told of its end. */
async function isLeft(ledger: Ledger, runs: Run[]): Promise<boolean> {
  const run = runs.find(({ cause }) => cause === LIVE)
  if (!run || (hasEnded(run.state) && run.state !== 'extracted')) return false
  const now = ledger.now().getTime()
  if (now - Date.parse(run.registeredAt) < SEND_AGAIN_MS) return false
  return ((await ledger.head(run))?.lockUntil ?? 0) <= now
}

/** As S3 would have told of it, but for its order among the events of the key, which only S3 knows. */
function eventOf(bucket: string, key: string, { versionId, etag, bytes, modified }: ObjectHead): S3ObjectEvent {
  // S3 dates to the second. Of two zips of one second, what is still there is mostly what the newer one, which was taken in and
  // archived, has uncovered.
  const time = key.startsWith('landing/') ? instant(modified.getTime() - 1) : modified.toISOString()
  return {
    source: 'aws.s3',
    'detail-type': 'Object Created',
    time,
    detail: {
      bucket: { name: bucket },
      object: { key, size: bytes, etag, 'version-id': versionId },
      reason: FOUND,
    },
  }
}
