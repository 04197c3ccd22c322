import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseContract } from '../../schemas/contract.ts'
import { conformance, older } from './conformance.ts'
import { compare } from './differential.ts'
import { longRecords } from './dirty.ts'
import { duckdb } from './duckdb.ts'
import { BRIEF, findSpark, type SparkEngine, startSpark } from './spark.ts'
import { Bench, type Engine, parquetText } from './suite.ts'

const home = await findSpark()
if (!home) console.warn('No Spark: LANDFALL_SPARK_PYTHON names no Python with pyspark. Its tests are skipped.')

describe.skipIf(!home)(`Spark${home ? '' : ' (skipped: LANDFALL_SPARK_PYTHON is not set)'}`, () => {
  let spark: SparkEngine
  beforeAll(async () => {
    if (home) spark = await startSpark(home, BRIEF)
  }, 120_000)
  afterAll(() => spark?.stop(), 60_000)
  conformance(() => spark)
  older(() => spark)

  test('records of several lines are the same as with DuckDB, wherever blocks and tasks of a large source end', async () => {
    const contract = parseContract({
      dataset: 'small',
      source: { multiline: true },
      columns: [
        { source: 'Key', name: 'KEY', type: 'string' },
        { source: 'N', name: 'N', type: 'int' },
      ],
      partitionBy: 'KEY',
      table: { database: 'd', name: 't' },
    })
    const outcome = async (engine: Engine) => {
      const bench = new Bench(engine, contract)
      try {
        const { parts, rejects } = await bench.convert('x.csv', longRecords(1))
        const rows = (await Promise.all(parts.map(({ uri }) => parquetText(uri, '"KEY", "N"')))).flat()
        const rejected = await parquetText(rejects?.uri ?? '', 'column_name, value, reason, original')
        return { rows: rows.map((row) => JSON.stringify(row)).sort(), rejected }
      } finally {
        bench.remove()
      }
    }
    const [ours, theirs] = [await outcome(spark), await outcome(duckdb)]
    expect(ours.rejected.length).toBeGreaterThan(100)
    expect(ours.rejected).toEqual(theirs.rejected)
    expect(ours.rows).toEqual(theirs.rows)
  }, 120_000)

  // In this file for the sake of its JVM, which is warm by now.
  test('gives what DuckDB gives for the same dirty files', async () => {
    const seeds = Array.from({ length: 32 }, (_, i) => 1 + i)
    const differences = await compare(spark, seeds)
    // With the bytes of each file, to make a case of.
    expect(JSON.stringify(differences, null, 2)).toBe('[]')
  }, 300_000)
})
