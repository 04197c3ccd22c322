import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Contract, parseContract } from '../../schemas/contract.ts'
import { partitionFolder } from '../../schemas/hive.ts'
import type { SourceReport } from '../../schemas/report.ts'
import { allCases, Bench, bytesOf, type Case, type Engine, parquetText } from './suite.ts'

const sorted = <T>(rows: T[]) => rows.map((row) => JSON.stringify(row)).sort()

/** The one suite of all engines. The cases of a contract are the sources of one batch, as they would be in production. */
export function conformance(engine: () => Engine): void {
  for (const { file, contract, cases } of allCases())
    describe(file.replace('.json', ''), () => {
      let bench: Bench
      let converted: SourceReport[]
      const partitioned = new Map<number, SourceReport>()
      beforeAll(async () => {
        bench = new Bench(engine(), contract)
        const inputs = cases.map((one, i) => {
          const bytes = bytesOf(one)
          return [{ uri: bench.file(`${i}/${nameOf(one)}`, bytes), bytes: bytes.length }]
        })
        converted = await bench.run('convert', inputs)
        const whole = converted.flatMap(({ refusal }, i) => (refusal ? [] : [i]))
        if (whole.length === 0) return
        const reports = await bench.run(
          'partition',
          whole.map((i) => converted[i]?.parts ?? []),
        )
        for (const [at, i] of whole.entries()) if (reports[at]) partitioned.set(i, reports[at])
      }, 120_000)
      afterAll(() => bench.remove())
      for (const [i, one] of cases.entries())
        test(one.title, async () => {
          const [typed, delivered] = [converted[i], partitioned.get(i)]
          if (!typed) throw new Error('no report')
          await checkConverted(typed, contract, one, engine().knowsLines)
          if (delivered) await checkPartitioned(delivered, contract, one)
          else expect(one.refusal).toBeDefined()
        })
    })
}

const column = (name: string, type: string) => ({ source: name.toLowerCase(), name, type })
const contractOf = (...columns: { source: string; name: string; type: string }[]) =>
  parseContract({ dataset: 'small', columns, partitionBy: 'KEY', table: { database: 'd', name: 't' } })

/** What a contract has got since its files were published. */
export function older(engine: () => Engine): void {
  test('a part that is older than columns of the contract is partitioned with nulls in them', async () => {
    const before = new Bench(engine(), contractOf(column('N', 'int'), column('KEY', 'string')))
    const later = contractOf(
      column('SINCE', 'date'),
      column('KEY', 'string'),
      column('N', 'int'),
      column('PRICE', 'decimal(10,2)'),
      column('NOTE', 'string'),
    )
    const after = new Bench(engine(), later)
    try {
      const old = await before.convert('x.csv', 'n,key\n1,a\n2,b\n3,a\n')
      const report = await after.partition(old.parts)
      expect(report).toMatchObject({ rowsIn: 3, accepted: 3, refusal: null })
      const names = ['SINCE', 'N', 'PRICE', 'NOTE']
      const columns = names.flatMap((name) => [`CAST("${name}" AS VARCHAR)`, `typeof("${name}")`]).join(', ')
      const rows = await Promise.all(
        report.parts.map(async ({ uri, partition }) =>
          (await parquetText(uri, columns)).map((row) => [partition, ...row]),
        ),
      )
      const typed = (n: string) => [null, 'DATE', n, 'INTEGER', null, 'DECIMAL(10,2)', null, 'VARCHAR']
      expect(sorted(rows.flat())).toEqual(
        sorted([
          ['a', ...typed('1')],
          ['a', ...typed('3')],
          ['b', ...typed('2')],
        ]),
      )
    } finally {
      before.remove()
      after.remove()
    }
  }, 120_000)
}

const nameOf = ({ name = 'x.csv' }: Case) => name

async function checkConverted(report: SourceReport, contract: Contract, one: Case, knowsLines: boolean) {
  if (one.refusal) {
    expect(report.refusal).toMatchObject({ code: one.refusal.code, message: expect.stringContaining(one.refusal.says) })
    expect(report.refusal?.message).toContain(nameOf(one))
    expect(report).toMatchObject({ rowsIn: 0, accepted: 0, rejected: 0, parts: [], rejects: null })
    return
  }
  const { accepted = [], rejects = [] } = one
  expect(report.refusal).toBeNull()
  expect(report.parts).toHaveLength(1)
  const columns = contract.columns.map(({ name }) => `CAST("${name}" AS VARCHAR)`).join(', ')
  const rows = (await Promise.all(report.parts.map(({ uri }) => parquetText(uri, columns)))).flat()
  expect(sorted(rows)).toEqual(sorted(accepted))

  const numbered = (line: number) => (knowsLines ? line : null)
  const rejectColumns = 'line, column_name, value, reason, original'
  const rejected = report.rejects ? await parquetText(report.rejects.uri, rejectColumns) : []
  const expected = rejects.map(({ line, column, value, reason, original }) => [
    knowsLines ? String(line) : null,
    column,
    value,
    reason,
    original,
  ])
  // In the order of the file.
  expect(rejected).toEqual(expected)
  expect(report).toMatchObject({
    rowsIn: accepted.length + rejects.length,
    accepted: accepted.length,
    rejected: rejects.length,
    examples: rejects
      .slice(0, 20)
      .map(({ line, column, value, reason }) => ({ line: numbered(line), column, value, reason })),
  })
  const counted = new Map<string, number>()
  for (const { reason, column } of rejects) {
    const key = JSON.stringify([reason, column])
    counted.set(key, (counted.get(key) ?? 0) + 1)
  }
  expect(new Map(report.reasons.map(({ reason, column, rows }) => [JSON.stringify([reason, column]), rows]))).toEqual(
    counted,
  )
}

async function checkPartitioned(report: SourceReport, contract: Contract, one: Case) {
  const { accepted = [] } = one
  expect(report).toMatchObject({ rowsIn: accepted.length, accepted: accepted.length, refusal: null })
  const found = report.parts.map(({ partition, rows }) => [partition, rows])
  const key = contract.columns.findIndex(({ name }) => name === contract.partitionBy)
  expect(sorted(found)).toEqual(sorted(one.partitions ?? countBy(accepted.map((row) => row[key] ?? null))))
  // One object a value: its key is the folder's alone.
  const folders = report.parts.map(({ partition = null }) => partitionFolder(contract.partitionBy, partition))
  if (!found.some(([partition]) => partition === '__HIVE_DEFAULT_PARTITION__'))
    expect(new Set(folders).size).toBe(folders.length)
  // Each row is in the object of its value, and nowhere else.
  const others = contract.columns.flatMap(({ name }) => (name === contract.partitionBy ? [] : [name]))
  const names = others.map((name) => `CAST("${name}" AS VARCHAR)`).join(', ')
  const back = await Promise.all(
    report.parts.map(async ({ uri, partition = null }) =>
      (await parquetText(uri, names)).map((row) => row.toSpliced(key, 0, partition)),
    ),
  )
  expect(sorted(back.flat())).toEqual(sorted(accepted))
}

function countBy(values: (string | null)[]): [string | null, number][] {
  const counts = new Map<string | null, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts]
}
