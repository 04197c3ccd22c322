import type { Contract, ContractColumn } from '../contract.ts'
import { physicalTable } from '../locations.ts'
import { glueColumn } from './glue-table.ts'

/** Parameter of the view that people query: the version of the contract whose rows it shows. */
export const VERSION_PARAMETER = 'landfall.version'

/** A view as Athena keeps it in Glue, in the spelling of Glue's TableInput. */
export interface GlueView {
  Name: string
  Description?: string
  TableType: 'VIRTUAL_VIEW'
  Parameters: Record<string, string>
  PartitionKeys: []
  StorageDescriptor: { Columns: { Name: string; Type: string; Comment?: string }[]; Location: '' }
  ViewOriginalText: string
  ViewExpandedText: string
}

/** Names of Trino's types where they are not Glue's. */
const TRINO_TYPES: Record<string, string> = { string: 'varchar', int: 'integer' }

/**
 * The name that people query, from version 2 on: a view over the table of the contract's version. Which version people see
 * is then one entry of the catalog, and changing it is one call.
 */
export function glueView(contract: Contract): GlueView {
  const { partitionBy, table, version, description } = contract
  const isPartition = ({ name }: ContractColumn) => name === partitionBy
  // As the table has them: its partition key comes last.
  const columns = [
    ...contract.columns.filter((column) => !isPartition(column)),
    ...contract.columns.filter(isPartition),
  ]
  const glue = columns.map(glueColumn)
  const physical = physicalTable(contract)
  const quoted = (name: string) => `"${name}"`
  const view = {
    originalSql: `SELECT ${glue.map(({ name }) => quoted(name)).join(', ')} FROM ${quoted(physical.database)}.${quoted(physical.name)}`,
    catalog: 'awsdatacatalog',
    schema: physical.database,
    columns: glue.map(({ name, type }) => ({ name, type: TRINO_TYPES[type] ?? type })),
  }
  return {
    Name: table.name,
    ...(description === undefined ? {} : { Description: description }),
    TableType: 'VIRTUAL_VIEW',
    Parameters: { presto_view: 'true', comment: 'Presto View', [VERSION_PARAMETER]: String(version) },
    PartitionKeys: [],
    StorageDescriptor: {
      Columns: glue.map(({ name, type, comment }) => ({
        Name: name,
        Type: type,
        ...(comment === undefined ? {} : { Comment: comment }),
      })),
      Location: '',
    },
    ViewOriginalText: `/* Presto View: ${Buffer.from(JSON.stringify(view)).toString('base64')} */`,
    ViewExpandedText: '/* Presto View */',
  }
}
