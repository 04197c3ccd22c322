import type { PlanColumn } from '../plan.ts'
import type { RejectReason } from '../report.ts'

interface Rules {
  /** True where a value breaks none, and where there is no value. */
  kept: string
  /** Branches of a CASE that give the reason for one that does. */
  cases: string
}

/**
 * The rules of a column in the SQL that both dialects share.
 * @param literal of a text that casts to the column's type, in SQL
 * @returns null for a column without rules
 */
export function rulesOf(
  { min, max, oneOf }: PlanColumn,
  value: string,
  literal: (text: string) => string,
): Rules | null {
  const broken: [condition: string, reason: RejectReason][] = []
  if (min !== undefined) broken.push([`${value} < ${literal(min)}`, 'below_min'])
  if (max !== undefined) broken.push([`${value} > ${literal(max)}`, 'above_max'])
  if (oneOf) broken.push([`${value} NOT IN (${oneOf.map(literal).join(', ')})`, 'not_one_of'])
  if (broken.length === 0) return null
  return {
    kept: `coalesce(NOT (${broken.map(([condition]) => condition).join(' OR ')}), true)`,
    cases: broken.map(([condition, reason]) => `WHEN ${condition} THEN '${reason}'`).join(' '),
  }
}

/** The check of a column: of its type, null where no text is wrong, and of its rules. */
export const both = (valid: string | null, rules: Rules | null): string | null =>
  valid && rules ? `(${valid}) AND ${rules.kept}` : (valid ?? rules?.kept ?? null)
