import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as yauzl from 'yauzl-promise'
import type { SourceReport } from '../../schemas/report.ts'
import { duckdb } from './duckdb.ts'
import { Bench, parquetText, query, salesContract } from './suite.ts'

const zip = fileURLToPath(new URL('../../../shared/data/5000-Sales-Records.zip', import.meta.url))
const absent = !existsSync(zip)
if (absent) console.warn(`The real file is not at ${zip}: its tests are skipped.`)

describe.skipIf(absent)(`the real file${absent ? ' (skipped: ../shared/data is absent)' : ''}`, () => {
  const bench = new Bench(duckdb, salesContract())
  let converted: SourceReport
  let partitioned: SourceReport
  beforeAll(async () => {
    const archive = await yauzl.open(zip)
    const entry = await archive.readEntry()
    if (!entry) throw new Error('an empty zip')
    const csv = await text(await entry.openReadStream())
    await archive.close()
    converted = await bench.convert('5000_Sales_Records.csv', csv)
    partitioned = await bench.partition(converted.parts)
  }, 60_000)
  afterAll(() => bench.remove())

  test('has 5000 rows, of which 4999 are accepted', () => {
    expect(converted).toMatchObject({ rowsIn: 5000, accepted: 4999, rejected: 1, refusal: null })
  })

  test('has one wrong date, in line 6', async () => {
    expect(converted.examples).toEqual([{ line: 6, column: 'Order Date', value: '13/20/2015', reason: 'not_a_date' }])
    const rejects = await parquetText(converted.rejects?.uri ?? '', '*')
    expect(rejects).toEqual([
      [
        'sales',
        'source-0',
        'run-0',
        '6',
        'Order Date',
        '13/20/2015',
        'not_a_date',
        'Asia,Sri Lanka,Snacks,Offline,C,13/20/2015,571902596,7/27/2015,7542,152.58,97.44,1150758.36,734892.48,415865.88',
      ],
    ])
  })

  test('becomes 185 partitions with one object each', async () => {
    expect(partitioned).toMatchObject({ rowsIn: 4999, accepted: 4999 })
    expect(partitioned.parts).toHaveLength(185)
    expect(new Set(partitioned.parts.map(({ partition }) => partition)).size).toBe(185)
    expect(new Set(partitioned.parts.map(({ uri }) => uri)).size).toBe(185)
    expect(partitioned.parts.reduce((sum, { rows }) => sum + rows, 0)).toBe(4999)
  })

  test('has no blanks around its countries', () => {
    const countries = partitioned.parts.map(({ partition }) => partition)
    for (const country of ['Antigua and Barbuda', 'Mauritius', 'Moldova', 'Samoa', 'Seychelles', 'Tunisia'])
      expect(countries).toContain(country)
    expect(countries.filter((country) => country !== country?.trim())).toEqual([])
  })

  test('is typed as the contract says, without the partition column', async () => {
    const schema = await query(
      `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('${fileURLToPath(partitioned.parts[0]?.uri ?? '')}'))`,
    )
    expect(schema.map((row) => row.join(' '))).toEqual([
      'REGION VARCHAR',
      'ITEM_TYPE VARCHAR',
      'SALES_CHANNEL VARCHAR',
      'ORDER_PRIORITY VARCHAR',
      'ORDER_DATE DATE',
      'ORDER_ID INTEGER',
      'SHIP_DATE DATE',
      'UNITS_SOLD INTEGER',
      'UNIT_PRICE DECIMAL(10,2)',
      'UNIT_COST DECIMAL(10,2)',
      'TOTAL_REVENUE DECIMAL(10,2)',
      'TOTAL_COST DECIMAL(10,2)',
      'TOTAL_PROFIT DECIMAL(10,2)',
    ])
  })
})
