import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Manifest, ManifestSource } from '../../schemas/manifest.ts'
import type { Refusal, Report, SourceReport } from '../../schemas/report.ts'
import { withTempDir } from './duckdb/session.ts'
import { inParallel } from './in-parallel.ts'
import { ObjectGone, type ObjectIo } from './io/object-io.ts'
import { RefusedSource } from './refused.ts'

/** `superseded`: a twin of this job has reported first; what this one wrote is nobody's and expires. */
export type JobResult = { outcome: 'reported'; report: Report } | { outcome: 'superseded' }

/** @param staging folder for this source's objects, ends with `/` */
export type DoSource = (source: ManifestSource, staging: string) => Promise<SourceReport>

export interface Workers {
  /** Do small sources, each one at a time and side by side with the others. */
  lanes: DoSource[]
  /** Does one source with all that the job has, while the lanes are idle. */
  whole: DoSource
  close(): void
}

/** Small sources at work side by side: while one is planned or sent, another is read. */
export const LANES = 2 * availableParallelism()
/** A source of less takes longer to be asked for, planned and sent than to be read. */
const SMALL_BYTES = 8 * 1024 ** 2

/** The job protocol around an engine: writes below a random id of its own, and the report last, if none is there. */
export async function runJob(
  manifest: Manifest,
  io: ObjectIo,
  start: (dir: string) => Promise<Workers>,
): Promise<JobResult> {
  const startedAt = new Date().toISOString()
  const job = randomUUID()
  return await withTempDir(async (dir) => {
    const workers = await start(dir)
    try {
      const sources = await runSources(workers, manifest.sources, `${manifest.staging}${job}/`)
      const endedAt = new Date().toISOString()
      const report: Report = { report: 1, batch: manifest.batch, engine: 'duckdb', job, startedAt, endedAt, sources }
      const first = await io.putIfAbsent(manifest.report, JSON.stringify(report))
      return first ? { outcome: 'reported', report } : { outcome: 'superseded' }
    } finally {
      workers.close()
    }
  })
}

/** Reports in the order of the manifest. */
async function runSources({ lanes, whole }: Workers, sources: ManifestSource[], staging: string) {
  const reports: SourceReport[] = []
  const small = sources.filter(isSmall)
  // One that is alone need not leave half of the job idle.
  const beside = new Set(small.length > 1 ? small : [])
  const run = (inLanes: boolean, workers: DoSource[]) => {
    const mine = [...sources.entries()].filter(([, source]) => beside.has(source) === inLanes)
    return inParallel(mine, workers.length, async ([i, source], _, lane) => {
      const folder = `${staging}${String(i + 1).padStart(5, '0')}/`
      reports[i] = await runSource(workers[lane] ?? whole, source, folder)
    })
  }
  await run(true, lanes)
  await run(false, [whole])
  return reports
}

const isSmall = ({ inputs }: ManifestSource) => inputs.reduce((sum, { bytes }) => sum + bytes, 0) < SMALL_BYTES

async function runSource(work: DoSource, source: ManifestSource, staging: string): Promise<SourceReport> {
  try {
    return await work(source, staging)
  } catch (error) {
    if (error instanceof RefusedSource) return refused(source, error.refusal)
    if (error instanceof ObjectGone) return refused(source, { code: 'gone', message: error.message })
    const uris = source.inputs.map(({ uri }) => uri).join(', ')
    throw new Error(`Source ${source.sourceId} (run ${source.runId}, ${uris}): ${(error as Error).message}`, {
      cause: error,
    })
  }
}

const refused = ({ runId, sourceId }: ManifestSource, refusal: Refusal): SourceReport => ({
  runId,
  sourceId,
  rowsIn: 0,
  accepted: 0,
  rejected: 0,
  refusal,
  reasons: [],
  examples: [],
  parts: [],
  rejects: null,
})
