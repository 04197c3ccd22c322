import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { Contract } from './contract.ts'
import { physicalTables } from './locations.ts'
import { REJECTS_TABLE } from './rejects.ts'
import { RUNS_TABLE } from './runs.ts'

/** A contract that cannot be used, with the place to mend. `path` is that of the first wrong field, e.g. `columns[2].type`. */
export class ContractError extends Error {
  override name = 'ContractError'
  readonly file: string
  readonly path: string
  readonly expected: string
  readonly found: string
  constructor(file: string, problems: { path: string; expected: string; found: string }[]) {
    super(
      problems
        .map(({ path, expected, found }) => `${file}: ${path || 'the file'}: expected ${expected}, found ${found}`)
        .join('\n'),
    )
    const first = problems[0] ?? { path: '', expected: '', found: '' }
    this.file = file
    this.path = first.path
    this.expected = first.expected
    this.found = first.found
  }
}

/** @throws ContractError naming the file, the path of each wrong field, what was expected and what was found. */
export function loadContract(file: string): Contract {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new ContractError(file, [{ path: '', expected: 'a readable JSON file', found: (error as Error).message }])
  }
  return parseContract(json, file)
}

/** @throws ContractError */
export function parseContract(json: unknown, file = 'contract'): Contract {
  const parsed = Contract.safeParse(json)
  if (parsed.success) return parsed.data
  throw new ContractError(
    file,
    parsed.error.issues.flatMap(innermost).map((issue) => describe(issue, json)),
  )
}

/** All contracts of a folder by dataset. @throws ContractError, also when two files declare one dataset or one table. */
export function loadContracts(dir: string): Map<string, Contract> {
  const contracts = new Map<string, Contract>()
  const taken = new Map<string, string>()
  for (const name of readdirSync(dir).sort()) {
    if (!name.endsWith('.json')) continue
    const contract = loadContract(join(dir, name))
    // The file's name is the dataset's, so no two files can declare one dataset.
    if (name !== `${contract.dataset}.json`)
      throw new ContractError(join(dir, name), [
        { path: 'dataset', expected: `"${name.slice(0, -5)}", as the file is called`, found: `"${contract.dataset}"` },
      ])
    claimTables(contract, join(dir, name), taken)
    contracts.set(contract.dataset, contract)
  }
  return contracts
}

/** Tables that are in each database besides the contracts' own. */
const OURS: Record<string, string | undefined> = {
  [REJECTS_TABLE]: 'the rejected rows',
  [RUNS_TABLE]: 'the history of runs',
}

/** Each version has a table: that of version 2 is `<name>_v2`, which another contract may have thought of, too. */
function claimTables(contract: Contract, file: string, taken: Map<string, string>): void {
  for (const { database, name } of physicalTables(contract)) {
    const owner = OURS[name] ?? taken.get(`${database}.${name}`)
    if (owner !== undefined)
      throw new ContractError(file, [
        {
          path: 'table.name',
          expected: `another name: ${name} is the table of ${owner}`,
          found: `"${contract.table.name}"`,
        },
      ])
    taken.set(`${database}.${name}`, `dataset ${contract.dataset}`)
  }
}

/** Of a value that may be one thing or another, what is wrong inside the one that it is, if it is one of them at all. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const meant = issue.errors.find((issues) =>
    issues.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  )
  return meant ? meant.flatMap((inner) => innermost({ ...inner, path: [...issue.path, ...inner.path] })) : [issue]
}

function describe(issue: z.core.$ZodIssue, json: unknown) {
  const extra = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = extra === undefined ? issue.path : [...issue.path, extra]
  const found = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], json)
  return {
    path: path
      .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
      .join('')
      .replace(/^\./, ''),
    expected: extra === undefined ? expectation(issue) : 'no such field',
    found: found === undefined ? 'nothing' : JSON.stringify(found),
  }
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return issue.expected
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(' or ')
  return issue.message
}
