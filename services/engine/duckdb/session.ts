import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance, type Json } from '@duckdb/node-api'

/** A folder of the job's own that is gone when the job ends, also when it is told to stop. */
export async function withTempDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'landfall-job-'))
  const remove = () => rmSync(dir, { recursive: true, force: true })
  const stop = (signal: NodeJS.Signals) => {
    remove()
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  try {
    return await work(dir)
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop)
    remove()
  }
}

export interface Session {
  run(sql: string): Promise<void>
  /** All rows: for small results only. */
  rows(sql: string): Promise<Record<string, Json>[]>
  /** Rows in chunks, so that the result need not fit in memory. */
  stream(sql: string): AsyncIterable<Record<string, Json>[]>
  /** Further sessions of the same database, for statements side by side: temporary tables are their own, memory is shared. */
  beside(count: number): Promise<Session[]>
  /** Those beside it end with it. */
  close(): void
}

/** An in-memory database that spills to `dir`. @param memory in MiB, for DuckDB alone */
export async function openSession(dir: string, threads = availableParallelism(), memory = 1024): Promise<Session> {
  mkdirSync(dir, { recursive: true })
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(threads),
    memory_limit: `${memory}MiB`,
    temp_directory: join(dir, 'spill'),
    // What must be in an order says so; keeping to the order of the input besides costs a tenth of the time, and memory.
    preserve_insertion_order: 'false',
    // No job may reach beyond its own files and statements.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    // A source's files have the names of the one's before it: of the same size, in the same second, DuckDB would read those again.
    enable_external_file_cache: 'false',
  })
  return sessionOf(instance, await instance.connect())
}

function sessionOf(instance: DuckDBInstance, connection: DuckDBConnection): Session {
  return {
    beside: async (count) =>
      await Promise.all(Array.from({ length: count }, async () => sessionOf(instance, await instance.connect()))),
    run: async (sql) => void (await connection.run(sql)),
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson(),
    async *stream(sql) {
      const result = await connection.stream(sql)
      const names = result.deduplicatedColumnNames()
      for await (const chunk of result.yieldRowsJson())
        yield chunk.map((row) => Object.fromEntries(row.map((value, i) => [names[i] ?? '', value])))
    },
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}
