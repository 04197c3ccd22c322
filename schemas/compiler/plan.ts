import type { Contract, ContractColumn } from '../contract.ts'
import { DEFAULT_FORMATS } from '../formats.ts'
import { limitText } from '../limits.ts'
import type { Plan, PlanColumn } from '../plan.ts'
import { parseType } from '../types.ts'
import { duckdbColumn } from './duckdb.ts'
import { sparkColumn } from './spark.ts'

/** The plan that jobs execute. The same contract always gives the same plan. */
export function compile(contract: Contract): Plan {
  const columns = contract.columns.map(planColumn)
  const { dataset, version, partitionBy, unknownColumns, missingColumns, limits } = contract
  const { delimiter, quote, encoding, multiline } = contract.source
  return {
    plan: 1,
    dataset,
    version,
    source: { delimiter, quote, encoding, multiline },
    columns,
    partitionBy,
    unknownColumns,
    missingColumns,
    limits,
    duckdb: { columns: columns.map(duckdbColumn) },
    spark: { columns: columns.map((column, i) => sparkColumn(column, i, contract.source)) },
  }
}

function planColumn({ source, name, type: text, formats, required, ...rules }: ContractColumn): PlanColumn {
  const type = parseType(text)
  const limit = (value: string | number | undefined) => (value === undefined ? undefined : limitText(value, type))
  const [min, max] = [limit(rules.min), limit(rules.max)]
  const oneOf = rules.oneOf?.map((value) => (type.kind === 'string' ? String(value) : limitText(value, type)))
  const dated = type.kind === 'date' || type.kind === 'timestamp' ? type.kind : null
  return {
    source,
    name,
    ...type,
    ...(dated && { formats: formats ?? [...DEFAULT_FORMATS[dated]] }),
    ...(rules.decimal !== '.' && { decimal: rules.decimal }),
    ...(rules.thousands !== undefined && { thousands: rules.thousands }),
    required,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(oneOf && { oneOf }),
    ...(rules.unique && { unique: true }),
  }
}
