import { runConvert } from '../engine/duckdb/convert.ts'
import { main } from '../engine/main.ts'

await main('convert', runConvert)
