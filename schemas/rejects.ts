import type { GlueColumn, GlueTable } from './compiler/glue-table.ts'

/** The table of rejected rows, in the database of each contract. No contract's own table may have this name. */
export const REJECTS_TABLE = 'rejects'

/** The columns of `rejects/<dataset>/<source>/<run>.parquet`, as both engines write them. */
export const REJECT_COLUMNS: GlueColumn[] = [
  { name: 'dataset', type: 'string', comment: 'The contract that the row was read by' },
  { name: 'source_id', type: 'string', comment: 'The raw key: a readable stem and a hash' },
  { name: 'run_id', type: 'string', comment: 'One version of the source; a newer one has another' },
  { name: 'line', type: 'bigint', comment: '1-based, header included; null where the engine need not know it' },
  { name: 'column_name', type: 'string', comment: 'As the source spells it; null where the row as a whole is wrong' },
  { name: 'value', type: 'string', comment: 'What was found there' },
  { name: 'reason', type: 'string', comment: 'One of REJECT_REASONS in schemas/report.ts' },
  { name: 'original', type: 'string', comment: 'The text of the row' },
]

/**
 * A table over all rejects of all datasets. Without partitions: Athena reads the folders below its location, so a new
 * file is there at once, and no crawler has to know of it.
 * @param like a delivered table of the same database, which is parquet too
 * @param location the folder of all rejects, `s3://…/rejects/`
 * @throws Error when the other table has the name of this one
 */
export function rejectsTable(like: GlueTable, location: string): GlueTable {
  if (like.name === REJECTS_TABLE)
    throw new Error(
      `A contract's table is named "${REJECTS_TABLE}", which is the table of rejected rows. Give it another name.`,
    )
  return {
    ...like,
    name: REJECTS_TABLE,
    description: 'Rows that were not delivered, with the reason and their original text',
    partitionKeys: [],
    storageDescriptor: { ...like.storageDescriptor, columns: REJECT_COLUMNS, location },
  }
}
