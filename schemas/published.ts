import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { Contract } from './contract.ts'
import { ContractError } from './load.ts'

/** Where what was accepted of the contracts in a folder is: beside it. */
export const publishedBeside = (datasets: string): string => join(datasets, '..', 'published')

/** What readers of a dataset's published files rely on: written by `npm run contract:accept`, and committed. */
export const Published = z.strictObject({
  dataset: z.string(),
  version: z.int(),
  table: z.strictObject({ database: z.string(), name: z.string() }),
  partitionBy: z.string(),
  columns: z.array(z.strictObject({ name: z.string(), type: z.string() })),
})
export type Published = z.infer<typeof Published>
type Problem = { path: string; expected: string; found: string }

export function publishedOf({ dataset, version, table, partitionBy, columns }: Contract): Published {
  return { dataset, version, table, partitionBy, columns: columns.map(({ name, type }) => ({ name, type })) }
}

/** What of a contract the files published before cannot serve. Another version may change everything: it is published apart, and a rerun types all files again. */
export function breaks(published: Published, contract: Contract): Problem[] {
  if (contract.version > published.version) return []
  const problems: Problem[] = []
  const changed = (path: string, expected: string, found: string) =>
    problems.push({
      path,
      expected: `${expected}, as in the files that are published, or else "version": ${published.version + 1}, \`npm run contract:accept\` and, when that is deployed, \`landfall rerun ${contract.dataset}\``,
      found,
    })
  const same = (path: string, expected: string, found: string) => {
    if (expected !== found) changed(path, JSON.stringify(expected), JSON.stringify(found))
  }
  if (contract.version < published.version)
    problems.push({ path: 'version', expected: `at least ${published.version}`, found: String(contract.version) })
  same('table.database', published.table.database, contract.table.database)
  same('table.name', published.table.name, contract.table.name)
  same('partitionBy', published.partitionBy, contract.partitionBy)
  for (const { name, type } of published.columns) {
    const at = contract.columns.findIndex((column) => column.name === name)
    if (at < 0) changed('columns', `a column ${name} ${type}`, 'none')
    else same(`columns[${at}].type`, type, contract.columns[at]?.type ?? '')
  }
  contract.columns.forEach(({ name, required }, at) => {
    const isNew = !published.columns.some((column) => column.name === name)
    if (isNew && required) changed(`columns[${at}].required`, `false: of the column ${name} there is nothing`, 'true')
  })
  return problems
}

/** What was accepted of a dataset, null for one that is new. @param dir with a file for each dataset */
export function readPublished(dir: string, dataset: string): Published | null {
  const file = join(dir, `${dataset}.json`)
  try {
    return Published.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    const expected = 'what `npm run contract:accept` has written; take it from the last commit'
    throw new ContractError(file, [{ path: '', expected, found: (error as Error).message }])
  }
}

/**
 * Compares contracts with what was accepted of them.
 * @param datasets the folder of the contracts, `dir` that of what was accepted
 * @throws ContractError for a change that published files cannot serve, and for one that nobody has accepted yet; of a dataset
 * that is new there are no files
 */
export function checkPublished(contracts: Map<string, Contract>, datasets: string, dir: string): void {
  for (const contract of contracts.values()) {
    const published = readPublished(dir, contract.dataset)
    const file = join(datasets, `${contract.dataset}.json`)
    const problems = published ? breaks(published, contract) : []
    if (problems.length > 0) throw new ContractError(file, problems)
    if (published === null || isDeepStrictEqual(published, publishedOf(contract))) continue
    const expected = `what ${file} says: run \`npm run contract:accept\` and commit it`
    throw new ContractError(join(dir, `${contract.dataset}.json`), [{ path: '', expected, found: 'an older state' }])
  }
  if (!existsSync(dir)) return
  for (const name of readdirSync(dir).filter((name) => name.endsWith('.json')))
    if (!contracts.has(name.slice(0, -5)))
      throw new ContractError(join(dir, name), [
        {
          path: '',
          expected: `${join(datasets, name)}; if nobody reads the dataset any more, delete this file, too`,
          found: 'no contract',
        },
      ])
}
