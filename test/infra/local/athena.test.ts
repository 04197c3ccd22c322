import { afterAll, describe, expect, it } from 'vitest'
import { glueView } from '../../../schemas/compiler/glue-view.ts'
import { parseContract } from '../../../schemas/contract.ts'
import { startLocal } from './support.ts'
import { Bucket, createOrders, createRuns, DatabaseName, order, parquet, query, storage } from './tables.ts'

const local = await startLocal()
afterAll(() => local.stop())
const { glue, s3 } = local
await createOrders(local, 'orders', 'many', 'big', 'text', 'empty', 'shown', 'shown_v2', 'shown_v3')
await createRuns(local)

const put = async (Key: string, Body: Buffer | string) => s3.putObject({ Bucket, Key, Body })
const register = (TableName: string, value: string, Location: string) =>
  glue.createPartition({
    DatabaseName,
    TableName,
    PartitionInput: { Values: [value], StorageDescriptor: storage(Location) },
  })

describe('a query on a partitioned table', () => {
  it('gives no rows and the right columns while no partition is registered', async () => {
    await put('orders/COUNTRY=Chad/a.parquet', await order(1))
    expect(await query(local, 'SELECT * FROM orders')).toEqual([['id', 'ordered', 'price', 'country']])
  })

  it('reads registered partitions only, with the values of the catalog and the names of the table', async () => {
    await put('orders/COUNTRY=Cote d%27Ivoire/a.parquet', await order(2))
    await register('orders', "Cote d'Ivoire", `s3://${Bucket}/orders/COUNTRY=Cote d%27Ivoire/`)
    expect(await query(local, 'SELECT * FROM orders')).toEqual([
      ['id', 'ordered', 'price', 'country'],
      ['2', '2015-10-13', '9.30', "Cote d'Ivoire"],
    ])
  })

  it('reads a folder as a folder, not as a prefix', async () => {
    await put('orders/COUNTRY=Niger/a.parquet', await order(3))
    await put('orders/COUNTRY=Nigeria/a.parquet', await order(4))
    await register('orders', 'Niger', `s3://${Bucket}/orders/COUNTRY=Niger`)
    expect(await query(local, "SELECT id FROM orders WHERE country LIKE 'Niger%'")).toEqual([['id'], ['3']])
  })

  it('reads the default partition as NULL', async () => {
    await put('orders/COUNTRY=__HIVE_DEFAULT_PARTITION__/a.parquet', await order(5))
    await register('orders', '__HIVE_DEFAULT_PARTITION__', `s3://${Bucket}/orders/COUNTRY=__HIVE_DEFAULT_PARTITION__/`)
    expect(await query(local, 'SELECT id, country FROM orders WHERE country IS NULL')).toEqual([
      ['id', 'country'],
      ['5', null],
    ])
  })

  it('reads what a file lacks as NULL, and not what the table lacks', async () => {
    await put('orders/COUNTRY=Mali/a.parquet', await parquet('SELECT 6::INT AS "ID", 1 AS "EXTRA"'))
    await register('orders', 'Mali', `s3://${Bucket}/orders/COUNTRY=Mali/`)
    expect(await query(local, "SELECT * FROM orders WHERE country = 'Mali'")).toEqual([
      ['id', 'ordered', 'price', 'country'],
      ['6', null, null, 'Mali'],
    ])
  })

  it('reads an empty file and a column that no file has', async () => {
    await put('empty/COUNTRY=Mali/a.parquet', await parquet('SELECT 6::INT AS "ID" LIMIT 0'))
    await register('empty', 'Mali', `s3://${Bucket}/empty/COUNTRY=Mali/`)
    expect(await query(local, 'SELECT count(*) AS n, max(price) AS p FROM empty')).toEqual([
      ['n', 'p'],
      ['0', null],
    ])
  })

  it('keeps the scale of decimals', async () => {
    expect(await query(local, 'SELECT price, sum(price) AS total FROM orders WHERE id = 3 GROUP BY price')).toEqual([
      ['price', 'total'],
      ['9.30', '9.30'],
    ])
    expect(await query(local, 'SELECT CAST(0 AS DECIMAL(12,8)) AS zero')).toEqual([['zero'], ['0.00000000']])
  })

  it('prints a timestamp with milliseconds', async () => {
    expect(await query(local, "SELECT TIMESTAMP '2015-10-13 01:02:03' AS t")).toEqual([
      ['t'],
      ['2015-10-13 01:02:03.000'],
    ])
  })

  it('refuses other formats than parquet in words', async () => {
    const { Table } = await glue.getTable({ DatabaseName, Name: 'text' })
    const { Name, PartitionKeys, StorageDescriptor } = Table ?? {}
    const Parameters = { classification: 'csv' }
    await glue.updateTable({ DatabaseName, TableInput: { Name, PartitionKeys, StorageDescriptor, Parameters } })
    await expect(query(local, 'SELECT * FROM text')).rejects.toThrow('only partitioned tables of parquet')
  })

  it('answers within five seconds over 185 partitions and two million rows', async () => {
    const columns = 'i::INT AS "ID", DATE \'2015-10-13\' AS "ORDERED", (i % 1000)::DECIMAL(10,2) AS "PRICE"'
    const body = await parquet(`SELECT ${columns} FROM range(10811) t(i)`)
    await Promise.all(Array.from({ length: 185 }, (_, i) => put(`many/COUNTRY=c${i}/a.parquet`, body)))
    await glue.batchCreatePartition({
      DatabaseName,
      TableName: 'many',
      PartitionInputList: Array.from({ length: 185 }, (_, i) => ({
        Values: [`c${i}`],
        StorageDescriptor: storage(`s3://${Bucket}/many/COUNTRY=c${i}/`),
      })),
    })
    const start = performance.now()
    const rows = await query(local, 'SELECT country, count(*) AS n, sum(price) AS p FROM many GROUP BY country')
    expect(rows).toHaveLength(186)
    expect(rows[1]?.[1]).toBe('10811')
    expect(performance.now() - start).toBeLessThan(5_000)
  })
})

describe('a query on a table of JSON', () => {
  it('gives the columns of the catalog in its types, and no row while there is no file', async () => {
    expect(await query(local, 'SELECT * FROM runs')).toEqual([['run_id', 'rows_in', 'ended_at', 'cost_usd']])
  })

  it('reads files in folders, NULL for what is null or lacking, and not what the table lacks', async () => {
    const ended = { ended_at: '2026-11-24 11:14:09.120', cost_usd: 0.1 }
    await put('runs/sales/2026-11/a.json', `${JSON.stringify({ run_id: '007', rows_in: null, ...ended, x: 1 })}\n`)
    await put('runs/visits/2026-12/b.json', '{"run_id":"2026-11-24"}\n')
    expect(await query(local, 'SELECT * FROM runs ORDER BY run_id')).toEqual([
      ['run_id', 'rows_in', 'ended_at', 'cost_usd'],
      ['007', null, '2026-11-24 11:14:09.120', '0.1'],
      ['2026-11-24', null, null, null],
    ])
    expect(await query(local, "SELECT hour(ended_at) AS h FROM runs WHERE run_id = '007'")).toEqual([['h'], ['11']])
  })
})

describe('a query on a view', () => {
  const view = (version: number) =>
    glueView(
      parseContract({
        dataset: 'orders',
        version,
        columns: [
          { source: 'id', name: 'ID', type: 'int' },
          { source: 'country', name: 'COUNTRY', type: 'string' },
          { source: 'ordered', name: 'ORDERED', type: 'date' },
          { source: 'price', name: 'PRICE', type: 'decimal(10,2)' },
        ],
        partitionBy: 'COUNTRY',
        table: { database: DatabaseName, name: 'shown' },
      }),
    )
  const fill = async (table: string, id: number) => {
    await put(`${table}/COUNTRY=Chad/a.parquet`, await order(id))
    await register(table, 'Chad', `s3://${Bucket}/${table}/COUNTRY=Chad/`)
  }
  /** A view of someone who made it with `CREATE VIEW`. */
  const create = (Name: string, originalSql: string, ViewOriginalText?: string) => {
    const text = Buffer.from(
      JSON.stringify({ originalSql, catalog: 'awsdatacatalog', schema: DatabaseName, columns: [] }),
    )
    return glue.createTable({
      DatabaseName,
      TableInput: {
        Name,
        TableType: 'VIRTUAL_VIEW',
        ViewOriginalText: ViewOriginalText ?? `/* Presto View: ${text.toString('base64')} */`,
        ViewExpandedText: '/* Presto View */',
      },
    })
  }

  it('reads the table below it, which one call has put in the place of the table that had the name', async () => {
    for (const [i, table] of ['shown', 'shown_v2', 'shown_v3'].entries()) await fill(table, i + 1)
    const ids = () => query(local, 'SELECT id FROM shown')
    expect(await ids()).toEqual([['id'], ['1']])
    await glue.updateTable({ DatabaseName, TableInput: view(2) })
    expect(await query(local, 'SELECT * FROM shown')).toEqual([
      ['id', 'ordered', 'price', 'country'],
      ['2', '2015-10-13', '9.30', 'Chad'],
    ])
    await glue.updateTable({ DatabaseName, TableInput: view(3) })
    expect(await ids()).toEqual([['id'], ['3']])
  })

  it('takes its name with and without a database and an alias, beside other tables', async () => {
    const ids = async (sql: string) => (await query(local, sql)).slice(1)
    expect(await ids(`SELECT shown.id FROM ${DatabaseName}.shown WHERE shown.country = 'Chad'`)).toEqual([['3']])
    expect(await ids(`SELECT ${DatabaseName}.shown.id FROM ${DatabaseName}.shown`)).toEqual([['3']])
    expect(await ids('SELECT s.id, o.id FROM shown s JOIN shown_v2 AS o ON s.country = o.country')).toEqual([
      ['3', '2'],
    ])
    expect(await ids('WITH x AS (SELECT id FROM shown) SELECT id FROM x')).toEqual([['3']])
  })

  it('reads views of views, whose names are those of their own database', async () => {
    await create('inner_view', 'SELECT id FROM shown_v2 UNION ALL SELECT shown.id FROM shown')
    await create('outer_view', 'SELECT sum(id) AS total FROM inner_view')
    expect(await query(local, `SELECT total FROM ${DatabaseName}.outer_view`)).toEqual([['total'], ['5']])
  })

  it('refuses in words a view that names itself, and one that Athena did not make', async () => {
    await create('endless', 'SELECT * FROM endless')
    await expect(query(local, 'SELECT * FROM endless')).rejects.toThrow('nested more than 16 deep')
    await create('hive', '', 'SELECT 1')
    await expect(query(local, 'SELECT * FROM hive')).rejects.toThrow('only views as Athena makes them')
  })
})
