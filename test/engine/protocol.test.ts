import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseContract } from '../../schemas/contract.ts'
import { Report } from '../../schemas/report.ts'
import { runConvert } from '../../services/engine/duckdb/convert.ts'
import { fileIo } from '../../services/engine/io/file-io.ts'
import { main } from '../../services/engine/main.ts'
import { duckdb } from './duckdb.ts'
import { Bench, parquetText } from './suite.ts'

const contract = parseContract({
  dataset: 'small',
  columns: [
    { source: 'Key', name: 'KEY', type: 'string' },
    { source: 'Value', name: 'VALUE', type: 'int' },
  ],
  partitionBy: 'KEY',
  table: { database: 'd', name: 't' },
})

let bench: Bench
beforeEach(() => {
  bench = new Bench(duckdb, contract)
})
afterEach(() => bench.remove())

const input = (name: string, text: string) => [{ uri: bench.file(name, text), bytes: text.length }]
const gone = () => [{ uri: `file://${bench.dir}/never-there.csv`, bytes: 1 }]

test('keeps the sources of a batch apart', async () => {
  const reports = await bench.run('convert', [
    input('a.csv', 'Key,Value\na,1\n'),
    input('b.csv', 'Key,Value\nb,2\nb,x\n'),
  ])
  expect(reports.map(({ runId, accepted, rejected }) => [runId, accepted, rejected])).toEqual([
    ['run-0', 1, 0],
    ['run-1', 1, 1],
  ])
  const rows = await Promise.all(reports.map(({ parts }) => parquetText(parts[0]?.uri ?? '', '*')))
  expect(rows).toEqual([[['a', '1']], [['b', '2']]])
})

test('keeps sources apart that are at work side by side: their rows, rejects and unique values', async () => {
  const unique = new Bench(duckdb, { ...contract, columns: contract.columns.map((one) => ({ ...one, unique: true })) })
  const names = Array.from({ length: 40 }, (_, i) => `k${i}`)
  // The third row repeats the second, of its own file only: all files have the values of all others.
  const text = (name: string) => `Key,Value\n${name},1\nx,2\nx,3\ny,${name}\n`
  const inputs = names.map((name) => [{ uri: unique.file(`${name}.csv`, text(name)), bytes: 40 }])
  const converted = await unique.run('convert', inputs)
  expect(converted.map(({ runId, accepted, rejected }) => [runId, accepted, rejected])).toEqual(
    names.map((_, i) => [`run-${i}`, 2, 2]),
  )
  const partitioned = await unique.run(
    'partition',
    converted.map(({ parts }) => parts),
  )
  for (const [i, { parts }] of partitioned.entries())
    expect(parts.map(({ partition, rows }) => [partition, rows])).toEqual([
      [names[i], 1],
      ['x', 1],
    ])
  unique.remove()
})

test('small sources are at work side by side, and a large one alone', async () => {
  const atWork: string[] = []
  const beside = new Map<string, string[]>()
  const watched = {
    ...fileIo,
    read: async (object: { uri: string }) => {
      const name = basename(object.uri)
      atWork.push(name)
      // Long enough for all others to begin that may.
      await setTimeout(50)
      beside.set(name, [...atWork])
      return fileIo.read(object)
    },
    upload: (file: string, uri: string) => {
      const [, number = ''] = /\/0*(\d+)\/[^/]*$/.exec(uri) ?? []
      atWork.splice(atWork.indexOf(`${Number(number) - 1}.csv`), 1)
      return fileIo.upload(file, uri)
    },
  }
  const large = 9 * 1024 ** 2
  const inputs = [1, large, 1, large, 1].map((bytes, i) => [
    { uri: bench.file(`${i}.csv`, `Key,Value\n${i},1\n`), bytes },
  ])
  const result = await runConvert(bench.manifest('convert', inputs), watched)
  expect(result.outcome === 'reported' && result.report.sources.map(({ runId }) => runId)).toEqual(
    inputs.map((_, i) => `run-${i}`),
  )
  expect(beside.get('1.csv')).toEqual(['1.csv'])
  expect(beside.get('3.csv')).toEqual(['3.csv'])
  expect(beside.get('0.csv')?.length).toBeGreaterThan(1)
})

test('a source that is gone is refused, the others of its batch go on', async () => {
  const reports = await bench.run('convert', [gone(), input('b.csv', 'Key,Value\nb,2\n')])
  expect(reports.map(({ refusal, accepted }) => [refusal?.code ?? null, accepted])).toEqual([
    ['gone', 0],
    [null, 1],
  ])
})

test('a source that is refused leaves the others of its batch alone', async () => {
  const reports = await bench.run('convert', [input('a.csv', ''), input('b.csv', 'Key,Value\nb,2\n')])
  expect(reports.map(({ refusal }) => refusal?.code ?? null)).toEqual(['empty_file', null])
})

test('a failure of ours fails the job, names the source and leaves no report', async () => {
  const manifest = bench.manifest('convert', [input('a.csv', 'Key,Value\na,1\n')])
  const broken = { ...fileIo, upload: () => Promise.reject(new Error('no room')) }
  await expect(runConvert(manifest, broken)).rejects.toThrow(/^Source source-0 \(run run-0, file:.*a\.csv\): no room$/)
  expect(existsSync(fileURLToPath(manifest.report))).toBe(false)
})

test('of two twins the first reports, the second leaves its report alone and says so', async () => {
  const manifest = bench.manifest('convert', [input('a.csv', 'Key,Value\na,1\n')])
  const first = await runConvert(manifest, fileIo)
  const report = readFileSync(fileURLToPath(manifest.report), 'utf8')
  const second = await runConvert(manifest, fileIo)
  expect([first.outcome, second.outcome]).toEqual(['reported', 'superseded'])
  expect(readFileSync(fileURLToPath(manifest.report), 'utf8')).toBe(report)
  // Each wrote below an id of its own.
  expect(readdirSync(fileURLToPath(manifest.staging)).sort()).toHaveLength(3)
})

test('everything is written below the job’s own id, and the report is last', async () => {
  const manifest = bench.manifest('convert', [input('a.csv', 'Key,Value\na,1\nb\n')])
  const written: string[] = []
  await runConvert(manifest, {
    ...fileIo,
    upload: (file, uri) => {
      written.push(uri)
      return fileIo.upload(file, uri)
    },
    putIfAbsent: (uri, text) => {
      written.push(uri)
      return fileIo.putIfAbsent(uri, text)
    },
  })
  const { job } = Report.parse(JSON.parse(readFileSync(fileURLToPath(manifest.report), 'utf8')))
  expect(written.pop()).toBe(manifest.report)
  expect(written).toHaveLength(2)
  for (const uri of written) expect(uri.startsWith(`${manifest.staging}${job}/`)).toBe(true)
})

test('leaves nothing in the temporary folder', async () => {
  const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('landfall-job-'))
  const before = left()
  await bench.convert('a.csv', 'Key,Value\na,1\n')
  await bench.convert('b.csv', 'nonsense').catch(() => undefined)
  expect(left().filter((name) => !before.includes(name))).toEqual([])
})

test('partitions all parts of a run together', async () => {
  const [one, two] = await bench.run('convert', [
    input('a.csv', 'Key,Value\na,1\nb,2\n'),
    input('b.csv', 'Key,Value\nb,3\n'),
  ])
  const report = await bench.partition([...(one?.parts ?? []), ...(two?.parts ?? [])])
  expect(report).toMatchObject({ rowsIn: 3, accepted: 3 })
  expect(report.parts.map(({ partition, rows }) => [partition, rows])).toEqual([
    ['a', 1],
    ['b', 2],
  ])
})

test('gives an empty run no partitions', async () => {
  const converted = await bench.convert('a.csv', 'Key,Value\n')
  expect(converted.parts.map(({ rows }) => rows)).toEqual([0])
  expect(await bench.partition(converted.parts)).toMatchObject({ rowsIn: 0, accepted: 0, parts: [], refusal: null })
})

test('gives each of a thousand partitions exactly one object', async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `k${(i * 7919) % 1000},${i}\n`).join('')
  const converted = await bench.convert('a.csv', `Key,Value\n${lines}`)
  const { parts, accepted } = await bench.partition(converted.parts)
  expect(accepted).toBe(20_000)
  expect(parts).toHaveLength(1000)
  expect(new Set(parts.map(({ partition }) => partition)).size).toBe(1000)
  expect(parts.every(({ rows }) => rows === 20)).toBe(true)
}, 30_000)

test('the job’s process ends with 1 and the name of the source when it fails', async () => {
  const manifest = bench.manifest('convert', [input('a.csv', 'Key,Value\na,1\n')])
  writeFileSync(`${bench.dir}/manifest.json`, JSON.stringify({ ...manifest, staging: `file://${bench.dir}/a.csv/` }))
  const said: string[] = []
  const write = process.stderr.write
  process.stderr.write = (text: unknown) => said.push(String(text)) > 0
  try {
    await main('convert', runConvert, ['--JOB_NAME', 'x', '--manifest', `file://${bench.dir}/manifest.json`])
  } finally {
    process.stderr.write = write
  }
  expect(process.exitCode).toBe(1)
  process.exitCode = 0
  expect(said.join('')).toContain('convert: Source source-0')
  rmSync(`${bench.dir}/manifest.json`)
})
