import { scaled } from '../limits.ts'
import type { PlanColumn } from '../plan.ts'

/** Which texts of digits are plainly within the limits of their column, by the number of digits before the point alone. */
export interface PlainNumbers {
  /** At least so many, the first of them not 0. With 0, any of them may be. */
  least: number
  most: number
  /** Whether the same texts with a minus are, too. */
  negative: boolean
}

/** @param digits that the type holds before the point. @returns null where no text is plainly right */
export function plainNumbers({ kind, scale = 0, min, max }: PlanColumn, digits: number): PlainNumbers | null {
  const bound = (limit: string) => (kind === 'double' ? Number(limit) : scaled(limit))
  const power = (of: number) => (kind === 'double' ? 10 ** of : scaled(`1${'0'.repeat(of)}`))
  const unit = kind === 'double' ? 0 : scaled('1') / 10n ** BigInt(scale)
  /** The largest number that so many digits write, or for a double the least that they do not. */
  const largest = (of: number) => (typeof unit === 'bigint' ? (power(of) as bigint) - unit : power(of))
  let most = digits
  while (most > 0 && max !== undefined && largest(most) > bound(max)) most -= 1
  let least = 0
  if (min !== undefined && bound(min) > 0) {
    least = 1
    while (least <= most && power(least - 1) < bound(min)) least += 1
  }
  if (most === 0 || least > most) return null
  return { least, most, negative: min === undefined || -bound(min) >= largest(most) }
}
