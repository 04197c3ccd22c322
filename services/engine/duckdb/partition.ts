import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Manifest, ManifestSource } from '../../../schemas/manifest.ts'
import type { SourceReport, StagedPart } from '../../../schemas/report.ts'
import { inParallel } from '../in-parallel.ts'
import type { ObjectIo } from '../io/object-io.ts'
import { type DoSource, type JobResult, LANES, runJob } from '../run-job.ts'
import { countRows } from './convert-sql.ts'
import { columnsOf, copyPartitions, partitionRows, partitionValues } from './partition-sql.ts'
import { openSession, type Session } from './session.ts'
import { fromHex } from './sql.ts'

const UPLOADS_AT_ONCE = 16
const MEMORY_MIB = 1024

/**
 * Typed parquet to one object for each value of the partition column, without that column.
 * @returns what became of the job
 * @throws Error naming the source that could not be partitioned
 */
export const runPartition = (manifest: Manifest, io: ObjectIo): Promise<JobResult> =>
  runJob(manifest, io, async (dir) => {
    const workers = availableParallelism()
    // One thread each: a partition that only one thread writes is one file, and halves side by side are the fastest.
    const sessions = await Promise.all(
      Array.from({ length: workers }, (_, i) =>
        openSession(join(dir, `worker-${i}`), 1, Math.floor(MEMORY_MIB / workers)),
      ),
    )
    const beside = await Promise.all(sessions.map((session) => session.beside(Math.ceil(LANES / workers) - 1)))
    const all = [...sessions, ...beside.flat()]
    // The default closes the file of a partition when a hundred others are open, and begins a second one later.
    for (const session of all) await session.run('SET partitioned_write_max_open_files = 1000000')
    const does =
      (sessions: Session[], folder: string): DoSource =>
      (source, staging) =>
        partitionSource({ manifest, io, sessions, dir: join(dir, folder), source, staging })
    return {
      whole: does(sessions, 'source'),
      lanes: all.map((session, lane) => does([session], `source-${lane}`)),
      close: () => {
        for (const session of sessions) session.close()
      },
    }
  })

interface WrittenFile {
  file: string
  value: string | null
  rows: number
}

interface Partitioning {
  manifest: Manifest
  io: ObjectIo
  sessions: Session[]
  dir: string
  source: ManifestSource
  staging: string
}

async function partitionSource({ manifest, io, sessions, dir, source, staging }: Partitioning): Promise<SourceReport> {
  const { plan } = manifest
  const [first] = sessions
  if (!first) throw new Error('No session.')
  await mkdir(join(dir, 'out'), { recursive: true })
  try {
    const inputs = await download(io, source, dir)
    const rowsIn = Number((await first.rows(countRows(inputs)))[0]?.rows)
    const found = new Set((await first.rows(columnsOf(inputs))).map(({ name }) => String(name)))
    const values = await first.rows(partitionValues(plan, inputs))
    const folders = await inParallel(sessions, sessions.length, async (session, i) => {
      const out = join(dir, 'out', String(i))
      await mkdir(out, { recursive: true })
      const mine = values.filter((_, id) => id % sessions.length === i)
      if (mine.length > 0) await session.run(copyPartitions(plan, { files: inputs, found }, mine.map(partitionOf), out))
      return { out, values: mine.map(partitionOf) }
    })
    const files: WrittenFile[] = []
    for (const { out, values: mine } of folders) {
      if (mine.length === 0) continue
      for (const { id, file, rows } of await first.rows(partitionRows(out)))
        files.push({ file: String(file), value: mine[Number(id)] ?? null, rows: Number(rows) })
    }
    const parts = await uploadAll(io, files, staging)
    return {
      runId: source.runId,
      sourceId: source.sourceId,
      rowsIn,
      // Counted in the files that were written, apart from those that were read.
      accepted: parts.reduce((sum, part) => sum + part.rows, 0),
      rejected: 0,
      refusal: null,
      reasons: [],
      examples: [],
      parts,
      rejects: null,
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const partitionOf = (row: Record<string, unknown>): string | null => fromHex(row.value)

async function download(io: ObjectIo, source: ManifestSource, dir: string): Promise<string[]> {
  const files: string[] = []
  for (const [i, input] of source.inputs.entries()) {
    const file = join(dir, `in-${i}.parquet`)
    await pipeline(await io.read(input), createWriteStream(file))
    files.push(file)
  }
  return files
}

function uploadAll(io: ObjectIo, files: WrittenFile[], staging: string): Promise<StagedPart[]> {
  // By value, so that the same rows always give the same names.
  files.sort((a, b) => compare(a.value, b.value))
  return inParallel(files, UPLOADS_AT_ONCE, async ({ file, value, rows }, i) => {
    const uri = `${staging}part-${String(i + 1).padStart(5, '0')}.parquet`
    return { uri, partition: value, rows, ...(await io.upload(file, uri)) }
  })
}

const compare = (a: string | null, b: string | null) => (a === b ? 0 : a === null || (b !== null && a < b) ? -1 : 1)
