import type { GlueColumn, GlueTable } from './compiler/glue-table.ts'

/** The table of runs that have ended, in the database of each contract. No contract's own table may have this name. */
export const RUNS_TABLE = 'runs'

/** Columns of `runs/<dataset>/<month>/<run>.json`. What is not known of a run is null. */
const COLUMNS = {
  run_id: { type: 'string', comment: 'One journey of one version of a landed object; rejects have it, too' },
  dataset: { type: 'string', comment: 'The folder that it landed in, which a contract names or not' },
  source_id: { type: 'string', comment: 'The landed key: a readable stem and a hash' },
  kind: { type: 'string', comment: 'zip or csv' },
  key: { type: 'string', comment: 'Of the landed object, in the raw bucket' },
  version_id: { type: 'string', comment: 'Of the landed object, as S3 calls it' },
  bytes: { type: 'bigint', comment: 'Of the landed object' },
  cause: { type: 'string', comment: 'live, or the name of the replay or rerun' },
  state: { type: 'string', comment: 'extracted, delivered, refused, failed or superseded' },
  problem_code: { type: 'string', comment: 'Why it was refused, failed or superseded; landfall show has the words' },
  rows_in: { type: 'bigint', comment: 'accepted + rejected, unless it was refused' },
  accepted: { type: 'bigint', comment: 'Rows that were typed' },
  rejected: { type: 'bigint', comment: 'Rows that were not; the table rejects has them' },
  partitions: { type: 'int', comment: 'That its rows went to' },
  landed_at: { type: 'timestamp', comment: 'UTC, by the clock of S3' },
  registered_at: { type: 'timestamp', comment: 'UTC' },
  ended_at: { type: 'timestamp', comment: 'UTC' },
  landed_to_queryable_ms: { type: 'bigint', comment: 'Of a live run that was delivered, since it or its zip landed' },
  contract_version: { type: 'int', comment: 'That its rows were typed under' },
  code_version: { type: 'string', comment: 'Of the code that it ended under' },
  zip_run_id: { type: 'string', comment: 'The run of the zip that it came in' },
  same_as_run_id: { type: 'string', comment: 'A run of another file with the same bytes, which landed before' },
  cost_usd: { type: 'double', comment: 'An estimate at list prices; a zip and its members have each their own' },
} as const satisfies Record<string, { type: string; comment: string }>

type ValueOf = { string: string; timestamp: string; bigint: number; int: number; double: number }
/** One run as the table has it. Timestamps are `yyyy-MM-dd HH:mm:ss.SSS`. */
export type RunRow = {
  [Name in keyof typeof COLUMNS]: ValueOf[(typeof COLUMNS)[Name]['type']] | null
}

export const RUN_COLUMNS: GlueColumn[] = Object.entries(COLUMNS).map(([name, column]) => ({ name, ...column }))

/**
 * A table over all runs of all datasets, one JSON object a run. Without partitions: Athena reads the folders below its
 * location, so a run is there at once, and no crawler has to know of it.
 * @param like a delivered table of the same database
 * @param location the folder of all runs, `s3://…/runs/`
 * @throws Error when the other table has the name of this one
 */
export function runsTable(like: GlueTable, location: string): GlueTable {
  if (like.name === RUNS_TABLE)
    throw new Error(`A contract's table is named "${RUNS_TABLE}", which is the table of runs. Give it another name.`)
  return {
    name: RUNS_TABLE,
    description: 'Runs that have ended: what became of each version of each landed object, when, and at what cost',
    tableType: like.tableType,
    parameters: { classification: 'json', EXTERNAL: 'TRUE' },
    partitionKeys: [],
    storageDescriptor: {
      columns: RUN_COLUMNS,
      location,
      inputFormat: 'org.apache.hadoop.mapred.TextInputFormat',
      outputFormat: 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat',
      serdeInfo: { serializationLibrary: 'org.openx.data.jsonserde.JsonSerDe', parameters: {} },
    },
  }
}
