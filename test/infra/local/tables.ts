import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { type Clients, eventually, temporary } from './support.ts'

export const DatabaseName = 'sales'
export const Bucket = 'delivery'

const Columns = [
  { Name: 'id', Type: 'int' },
  { Name: 'ordered', Type: 'date' },
  { Name: 'price', Type: 'decimal(10,2)' },
]

/** An empty table `orders`, partitioned by `country`, its folders `COUNTRY=<value>`, and a bucket for it. */
export async function createOrders({ glue, s3 }: Clients, ...names: string[]): Promise<void> {
  await s3.createBucket({ Bucket })
  await glue.createDatabase({ DatabaseInput: { Name: DatabaseName } })
  for (const Name of names) {
    await glue.createTable({
      DatabaseName,
      TableInput: {
        Name,
        PartitionKeys: [{ Name: 'country', Type: 'string' }],
        StorageDescriptor: storage(`s3://${Bucket}/${Name}/`),
        Parameters: { classification: 'parquet' },
      },
    })
  }
}

export const storage = (Location: string) => ({
  Columns,
  Location,
  InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
  OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
  SerdeInfo: { SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
})

/** An empty table `runs` of JSON, not partitioned, beside `orders`. */
export async function createRuns({ glue }: Clients): Promise<void> {
  const runs = [
    { Name: 'run_id', Type: 'string' },
    { Name: 'rows_in', Type: 'bigint' },
    { Name: 'ended_at', Type: 'timestamp' },
    { Name: 'cost_usd', Type: 'double' },
  ]
  await glue.createTable({
    DatabaseName,
    TableInput: {
      Name: 'runs',
      StorageDescriptor: {
        Columns: runs,
        Location: `s3://${Bucket}/runs/`,
        InputFormat: 'org.apache.hadoop.mapred.TextInputFormat',
        SerdeInfo: { SerializationLibrary: 'org.openx.data.jsonserde.JsonSerDe' },
      },
      Parameters: { classification: 'json' },
    },
  })
}

/** Parquet of a SELECT, with upper-case names as our jobs write them. */
export async function parquet(select: string): Promise<Buffer> {
  const file = join(temporary(), 'x.parquet')
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  await connection.run(`COPY (${select}) TO '${file}' (FORMAT parquet, COMPRESSION zstd)`)
  connection.closeSync()
  instance.closeSync()
  return readFileSync(file)
}

export const order = (id: number) =>
  parquet(`SELECT ${id}::INT AS "ID", DATE '2015-10-13' AS "ORDERED", 9.30::DECIMAL(10,2) AS "PRICE"`)

/** The rows of a query, header first, as Athena prints them; null for NULL. @throws Error with Athena's reason */
export async function query({ athena, s3 }: Clients, QueryString: string): Promise<(string | null)[][]> {
  await s3.createBucket({ Bucket: 'results' }).catch(() => {})
  const { QueryExecutionId } = await athena.startQueryExecution({
    QueryString,
    QueryExecutionContext: { Database: DatabaseName },
    ResultConfiguration: { OutputLocation: 's3://results/' },
  })
  await eventually('the query', async () => {
    const { Status } = (await athena.getQueryExecution({ QueryExecutionId })).QueryExecution ?? {}
    if (Status?.State === 'FAILED') throw new Error(Status.StateChangeReason)
    return Status?.State === 'SUCCEEDED' ? true : undefined
  })
  const { ResultSet } = await athena.getQueryResults({ QueryExecutionId })
  return (ResultSet?.Rows ?? []).map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue ?? null))
}
