import type { z } from 'zod'
import { formatProblem } from './formats.ts'
import { parseType } from './types.ts'

interface Columns {
  columns: { source: string; name: string; type: string; formats?: string[] | undefined }[]
  partitionBy: string
  source: { delimiter: string; quote: string }
}
type Path = (string | number)[]

/** Partition values become folder names, so their text must be the same for every engine. */
const PARTITION_TYPES = ['string', 'int', 'bigint', 'date']

/** The rules that no single field shows. Each problem carries the path of the field to mend. */
export function checkColumns(contract: Columns, context: z.core.$RefinementCtx): void {
  const problem = (path: Path, message: string, input: unknown) =>
    context.addIssue({ code: 'custom', path, message, input })

  const sources = new Map<string, number>()
  const names = new Map<string, number>()
  contract.columns.forEach((column, index) => {
    const at: Path = ['columns', index]
    const sameSource = sources.get(column.source)
    if (sameSource !== undefined)
      problem([...at, 'source'], `a source name of its own (columns[${sameSource}] has it)`, column.source)
    sources.set(column.source, index)
    // The catalog is lower-case: names that differ by case alone would be one column there.
    const sameName = names.get(column.name.toLowerCase())
    if (sameName !== undefined)
      problem([...at, 'name'], `a name of its own, regardless of case (columns[${sameName}] has it)`, column.name)
    names.set(column.name.toLowerCase(), index)

    const type = parseType(column.type)
    if (type.kind === 'decimal' && type.precision > 38)
      problem([...at, 'type'], 'a decimal of at most 38 digits', column.type)
    if (type.kind === 'decimal' && type.scale > type.precision)
      problem([...at, 'type'], 'a decimal whose scale is not above its precision', column.type)
    column.formats?.forEach((format, position) => {
      const wrong = formatProblem(format, type.kind)
      if (wrong) problem([...at, 'formats', position], wrong, format)
    })
  })

  const partition = contract.columns.find((column) => column.name === contract.partitionBy)
  if (!partition)
    problem(
      ['partitionBy'],
      `the name of a column (${contract.columns.map((c) => c.name).join(', ')})`,
      contract.partitionBy,
    )
  else if (!PARTITION_TYPES.includes(parseType(partition.type).kind))
    problem(
      ['partitionBy'],
      `a column of type ${PARTITION_TYPES.join(', ')} (${partition.name} is ${partition.type})`,
      contract.partitionBy,
    )
  if (contract.columns.length < 2)
    problem(['columns'], 'at least one column besides the partition column', contract.columns.length)
  if (contract.source.delimiter === contract.source.quote)
    problem(['source', 'quote'], 'another character than the delimiter', contract.source.quote)
}
