import { compile } from '../../../schemas/compiler/plan.ts'
import type { Contract } from '../../../schemas/contract.ts'
import { matchHeader } from '../../engine/duckdb/header.ts'
import { headerFields } from '../../engine/duckdb/record.ts'
import { RefusedSource } from '../../engine/refused.ts'
import { apply, type Change, change } from './change.ts'

const DELIMITERS = [',', ';', '\t', '|']

/** The fewest changes of the contract by which it takes this header; undefined where the header is another file's. */
export function headerChanges(contract: Contract, line: string, name: string): Change[] | undefined {
  const own = contract.source.delimiter
  for (const delimiter of [own, ...DELIMITERS.filter((other) => other !== own)]) {
    const first = delimiter === own ? [] : [change(contract, ['source', 'delimiter'], delimiter)]
    for (const more of candidates(contract, line, delimiter)) {
      const changes = [...first, ...more]
      const changed = apply(contract, changes)
      if (changed && takes(changed, line, name)) return changes
    }
  }
  return undefined
}

const fieldsOf = ({ source: { quote } }: Contract, line: string, delimiter: string) =>
  headerFields(Buffer.from(line), { delimiter: delimiter.charCodeAt(0), quote: quote.charCodeAt(0) })

function takes(contract: Contract, line: string, name: string): boolean {
  const fields = fieldsOf(contract, line, contract.source.delimiter)
  if (!fields) return false
  try {
    matchHeader(fields, line, compile(contract), name)
    return true
  } catch (error) {
    if (error instanceof RefusedSource) return false
    throw error
  }
}

/** Names that differ in nothing but case, blanks and signs are one name to people. */
const bare = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')

function candidates(contract: Contract, line: string, delimiter: string): Change[][] {
  const fields = fieldsOf(contract, line, delimiter)
  if (!fields) return []
  const { columns } = contract
  const renames = columns.flatMap(({ source }, i) => {
    if (fields.includes(source)) return []
    const unknown = fields.filter((field) => field !== '' && !columns.some((column) => column.source === field))
    const same = unknown.find((field) => bare(field) === bare(source))
    const inPlace = fields.length === columns.length ? unknown.find((field) => field === fields[i]) : undefined
    const name = same ?? inPlace
    return name === undefined ? [] : [{ ...change(contract, ['columns', i, 'source'], name), same: same !== undefined }]
  })
  const known = columns.filter(({ source }) => fields.includes(source)).length
  // A header of which most columns are unknown is another file's: a contract that took it would take anything.
  if (known + renames.filter(({ same }) => same).length < columns.length / 2) return []
  const ignore = change(contract, ['unknownColumns'], 'ignore')
  const fill = change(contract, ['missingColumns'], 'null')
  return [[], renames.map(({ same, ...rename }) => rename), [ignore], [fill], [ignore, fill]]
}
