import type { PlanColumn } from '../plan.ts'

/** The years of which every moment is within the limits of a column, the first and the last. Without limits null: all of them are. */
export function plainYears({ min, max }: PlanColumn): { first: number; last: number } | null {
  if (min === undefined && max === undefined) return null
  const [year, begins] = [Number(min?.slice(0, 4) ?? 1), min === undefined || isBegin(min)]
  const [until, ends] = [Number(max?.slice(0, 4) ?? 9999), max === undefined || isEnd(max)]
  return { first: begins ? year : year + 1, last: ends ? until : until - 1 }
}

const isBegin = (limit: string) => /^.{4}-01-01(?: 00:00:00\.000000)?$/.test(limit)
const isEnd = (limit: string) => /^.{4}-12-31(?: 23:59:59\.999999)?$/.test(limit)

/** A regular expression of the numbers from `first` to `last`, padded to so many digits. There must be one. */
export function rangePattern(first: number, last: number, digits = 4): string {
  if (digits === 0) return ''
  const unit = 10 ** (digits - 1)
  const [low, high] = [Math.floor(first / unit), Math.floor(last / unit)]
  const rest = digits > 1 ? `[0-9]{${digits - 1}}` : ''
  const leading = (from: number, to: number) => (from > to ? [] : [`${from === to ? from : `[${from}-${to}]`}${rest}`])
  if (low === high) return `${low}${rangePattern(first % unit, last % unit, digits - 1)}`
  const [lowWhole, highWhole] = [first % unit === 0, last % unit === unit - 1]
  return `(?:${[
    ...(lowWhole ? [] : [`${low}${rangePattern(first % unit, unit - 1, digits - 1)}`]),
    ...leading(lowWhole ? low : low + 1, highWhole ? high : high - 1),
    ...(highWhole ? [] : [`${high}${rangePattern(0, last % unit, digits - 1)}`]),
  ].join('|')})`
}
