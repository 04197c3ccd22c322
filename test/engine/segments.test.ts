import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseContract } from '../../schemas/contract.ts'
import { runConvert } from '../../services/engine/duckdb/convert.ts'
import { fileIo } from '../../services/engine/io/file-io.ts'
import { duckdb } from './duckdb.ts'
import { Bench, parquetText } from './suite.ts'

const contract = parseContract({
  dataset: 'small',
  columns: [
    { source: 'Key', name: 'KEY', type: 'string' },
    { source: 'Value', name: 'VALUE', type: 'int' },
    { source: 'Day', name: 'DAY', type: 'date', formats: ['M/d/yyyy'] },
  ],
  partitionBy: 'KEY',
  table: { database: 'd', name: 't' },
  unknownColumns: 'ignore',
})

let bench: Bench
beforeEach(() => {
  const convert = (manifest: Parameters<typeof runConvert>[0]) =>
    runConvert(manifest, fileIo, { segmentBytes: 3000, blockBytes: 1000 })
  bench = new Bench({ ...duckdb, convert }, contract)
})
afterEach(() => bench.remove())

const WRONG: [string, string, string | null, string | null, string][] = [
  ['a,12x,1/2/2020,z', 'not_an_integer', 'Value', '12x', ''],
  ['"a,b",1.5,1/2/2020,z', 'not_an_integer', 'Value', '1.5', ''],
  ['"say ""hi""",1,"13/40/2020",z', 'not_a_date', 'Day', '13/40/2020', ''],
  ['mid"quote,1,2/30/2020,"z"', 'not_a_date', 'Day', '2/30/2020', ''],
  ['é\ufeff\0,99999999999,1/2/2020,', 'out_of_range', 'Value', '99999999999', ''],
  ['a,1', 'too_few_fields', null, null, ''],
]

test('a source of many segments gives several parts, and each reject its line of the source', async () => {
  const lines = ['Key,Value,Day,Other']
  const rejects: unknown[] = []
  let good = 0
  for (let i = 0; i < 2000; i++) {
    if (i % 7 === 0) lines.push('')
    // Some of them twice in a row: two rows of the same fields are two rejects.
    const wrong = i % 11 < 2 ? WRONG[Math.floor(i / 11) % WRONG.length] : undefined
    lines.push(wrong?.[0] ?? `k${i % 9},${i},1/${1 + (i % 28)}/2020,z`)
    if (wrong) rejects.push([String(lines.length), wrong[2], wrong[3], wrong[1], wrong[0]])
    else good += 1
  }
  const report = await bench.convert('x.csv', `${lines.join('\r\n')}\r\n`)
  expect(report).toMatchObject({ rowsIn: 2000, accepted: good, rejected: rejects.length, refusal: null })
  expect(report.parts.length).toBeGreaterThan(5)
  const values = (await Promise.all(report.parts.map(({ uri }) => parquetText(uri, '"VALUE"')))).flat()
  expect(values.map(([value]) => Number(value)).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 2000 }, (_, i) => i).filter((i) => i % 11 >= 2),
  )
  const found = await parquetText(
    report.rejects?.uri ?? '',
    'line, column_name, value, reason, original',
    'ORDER BY line',
  )
  expect(found).toEqual(rejects)
})

test('a value is unique over all segments, and the row that stays is the first', async () => {
  bench.remove()
  const columns = contract.columns.map((column) => ({ ...column, unique: column.name === 'VALUE' }))
  const convert = (manifest: Parameters<typeof runConvert>[0]) =>
    runConvert(manifest, fileIo, { segmentBytes: 3000, blockBytes: 1000 })
  bench = new Bench({ ...duckdb, convert }, parseContract({ ...contract, columns }))
  // Each value comes three times, far apart, and in the first segment once more as a row that is wrong.
  const rows = Array.from({ length: 1500 }, (_, i) => `k${i},${i % 500},1/1/2020`)
  rows.unshift('k,7,2/30/2020')
  const bytes = `Key,Value,Day\n${rows.join('\n')}\n`
  // Two sources of one job do not know of each other.
  const inputs = ['1.csv', '2.csv'].map((name) => [{ uri: bench.file(name, bytes), bytes: bytes.length }])
  for (const report of await bench.run('convert', inputs)) {
    expect(report).toMatchObject({ rowsIn: 1501, accepted: 500, rejected: 1001 })
    expect(report.parts.length).toBeGreaterThan(3)
    expect(report.reasons).toEqual([
      { reason: 'not_unique', column: 'Value', rows: 1000 },
      { reason: 'not_a_date', column: 'Day', rows: 1 },
    ])
    const kept = (await Promise.all(report.parts.map(({ uri }) => parquetText(uri, '"KEY"')))).flat(2)
    expect(kept.sort()).toEqual(Array.from({ length: 500 }, (_, i) => `k${i}`).sort())
  }
})

test('a source of which a later segment is refused has no parts', async () => {
  bench.remove()
  const small = parseContract({ ...contract, limits: { maxBytes: 10_000 } })
  bench = new Bench(
    { ...duckdb, convert: (one) => runConvert(one, fileIo, { segmentBytes: 3000, blockBytes: 1000 }) },
    small,
  )
  const report = await bench.convert('x.csv', `Key,Value,Day\n${'a,1,1/2/2020\n'.repeat(2000)}`)
  expect(report).toMatchObject({ rowsIn: 0, parts: [], refusal: { code: 'too_large' } })
})
