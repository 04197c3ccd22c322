import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compile } from '../../schemas/compiler/plan.ts'
import { parseContract } from '../../schemas/contract.ts'
import { runConvert } from '../../services/engine/duckdb/convert.ts'
import {
  copyAccepted,
  forgetWrong,
  KEEP_LOG,
  NO_FILTER_PUSHDOWN,
  parseWrong,
  selectWrong,
} from '../../services/engine/duckdb/convert-sql.ts'
import { openSession } from '../../services/engine/duckdb/session.ts'
import { wrongLines } from '../../services/engine/duckdb/wrong-lines.ts'
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

test('the pass that writes the right rows also tells the wrong ones', async () => {
  const session = await openSession(bench.dir)
  try {
    await session.run(NO_FILTER_PUSHDOWN)
    await session.run(KEEP_LOG)
    const file = fileURLToPath(
      bench.file('clean.csv', '\ufeffk,1,1/2/2020,z\n"a,""b",12x,1/2/2020,\nk,2,2/30/2020,z\n'),
    )
    const layout = { width: 4, places: [0, 1, 2] }
    await session.run(copyAccepted(compile(contract), layout, file, join(bench.dir, 'out.parquet')))
    const wrong = (await session.rows(selectWrong)).map(({ message }) => parseWrong(String(message)))
    expect(wrong.sort((a, b) => a.column - b.column)).toEqual([
      { column: 1, reason: 'not_an_integer', fields: ['a,"b', '12x', '1/2/2020', ''] },
      { column: 2, reason: 'not_a_date', fields: ['k', '2', '2/30/2020', 'z'] },
    ])
    await session.run(forgetWrong)
    expect(await session.rows(selectWrong)).toEqual([])
  } finally {
    session.close()
  }
})

test('wrong rows are found by their fields, wherever a chunk of the file ends', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'landfall-wrong-'))
  try {
    const long = 'x'.repeat(5 << 20)
    const text = ['a,b', '"a,b"', '"a","b"', `${long},c`, 'a,c', 'a,b'].join('\n')
    writeFileSync(join(dir, 'clean.csv'), `\ufeff${text}\n`)
    const wrong = (...fields: string[]) => ({ column: 0, reason: 'not_an_integer', fields })
    const dialect = { delimiter: 44, quote: 34 }
    const found = await wrongLines(join(dir, 'clean.csv'), [wrong('a', 'b'), wrong(long, 'c')], dialect, 3)
    expect(found.map(({ ordinal }) => ordinal)).toEqual([1, 3, 4, 6])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
