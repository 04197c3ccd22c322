import type { z } from 'zod'
import { type Expected, expectations } from './expected.ts'
import { formatProblem } from './formats.ts'
import { isAbove, limitText } from './limits.ts'
import { parseType, type Type } from './types.ts'

interface Column {
  source: string
  name: string
  type: string
  formats?: string[] | undefined
  decimal: string
  thousands?: string | undefined
  min?: string | number | undefined
  max?: string | number | undefined
  oneOf?: (string | number)[] | undefined
}
interface Columns {
  columns: Column[]
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
    const isWhole = type.kind === 'int' || type.kind === 'bigint'
    const hasDecimals = type.kind === 'decimal' || type.kind === 'double'
    if (column.decimal !== '.' && !hasDecimals)
      problem([...at, 'decimal'], `no decimal separator: ${column.type} has no decimals`, column.decimal)
    if (column.thousands !== undefined && !isWhole && !hasDecimals)
      problem([...at, 'thousands'], `no thousands separator: ${column.type} is no number`, column.thousands)
    if (column.thousands === column.decimal && hasDecimals)
      problem(
        [...at, 'thousands'],
        `another character than the decimal separator ("${column.decimal}")`,
        column.thousands,
      )
    for (const { path, expected, found } of limitProblems(column, type)) problem([...at, ...path], expected, found)
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

interface Expecting {
  dataset: string
  expected?: Expected | Expected[] | undefined
}

/** A file that is due lands in a folder of its dataset, and two that are due are told apart. */
export function checkExpected(contract: Expecting, context: z.core.$RefinementCtx): void {
  const { dataset, expected } = contract
  const seen = new Map<string, number>()
  expectations(contract).forEach(({ cron, prefix = '' }, index) => {
    const at: Path = Array.isArray(expected) ? ['expected', index] : ['expected']
    const folders = [`landing/${dataset}/`, `data/${dataset}/`]
    if (prefix && !folders.some((folder) => prefix.startsWith(folder)))
      context.addIssue({
        code: 'custom',
        path: [...at, 'prefix'],
        message: `a key that begins with ${folders.join(' or ')}`,
        input: prefix,
      })
    const same = seen.get(`${cron} ${prefix}`)
    if (same !== undefined)
      context.addIssue({
        code: 'custom',
        path: [...at, 'cron'],
        message: `another time or another prefix than expected[${same}] has`,
        input: cron,
      })
    seen.set(`${cron} ${prefix}`, index)
  })
}

interface Problem {
  path: Path
  expected: string
  found: unknown
}

function limitProblems({ min, max, oneOf }: Column, type: Type): Problem[] {
  const problems: Problem[] = []
  const textOf = (
    limit: string | number | undefined,
    path: Path,
    read = (value: string | number) => limitText(value, type),
  ) => {
    if (limit === undefined) return undefined
    try {
      return read(limit)
    } catch (error) {
      problems.push({ path, expected: (error as Error).message, found: limit })
      return undefined
    }
  }
  const [least, most] = [textOf(min, ['min']), textOf(max, ['max'])]
  if (least !== undefined && most !== undefined && isAbove(least, most, type))
    problems.push({ path: ['max'], expected: `a value that is not below min (${min})`, found: max })
  if (!oneOf) return problems
  if (min !== undefined || max !== undefined)
    problems.push({ path: ['oneOf'], expected: 'no oneOf beside min or max: the list is the limit', found: oneOf })
  const seen = new Set<string>()
  oneOf.forEach((value, position) => {
    const path = ['oneOf', position]
    const text = textOf(value, path, (value) => listedText(value, type))
    if (text !== undefined && seen.has(text)) problems.push({ path, expected: 'a value of its own', found: value })
    if (text !== undefined) seen.add(text)
  })
  return problems
}

/** @throws Error saying what a listed value should have been */
function listedText(value: string | number, type: Type): string {
  if (type.kind === 'int' || type.kind === 'bigint') return limitText(value, type)
  if (type.kind !== 'string') throw new Error(`no oneOf: it belongs to string, int and bigint, not to ${type.kind}`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what no listed text may have.
  if (typeof value !== 'string' || !/^[^\u0000-\u001f\u007f]+$/.test(value) || /^[ \u00a0]|[ \u00a0]$/.test(value))
    throw new Error('a text without control characters and without blanks around it, as values are')
  return value
}
