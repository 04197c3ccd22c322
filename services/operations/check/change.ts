import { type Contract, ContractError, parseContract } from '../../../schemas/contract.ts'

type Path = (string | number)[]

/** One field of a contract, and what it would have to be. */
export type Change = { path: Path; from: unknown; to: unknown }

/** As a contract's errors name it: `columns[2].formats`. */
export const pathText = (path: Path): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '')

const at = (value: unknown, key: string | number): unknown => (value as Record<string | number, unknown>)[key]

export const change = (contract: Contract, path: Path, to: unknown): Change => ({
  path,
  from: path.reduce(at, contract),
  to,
})

/** @returns undefined where the changed contract would be none */
export function apply(contract: Contract, changes: Change[]): Contract | undefined {
  const json = structuredClone(contract)
  for (const { path, to } of changes) {
    const parent = path.slice(0, -1).reduce(at, json) as Record<string | number, unknown>
    parent[path.at(-1) ?? ''] = to
  }
  try {
    return parseContract(json)
  } catch (error) {
    if (error instanceof ContractError) return undefined
    throw error
  }
}

/** One change a field: from what it was at first to what it came to. */
export function merge(changes: Change[]): Change[] {
  const merged = new Map<string, Change>()
  for (const { path, from, to } of changes) {
    const known = merged.get(pathText(path))
    merged.set(pathText(path), { path, from: known ? known.from : from, to })
  }
  return [...merged.values()]
}
