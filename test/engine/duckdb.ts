import { runConvert } from '../../services/engine/duckdb/convert.ts'
import { runPartition } from '../../services/engine/duckdb/partition.ts'
import { fileIo } from '../../services/engine/io/file-io.ts'
import type { Engine } from './suite.ts'

export const duckdb = {
  knowsLines: true,
  convert: (manifest) => runConvert(manifest, fileIo),
  partition: (manifest) => runPartition(manifest, fileIo),
} satisfies Engine
