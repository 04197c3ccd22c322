import type { Contract } from '../../../schemas/contract.ts'
import { DEFAULT_FORMATS } from '../../../schemas/formats.ts'
import type { RejectReason } from '../../../schemas/report.ts'
import { parseType, typeText } from '../../../schemas/types.ts'
import { type Change, change } from './change.ts'
import { confusedWith, formatOf } from './date-formats.ts'
import type { Judged } from './judge.ts'

/** A change that takes every wrong value of a column, and what people must know before they make it. */
export type Admission = { changes: Change[]; note?: string }

/**
 * Changes of the contract for the rows that were rejected: only such as take all wrong values of their column.
 * What changes the table itself, or what a column promises, is for a file that would be refused without it: in any other,
 * some values out of range are more likely wrong than the contract is.
 */
export async function valueChanges(contract: Contract, { report, problem, values }: Judged): Promise<Admission[]> {
  const admissions: Admission[] = []
  const reasonsOf = (source: string | null) =>
    report.reasons.filter(({ column }) => column === source).map(({ reason }) => reason)
  if (reasonsOf(null).includes('unclosed_quote'))
    admissions.push({
      changes: [change(contract, ['source', 'multiline'], true)],
      note: 'With multiline, a quote that someone forgot to close joins its line with the ones after it.',
    })
  for (const [i, column] of contract.columns.entries()) {
    const reasons = reasonsOf(column.source)
    if (reasons.length === 0) continue
    const admission = await columnChange(contract, i, reasons, problem !== undefined, (some) =>
      values(column.source, some),
    )
    if (admission) admissions.push(admission)
  }
  return admissions
}

async function columnChange(
  contract: Contract,
  i: number,
  reasons: RejectReason[],
  refused: boolean,
  values: (reasons: RejectReason[]) => Promise<string[] | undefined>,
): Promise<Admission | undefined> {
  const column = contract.columns[i]
  if (!column) return undefined
  const type = parseType(column.type)
  const widened = (to: string): Admission => ({
    changes: [change(contract, ['columns', i, 'type'], to)],
    note: `The type of ${column.name} in the table changes with it.`,
  })
  if (type.kind === 'date' || type.kind === 'timestamp') {
    const wrong = await values([type.kind === 'date' ? 'not_a_date' : 'not_a_timestamp'])
    const known = column.formats ?? [...DEFAULT_FORMATS[type.kind]]
    const format = wrong?.length ? formatOf(type.kind, wrong, known) : undefined
    if (format === undefined) return refused ? required(contract, i, reasons) : undefined
    const confused = confusedWith(format, known)
    return {
      changes: [change(contract, ['columns', i, 'formats'], [...known, format])],
      ...(confused && {
        note: `Where day and month could be either, ${confused} still decides, for it is first. If every file is written as ${format}, that format belongs there alone.`,
      }),
    }
  }
  if (!refused) return undefined
  if (type.kind === 'int' && reasons.includes('out_of_range')) {
    const wrong = await values(['out_of_range'])
    if (wrong?.every(isBigint)) return widened('bigint')
  }
  if (type.kind === 'decimal' && (reasons.includes('out_of_range') || reasons.includes('too_precise'))) {
    const wrong = await values(['out_of_range', 'too_precise'])
    const decimal = wrong && widerDecimal(type, wrong)
    if (decimal) return widened(typeText({ kind: 'decimal', ...decimal }))
  }
  return required(contract, i, reasons)
}

const required = (contract: Contract, i: number, reasons: RejectReason[]): Admission | undefined =>
  reasons.includes('required_missing') ? { changes: [change(contract, ['columns', i, 'required'], false)] } : undefined

function isBigint(text: string): boolean {
  const value = BigInt(text.trim().replace(/^\+/, ''))
  return BigInt.asIntN(64, value) === value
}

/** Room for these as well as for all that had room before; undefined beyond 38 digits. */
function widerDecimal(type: { precision: number; scale: number }, values: string[]) {
  let whole = type.precision - type.scale
  let { scale } = type
  for (const value of values) {
    const [, before = '', after = ''] = /^[+-]?0*(\d*)(?:\.(\d*?)0*)?$/.exec(value.trim()) ?? []
    whole = Math.max(whole, before.length)
    scale = Math.max(scale, after.length)
  }
  return whole + scale <= 38 ? { precision: whole + scale, scale } : undefined
}
