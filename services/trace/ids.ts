import { createHash } from 'node:crypto'
import type { Run } from '../ledger/run.ts'

const hash = (text: string, length: number) => createHash('sha256').update(text).digest('hex').slice(0, length)

/**
 * The trace of a run: always the same, so that a run which ends a second time (its cause was mended) replaces what was sent
 * before, and so that anyone who knows the run finds its trace. X-Ray wants the time in it, in seconds, and no version of its own.
 */
export function traceIdOf({ runId, registeredAt }: Pick<Run, 'runId' | 'registeredAt'>): string {
  const seconds = Math.floor(Date.parse(registeredAt) / 1000)
  return `1-${seconds.toString(16).padStart(8, '0')}-${hash(`trace\n${runId}`, 24)}`
}

/** @param place of the segment in its trace: `''` for the root, `convert/job` */
export const segmentIdOf = (runId: string, place: string): string => hash(`segment\n${runId}\n${place}`, 16)

/** Whether a run is traced: decided once by its id, whoever asks. @param share 0 to 1 */
export const isSampled = (runId: string, share: number): boolean =>
  Number.parseInt(hash(`sample\n${runId}`, 8), 16) < share * 2 ** 32
