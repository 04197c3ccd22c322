import { isDeepStrictEqual, parseArgs } from 'node:util'
import type { Contract } from '../../schemas/contract.ts'
import type { SourceReport } from '../../schemas/report.ts'
import { contracts, dirtyFile } from './dirty.ts'
import { duckdb } from './duckdb.ts'
import { findSpark, startSpark } from './spark.ts'
import { Bench, type Engine, parquetText } from './suite.ts'

export interface Difference {
  seed: number
  dataset: string
  csv: string
  differs: Record<string, { duckdb: unknown; spark: unknown }>
}

const FILES_AT_ONCE = 40
const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort()

/** Both engines on the same dirty files. @returns what differs, with the bytes to make a case of */
export async function compare(spark: Engine, seeds: number[], onProgress = (_: number) => {}): Promise<Difference[]> {
  const differences: Difference[] = []
  let done = 0
  for (const [i, contract] of contracts.entries()) {
    const mine = seeds.filter((seed) => seed % contracts.length === i)
    for (let from = 0; from < mine.length; from += FILES_AT_ONCE) {
      const batch = mine.slice(from, from + FILES_AT_ONCE)
      differences.push(...(await compareBatch(spark, contract, batch)))
      done += batch.length
      onProgress(done)
    }
  }
  return differences
}

async function compareBatch(spark: Engine, contract: Contract, seeds: number[]): Promise<Difference[]> {
  const files = seeds.map((seed) => dirtyFile(seed, contract))
  const [left, right] = await Promise.all([duckdb, spark].map((engine) => outcomes(engine, contract, files)))
  return seeds.flatMap((seed, i) => {
    const [a, b] = [left?.[i] ?? {}, right?.[i] ?? {}]
    const parts = Object.keys(a).filter((part) => !isDeepStrictEqual(a[part], b[part]))
    if (parts.length === 0) return []
    const differs = Object.fromEntries(parts.map((part) => [part, only(a[part], b[part])]))
    return [{ seed, dataset: contract.dataset, csv: files[i]?.toString('latin1') ?? '', differs }]
  })
}

/** Of lists, what only one side has. */
function only(a: unknown, b: unknown): { duckdb: unknown; spark: unknown } {
  if (!Array.isArray(a) || !Array.isArray(b)) return { duckdb: a, spark: b }
  return { duckdb: a.filter((one) => !b.includes(one)), spark: b.filter((one) => !a.includes(one)) }
}

type Outcome = Record<string, unknown>

async function outcomes(engine: Engine, contract: Contract, files: Buffer[]): Promise<Outcome[]> {
  const bench = new Bench(engine, contract)
  try {
    const inputs = files.map((bytes, i) => [{ uri: bench.file(`${i}/x.csv`, bytes), bytes: bytes.length }])
    const converted = await bench.run('convert', inputs)
    const whole = converted.filter(({ refusal }) => !refusal)
    const partitioned =
      whole.length === 0
        ? []
        : await bench.run(
            'partition',
            whole.map(({ parts }) => parts),
          )
    return await Promise.all(
      converted.map((report, i) => outcome(report, partitioned[whole.indexOf(report)], contract, `/${i}/x.csv`)),
    )
  } finally {
    bench.remove()
  }
}

async function outcome(report: SourceReport, delivered: SourceReport | undefined, contract: Contract, name: string) {
  const columns = contract.columns.map(({ name }) => `CAST("${name}" AS VARCHAR), typeof("${name}")`).join(', ')
  const rows = await Promise.all(report.parts.map(({ uri }) => parquetText(uri, columns)))
  const rejects = report.rejects
    ? await parquetText(report.rejects.uri, 'dataset, column_name, value, reason, original')
    : []
  return {
    // What is before the key differs: each engine has a folder of its own.
    refusal: report.refusal && [
      report.refusal.code,
      report.refusal.message.replace(/\S+(?=\/\d+\/x\.csv)/, '').replace(name, ''),
    ],
    counts: [report.rowsIn, report.accepted, report.rejected],
    rows: sorted(rows.flat()),
    rejects: rejects.map((row) => JSON.stringify(row)),
    reasons: sorted(report.reasons.map(({ reason, column, rows: n }) => [reason, column, n])),
    examples: report.examples.map(({ column, value, reason }) => JSON.stringify([column, value, reason])),
    partitions: delivered?.parts.map(({ partition, rows: n }) => JSON.stringify([partition, n])),
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
  const [cases, seed] = [Number(values.cases ?? 400), Number(values.seed ?? 1)]
  const home = await findSpark()
  if (!home) throw new Error('No Spark: LANDFALL_SPARK_PYTHON names no Python with pyspark.')
  const spark = await startSpark(home)
  const seeds = Array.from({ length: cases }, (_, i) => seed + i)
  const found = await compare(spark, seeds, (done) => process.stderr.write(`\r${done} of ${cases} files`))
  process.stderr.write('\n')
  for (const one of found) console.log(JSON.stringify(one, null, 2))
  console.log(`${cases} files from seed ${seed}: ${found.length} differ`)
  await spark.stop()
  process.exitCode = found.length > 0 ? 1 : 0
}
