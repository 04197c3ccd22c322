import { randomUUID } from 'node:crypto'
import type { Manifest, ManifestSource } from '../../schemas/manifest.ts'
import type { Refusal, Report, SourceReport } from '../../schemas/report.ts'
import { withTempDir } from './duckdb/session.ts'
import { ObjectGone, type ObjectIo } from './io/object-io.ts'
import { RefusedSource } from './refused.ts'

/** `superseded`: a twin of this job has reported first; what this one wrote is nobody's and expires. */
export type JobResult = { outcome: 'reported'; report: Report } | { outcome: 'superseded' }

export interface Worker {
  /** @param staging folder for this source's objects, ends with `/` */
  source(source: ManifestSource, staging: string): Promise<SourceReport>
  close(): void
}

/** The job protocol around an engine: writes below a random id of its own, and the report last, if none is there. */
export async function runJob(
  manifest: Manifest,
  io: ObjectIo,
  start: (dir: string) => Promise<Worker>,
): Promise<JobResult> {
  const startedAt = new Date().toISOString()
  const job = randomUUID()
  return await withTempDir(async (dir) => {
    const worker = await start(dir)
    try {
      const sources: SourceReport[] = []
      for (const [index, source] of manifest.sources.entries()) {
        const staging = `${manifest.staging}${job}/${String(index + 1).padStart(5, '0')}/`
        sources.push(await runSource(worker, source, staging))
      }
      const endedAt = new Date().toISOString()
      const report: Report = { report: 1, batch: manifest.batch, engine: 'duckdb', job, startedAt, endedAt, sources }
      const first = await io.putIfAbsent(manifest.report, JSON.stringify(report))
      return first ? { outcome: 'reported', report } : { outcome: 'superseded' }
    } finally {
      worker.close()
    }
  })
}

async function runSource(worker: Worker, source: ManifestSource, staging: string): Promise<SourceReport> {
  try {
    return await worker.source(source, staging)
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
