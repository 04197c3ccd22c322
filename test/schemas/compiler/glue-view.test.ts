import { expect, test } from 'vitest'
import { glueTable } from '../../../schemas/compiler/glue-table.ts'
import { glueView } from '../../../schemas/compiler/glue-view.ts'
import { parseContract } from '../../../schemas/contract.ts'

const contract = parseContract({
  dataset: 'small',
  version: 2,
  description: 'Small things',
  columns: [
    { source: 'Key', name: 'KEY', type: 'string', description: 'What it is' },
    { source: 'N', name: 'N', type: 'int' },
    { source: 'Big', name: 'BIG', type: 'bigint' },
    { source: 'Value', name: 'VALUE', type: 'decimal(10,2)' },
    { source: 'Day', name: 'DAY', type: 'date' },
    { source: 'At', name: 'AT', type: 'timestamp' },
    { source: 'Ok', name: 'OK', type: 'boolean' },
    { source: 'X', name: 'X', type: 'double' },
  ],
  partitionBy: 'KEY',
  table: { database: 'db', name: 'small' },
})

test('a view shows the table of its version, column for column, and says which version that is', () => {
  const view = glueView(contract)
  expect(view).toMatchObject({
    Name: 'small',
    Description: 'Small things',
    TableType: 'VIRTUAL_VIEW',
    Parameters: { presto_view: 'true', comment: 'Presto View', 'landfall.version': '2' },
    PartitionKeys: [],
    ViewExpandedText: '/* Presto View */',
  })
  const { name, partitionKeys, storageDescriptor } = glueTable(contract, 's3://delivery/data/small.v2/')
  expect(name).toBe('small_v2')
  expect(view.StorageDescriptor.Columns).toEqual(
    [...storageDescriptor.columns, ...partitionKeys].map(({ name, type, comment }) => ({
      Name: name,
      Type: type,
      ...(comment && { Comment: comment }),
    })),
  )
})

test('its SQL is what Athena writes into the catalog for CREATE VIEW, with the names of its own types', () => {
  const [, base64 = ''] = /^\/\* Presto View: (\S+) \*\/$/.exec(glueView(contract).ViewOriginalText) ?? []
  expect(JSON.parse(Buffer.from(base64, 'base64').toString())).toEqual({
    originalSql: 'SELECT "n", "big", "value", "day", "at", "ok", "x", "key" FROM "db"."small_v2"',
    catalog: 'awsdatacatalog',
    schema: 'db',
    columns: [
      { name: 'n', type: 'integer' },
      { name: 'big', type: 'bigint' },
      { name: 'value', type: 'decimal(10,2)' },
      { name: 'day', type: 'date' },
      { name: 'at', type: 'timestamp' },
      { name: 'ok', type: 'boolean' },
      { name: 'x', type: 'double' },
      { name: 'key', type: 'varchar' },
    ],
  })
})
