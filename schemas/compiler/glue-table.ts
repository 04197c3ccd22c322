import type { Contract, ContractColumn } from '../contract.ts'
import { physicalTable } from '../locations.ts'

/** The part of Glue's TableInput that Landfall sets, in the spelling of CloudFormation's L1 properties. */
export interface GlueTable {
  name: string
  description?: string
  tableType: 'EXTERNAL_TABLE'
  parameters: Record<string, string>
  partitionKeys: GlueColumn[]
  storageDescriptor: {
    columns: GlueColumn[]
    location: string
    inputFormat: string
    outputFormat: string
    serdeInfo: { serializationLibrary: string; parameters: Record<string, string> }
  }
}
export interface GlueColumn {
  name: string
  type: string
  comment?: string
}

/**
 * The catalog's table over the rows of the contract's version. Names are lower-case here, whatever case the parquet files have: Athena matches them regardless.
 * @param location the folder of these rows, `s3://…/data/<dataset>/`
 */
export function glueTable(contract: Contract, location: string): GlueTable {
  const isPartition = (column: ContractColumn) => column.name === contract.partitionBy
  return {
    name: physicalTable(contract).name,
    ...(contract.description === undefined ? {} : { description: contract.description }),
    tableType: 'EXTERNAL_TABLE',
    parameters: { classification: 'parquet', EXTERNAL: 'TRUE' },
    partitionKeys: contract.columns.filter(isPartition).map(glueColumn),
    storageDescriptor: {
      columns: contract.columns.filter((column) => !isPartition(column)).map(glueColumn),
      location,
      inputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
      outputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
      serdeInfo: {
        serializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
        parameters: { 'serialization.format': '1' },
      },
    },
  }
}

/** The contract's type names are Glue's own. */
export const glueColumn = ({ name, type, description }: ContractColumn): GlueColumn => ({
  name: name.toLowerCase(),
  type,
  ...(description === undefined ? {} : { comment: description }),
})
