import { afterAll, beforeAll, describe } from 'vitest'
import { conformance } from './conformance.ts'
import { findSpark, type SparkEngine, startSpark } from './spark.ts'

const home = await findSpark()
if (!home) console.warn('No Spark: LANDFALL_SPARK_PYTHON names no Python with pyspark. Its tests are skipped.')

describe.skipIf(!home)(`Spark${home ? '' : ' (skipped: LANDFALL_SPARK_PYTHON is not set)'}`, () => {
  let spark: SparkEngine
  beforeAll(async () => {
    if (home) spark = await startSpark(home)
  }, 120_000)
  afterAll(() => spark?.stop(), 60_000)
  conformance(() => spark)
})
