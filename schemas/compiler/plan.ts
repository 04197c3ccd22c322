import type { Contract } from '../contract.ts'
import { DEFAULT_FORMATS } from '../formats.ts'
import type { Plan, PlanColumn } from '../plan.ts'
import { parseType } from '../types.ts'
import { duckdbColumn } from './duckdb.ts'
import { sparkColumn } from './spark.ts'

/** The plan that jobs execute. The same contract always gives the same plan. */
export function compile(contract: Contract): Plan {
  const columns = contract.columns.map(planColumn)
  const { dataset, version, partitionBy, unknownColumns, missingColumns, limits } = contract
  const { delimiter, quote, multiline } = contract.source
  return {
    plan: 1,
    dataset,
    version,
    source: { delimiter, quote, multiline },
    columns,
    partitionBy,
    unknownColumns,
    missingColumns,
    limits,
    duckdb: { columns: columns.map(duckdbColumn) },
    spark: { columns: columns.map((column, i) => sparkColumn(column, i, contract.source)) },
  }
}

function planColumn({ source, name, type: text, formats, required }: Contract['columns'][number]): PlanColumn {
  const type = parseType(text)
  if (type.kind === 'decimal') return { source, name, ...type, required }
  if (type.kind === 'date' || type.kind === 'timestamp')
    return { source, name, kind: type.kind, formats: formats ?? [...DEFAULT_FORMATS[type.kind]], required }
  return { source, name, kind: type.kind, required }
}
