import { describe } from 'vitest'
import { conformance, older } from './conformance.ts'
import { duckdb } from './duckdb.ts'

describe('DuckDB', () => {
  conformance(() => duckdb)
  older(() => duckdb)
})
