import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ADVICE, adviceFor } from '../../../services/operations/advice.ts'
import { ZIP_REFUSALS } from '../../../services/unzip/refusals.ts'

const services = join(import.meta.dirname, '../../../services')

/** Codes that a run's problem can have, as the code that gives them says it. */
const SAID = [
  /(?:RefusedSource|Failed|ZipRefused)\(\s*'(\w+)'/g,
  /\brefused\(\s*'(\w+)'/g,
  /\bcode: '(\w+)'/g,
  /\bNOT_TAKEN_IN = '(\w+)'/g,
  /\bRefused(?:Source)?\(\s*"(\w+)"/g,
]
/**
 * Thrown, but never the problem of a run: the message goes to the dead-letter queue instead, or, of what happens in the
 * catalog, the runs that wait have failed as `catalog_refused`.
 */
const NO_RUNS = ['unknown_run', 'foreign_view', 'newer_version', 'view_refused']

function codes(): Set<string> {
  const found = new Set<string>(ZIP_REFUSALS)
  for (const file of globSync('**/*.{ts,py}', { cwd: services })) {
    const text = readFileSync(join(services, file), 'utf8')
    for (const pattern of SAID) for (const [, code = ''] of text.matchAll(pattern)) found.add(code)
  }
  for (const stage of ['convert', 'partition'])
    for (const how of ['job_failed', 'not_started', 'not_published']) found.add(`${stage}_${how}`)
  // The only stage whose objects people see.
  found.add('partition_unfinished')
  return found
}

it('there is for every problem that any part of the chain can give a run, and for no other', () => {
  const known = [...codes()].filter((code) => !NO_RUNS.includes(code)).sort()
  expect(known).toContain('header_mismatch')
  expect(Object.keys(ADVICE).sort()).toEqual(known)
})

it('names the run in commands that say more', () => {
  const problem = { code: 'too_many_rejects', message: 'm' }
  expect(adviceFor({ problem, runId: '0123456789abcdef0123' })).toContain('landfall rejects 01234567 shows the rows')
  expect(adviceFor({ runId: '0123456789abcdef0123' })).toBeUndefined()
})
