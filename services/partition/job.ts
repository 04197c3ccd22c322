import { runPartition } from '../engine/duckdb/partition.ts'
import { main } from '../engine/main.ts'

await main('partition', runPartition)
