import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ContractError, loadContracts } from './contract.ts'
import { breaks, type Published, publishedOf, readPublished } from './published.ts'

/**
 * Writes what the contracts of a folder will publish, for `checkPublished` to hold later changes against.
 * @returns what became of each dataset, in words
 * @throws ContractError for a change that published files cannot serve; then nothing is written
 */
export function accept(datasets: string, dir: string): string[] {
  const all = [...loadContracts(datasets).values()].map((contract) => {
    const before = readPublished(dir, contract.dataset)
    const problems = before ? breaks(before, contract) : []
    if (problems.length > 0) throw new ContractError(join(datasets, `${contract.dataset}.json`), problems)
    return { before, after: publishedOf(contract) }
  })
  mkdirSync(dir, { recursive: true })
  return all.map(({ before, after }) => {
    writeFileSync(join(dir, `${after.dataset}.json`), `${JSON.stringify(after, null, 2)}\n`)
    return `${after.dataset}: ${outcome(before, after)}`
  })
}

function outcome(before: Published | null, after: Published): string {
  if (!before) return `version ${after.version}, new`
  if (after.version > before.version)
    return `version ${after.version}; when it is deployed, run \`landfall rerun ${after.dataset}\`: people read version ${before.version} until all its files are typed again`
  const names = new Set(before.columns.map(({ name }) => name))
  const added = after.columns.flatMap(({ name }) => (names.has(name) ? [] : [name]))
  return added.length > 0 ? `new columns ${added.join(', ')}, null in the files that are published` : 'as it was'
}

// `npm run contract:accept`
if (import.meta.main) {
  try {
    const said = accept(join(import.meta.dirname, 'datasets'), join(import.meta.dirname, 'published'))
    console.log(said.join('\n'))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
