import type { Plan } from '../../../schemas/plan.ts'
import { RefusedSource } from '../refused.ts'

export interface Layout {
  /** Fields in each line of the file. */
  width: number
  /** For each column of the plan its place in the file, null where the file lacks it. */
  places: (number | null)[]
}

const SHOWN = 300

/** Finds the plan's columns in a header, in whatever order. @throws RefusedSource `header_mismatch` */
export function matchHeader(fields: string[], line: string, plan: Plan, key: string): Layout {
  const refuse = (what: string) => {
    const found = line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line
    const other = otherDelimiter(line, plan)
    const hint = other ? `; this header looks like ${show(other)}` : ''
    return new RefusedSource(
      'header_mismatch',
      `Header of ${key} ${what} (found: ${found}). The contract expects delimiter ${show(plan.source.delimiter)}${hint}. Correct the file, or the contract of ${plan.dataset}, and land it again.`,
    )
  }
  const places = plan.columns.map(({ source }) => {
    const place = fields.indexOf(source)
    if (place >= 0 && fields.indexOf(source, place + 1) >= 0) throw refuse(`has the column "${source}" twice`)
    return place >= 0 ? place : null
  })
  const missing = plan.columns.filter(
    ({ required }, i) => places[i] === null && (required || plan.missingColumns === 'refuse'),
  )
  if (missing.length > 0) throw refuse(`has no column ${list(missing.map(({ source }) => source))}`)
  // A file of which no column is known is another file, however lenient the contract.
  if (places.every((place) => place === null)) throw refuse('has none of the columns')
  const unknown = fields.filter((_, place) => !places.includes(place))
  if (unknown.length > 0 && plan.unknownColumns === 'refuse')
    throw refuse(`has a column ${list(unknown)} that the contract does not list`)
  return { width: fields.length, places }
}

const list = (names: string[]) => names.map((name) => `"${name}"`).join(', ')
const show = (delimiter: string) => (delimiter === '\t' ? 'a tab' : `"${delimiter}"`)

/** The delimiter that would show more of the columns than the contract's does. */
function otherDelimiter(line: string, plan: Plan): string | undefined {
  const known = (delimiter: string) => {
    const fields = line.split(delimiter).map((field) => field.replaceAll(plan.source.quote, '').trim())
    return plan.columns.filter(({ source }) => fields.includes(source)).length
  }
  const own = known(plan.source.delimiter)
  return [',', ';', '\t', '|'].find((other) => other !== plan.source.delimiter && known(other) > Math.max(own, 1))
}
