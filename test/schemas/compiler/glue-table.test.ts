import { expect, test } from 'vitest'
import { glueTable } from '../../../schemas/compiler/glue-table.ts'
import { salesContract } from '../../engine/suite.ts'

test('the table of sales is external parquet with lower-case names, partitioned by country', () => {
  const table = glueTable(salesContract(), 's3://delivery/data/sales/')
  expect(table).toMatchObject({
    name: 'data_deliveryzone',
    tableType: 'EXTERNAL_TABLE',
    parameters: { classification: 'parquet' },
    partitionKeys: [{ name: 'country', type: 'string' }],
    storageDescriptor: {
      location: 's3://delivery/data/sales/',
      serdeInfo: { serializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
    },
  })
  expect(table.storageDescriptor.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'region string',
    'item_type string',
    'sales_channel string',
    'order_priority string',
    'order_date date',
    'order_id int',
    'ship_date date',
    'units_sold int',
    'unit_price decimal(10,2)',
    'unit_cost decimal(10,2)',
    'total_revenue decimal(10,2)',
    'total_cost decimal(10,2)',
    'total_profit decimal(10,2)',
  ])
})
