import { PutTraceSegmentsCommand, type UnprocessedTraceSegment, type XRayClient } from '@aws-sdk/client-xray'
import pMap from 'p-map'
import type { Teller } from '../lambda/ended.ts'
import { LIVE } from '../ledger/causes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { zipsOf } from '../ledger/lineage.ts'
import type { Run } from '../ledger/run.ts'
import { isSampled } from './ids.ts'
import { type Segment, traceOf } from './segments.ts'

/** Of one call. */
export const MOST_DOCUMENTS = 50
/** Calls in flight. */
const CALLS = 4
/** Older traces are refused. */
const MOST_DAYS = 30

/** For the client's constructor: an X-Ray that does not answer must not hold a function for long. */
export const IMPATIENT = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true },
}

export type Send = (segments: Segment[]) => Promise<UnprocessedTraceSegment[]>

export const sendTo =
  (client: Pick<XRayClient, 'send'>): Send =>
  async (segments) => {
    const TraceSegmentDocuments = segments.map((segment) => JSON.stringify(segment))
    const { UnprocessedTraceSegments = [] } = await client.send(new PutTraceSegmentsCommand({ TraceSegmentDocuments }))
    return UnprocessedTraceSegments
  }

export type TraceDeps = {
  ledger: Pick<Ledger, 'run' | 'now'>
  send: Send
  /** Of the runs that are traced, 0 to 1. */
  share: number
  warn: (message: string, about: Record<string, unknown>) => void
}

/** Sends the trace of each run that has ended. @throws what X-Ray or the ledger throw: then the rest is not sent either */
export const traceTeller =
  ({ ledger, send, share, warn }: TraceDeps): Teller =>
  async (runs) => {
    const earliest = ledger.now().getTime() - MOST_DAYS * 24 * 3_600_000
    const mine = runs.filter((run) => isSampled(run.runId, share) && beganAt(run) > earliest)
    const zipOf = zipsOf(ledger)
    const segments = (await pMap(mine, async (run) => traceOf(run, await zipOf(run)), { concurrency: 8 })).flat()
    const calls = Array.from({ length: Math.ceil(segments.length / MOST_DOCUMENTS) }, (_, i) =>
      segments.slice(i * MOST_DOCUMENTS, (i + 1) * MOST_DOCUMENTS),
    )
    const refused = (await pMap(calls, send, { concurrency: CALLS })).flat()
    if (refused.length === 0) return
    warn('X-Ray did not take all segments', { segments: segments.length, refused: refused.slice(0, 10) })
  }

const beganAt = ({ cause, landedAt, registeredAt }: Run) =>
  Math.min(Date.parse(registeredAt), cause === LIVE ? Date.parse(landedAt) : Number.POSITIVE_INFINITY)
