import { LIVE } from './causes.ts'
import type { Head, Landed, Problem } from './run.ts'

/** A run that ends as it begins: refused by name, superseded before anyone looked, or failed because no one could. */
export type Ending = { state: 'refused' | 'superseded' | 'failed'; problem: Problem }

/** No replay or rerun takes up again what a person has withdrawn. */
export function withdrawnFate(landed: Landed, cause: string, head: Head | undefined): Ending | undefined {
  const at = head?.withdrawnAt
  return cause === LIVE || at === undefined || landedSince(landed, at) ? undefined : withdrawn(landed.key, at)
}

/** Landed again after it was withdrawn, though its own event may not have been taken in. */
export const landedSince = ({ landedAt }: Pick<Landed, 'landedAt'>, withdrawnAt: string): boolean =>
  landedAt > withdrawnAt

export const withdrawn = (key: string, at: string): Ending => ({
  state: 'superseded',
  problem: {
    code: 'withdrawn',
    message: `${key} was withdrawn at ${at}: no replay or rerun brings its rows back. Land it again, if they are wanted.`,
  },
})

export const supersededBy = (key: string): Ending => ({
  state: 'superseded',
  problem: { code: 'superseded', message: `A newer version of ${key} landed.` },
})

type Order = { sequencer?: string; landedAt?: string }

/**
 * Whether one version of a zip landed before another. Sequencers are hexadecimal, of any length: compared after filling up
 * with zeros on the right, as S3's documentation says. What a rerun found has none, but a time.
 */
export function isEarlier(one: Order, than: Order = {}): boolean {
  if (one.sequencer === undefined || than.sequencer === undefined) return (one.landedAt ?? '') < (than.landedAt ?? '')
  const length = Math.max(one.sequencer.length, than.sequencer.length)
  return one.sequencer.padEnd(length, '0') < than.sequencer.padEnd(length, '0')
}
