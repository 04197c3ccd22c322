import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ensurePython } from '../../../infra/local/python.ts'

const python = await ensurePython(() => {})

/** Patches `original` of a module whose source is this, and prints what happens. */
function replace(source: string): string {
  const script = `
import sys, types
sys.path.insert(0, ${JSON.stringify(join(import.meta.dirname, '../../../infra/local'))})
from patching import replace
upstream = types.ModuleType("upstream")
exec(${JSON.stringify(source)}, upstream.__dict__)
try:
    replace(upstream, "original", ("data",), lambda original: lambda data: original(data) + 1)
    print(upstream.original(1))
except RuntimeError as error:
    print(error)
`
  return execFileSync(python, ['-c', script], { encoding: 'utf8' }).trim()
}

it.each([
  ['is applied to a function with its parameters', 'def original(data): return data', '2'],
  ['is applied to a function that takes more', 'def original(data, more=0): return data', '2'],
  [
    'to a function that is gone stops the start',
    'def renamed(data): return data',
    /^upstream.original no longer exists/,
  ],
  [
    'to a function with other parameters stops the start',
    'def original(request): return 1',
    'upstream.original takes (request), the extension expects (data).',
  ],
])('an extension %s', (_, source, outcome) => {
  expect(replace(source)).toEqual(outcome instanceof RegExp ? expect.stringMatching(outcome) : outcome)
})
