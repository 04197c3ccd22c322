import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Contract } from '../../schemas/contract.ts'
import { allCases, Bench, bytesOf, type Case, type Engine, parquetText } from './suite.ts'

const sorted = <T>(rows: T[]) => rows.map((row) => JSON.stringify(row)).sort()

/** The one suite of all engines. */
export function conformance(engine: Engine): void {
  for (const { file, contract, cases } of allCases())
    describe(file.replace('.json', ''), () => {
      let bench: Bench
      beforeEach(() => {
        bench = new Bench(engine, contract)
      })
      afterEach(() => bench.remove())
      for (const one of cases) test(one.title, () => check(bench, contract, one))
    })
}

async function check(bench: Bench, contract: Contract, one: Case): Promise<void> {
  const report = await bench.convert(one.name ?? 'x.csv', bytesOf(one))
  if (one.refusal) {
    expect(report.refusal).toMatchObject({ code: one.refusal.code, message: expect.stringContaining(one.refusal.says) })
    expect(report.refusal?.message).toContain(one.name ?? 'x.csv')
    expect(report).toMatchObject({ rowsIn: 0, accepted: 0, rejected: 0, parts: [], rejects: null })
    return
  }
  const { accepted = [], rejects = [] } = one
  expect(report.refusal).toBeNull()
  expect(report.parts).toHaveLength(1)
  const columns = contract.columns.map(({ name }) => `CAST("${name}" AS VARCHAR)`).join(', ')
  const rows = (await Promise.all(report.parts.map(({ uri }) => parquetText(uri, columns)))).flat()
  expect(sorted(rows)).toEqual(sorted(accepted))
  const rejectColumns = 'line, column_name, value, reason, original'
  const rejected = report.rejects ? await parquetText(report.rejects.uri, rejectColumns, 'ORDER BY line') : []
  expect(rejected).toEqual(
    rejects.map(({ line, column, value, reason, original }) => [String(line), column, value, reason, original]),
  )
  expect(report).toMatchObject({
    rowsIn: accepted.length + rejects.length,
    accepted: accepted.length,
    rejected: rejects.length,
    examples: rejects.slice(0, 20).map(({ line, column, value, reason }) => ({ line, column, value, reason })),
  })
  expect(report.reasons.reduce((sum, { rows }) => sum + rows, 0)).toBe(rejects.length)

  const partitioned = await bench.partition(report.parts)
  expect(partitioned).toMatchObject({ rowsIn: accepted.length, accepted: accepted.length, refusal: null })
  const found = partitioned.parts.map(({ partition, rows }) => [partition, rows])
  const key = contract.columns.findIndex(({ name }) => name === contract.partitionBy)
  const expected = one.partitions ?? countBy(accepted.map((row) => row[key] ?? null))
  expect(sorted(found)).toEqual(sorted(expected))
  // Each row is in the object of its value, and nowhere else.
  const others = contract.columns.flatMap(({ name }) => (name === contract.partitionBy ? [] : [name]))
  const names = others.map((name) => `CAST("${name}" AS VARCHAR)`).join(', ')
  const back = await Promise.all(
    partitioned.parts.map(async ({ uri, partition = null }) =>
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
