import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { conformance } from './conformance.ts'
import { compare } from './differential.ts'
import { BRIEF, findSpark, type SparkEngine, startSpark } from './spark.ts'

const home = await findSpark()
if (!home) console.warn('No Spark: LANDFALL_SPARK_PYTHON names no Python with pyspark. Its tests are skipped.')

describe.skipIf(!home)(`Spark${home ? '' : ' (skipped: LANDFALL_SPARK_PYTHON is not set)'}`, () => {
  let spark: SparkEngine
  beforeAll(async () => {
    if (home) spark = await startSpark(home, BRIEF)
  }, 120_000)
  afterAll(() => spark?.stop(), 60_000)
  conformance(() => spark)

  // In this file for the sake of its JVM, which is warm by now.
  test('gives what DuckDB gives for the same dirty files', async () => {
    const seeds = Array.from({ length: 32 }, (_, i) => 1 + i)
    const differences = await compare(spark, seeds)
    // With the bytes of each file, to make a case of.
    expect(JSON.stringify(differences, null, 2)).toBe('[]')
  }, 300_000)
})
