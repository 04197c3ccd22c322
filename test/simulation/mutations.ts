import { BATCHES } from './safeties/batches.ts'
import { BY_TEST } from './safeties/by-test.ts'
import { LEDGER } from './safeties/ledger.ts'
import { PUBLISHING } from './safeties/publishing.ts'
import { SWEEP } from './safeties/sweep.ts'
import { UNZIP } from './safeties/unzip.ts'

/**
 * One safety switched off: `from` becomes `to`, in one place of one file.
 */
export type Mutation = {
  name: string
  file: string
  from: string
  to: string
  /** Safeties, by their names, that stand behind this one: it is what holds where they are off. */
  behind?: string[]
}

/** The test that fails where a safety is off. */
export type Tested = { file: string; title: string }

/** Each must make the simulation fail, or nothing shows that the safety is needed. */
export const MUTATIONS: Mutation[] = [...PUBLISHING, ...BATCHES, ...LEDGER, ...SWEEP, ...UNZIP]

/** @throws Error for a name that no safety has */
export function mutationOf(name: string): Mutation {
  const found = [...MUTATIONS, ...BY_TEST].find((each) => each.name === name)
  if (!found) throw new Error(`No mutation is called "${name}". They are in test/simulation/safeties.`)
  return found
}
