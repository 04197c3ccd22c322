import { describe } from 'vitest'
import { conformance } from './conformance.ts'
import { duckdb } from './duckdb.ts'

describe('DuckDB', () => conformance(() => duckdb))
