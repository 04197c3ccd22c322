import { z } from 'zod'
import { Plan } from './plan.ts'

/** One source in a batch: what a job reads for one run. */
export const ManifestSource = z.object({
  runId: z.string(),
  sourceId: z.string(),
  /** `convert`: the one CSV. `partition`: all parts of the run, in order. `s3://` or `file://`. */
  inputs: z.array(
    z.object({
      uri: z.string(),
      bytes: z.number().int(),
      etag: z.string().optional(),
      versionId: z.string().optional(),
    }),
  ),
})
export type ManifestSource = z.infer<typeof ManifestSource>

/**
 * All a job knows. It is written by dispatch to the staging bucket and named by the job's one argument, `--manifest`.
 * A job writes parquet and rejects under `staging` + its own random id + `/`, and last, if-none-match, the report.
 */
export const Manifest = z.object({
  manifest: z.literal(1),
  stage: z.enum(['convert', 'partition']),
  batch: z.string(),
  dataset: z.string(),
  plan: Plan,
  sources: z.array(ManifestSource).min(1),
  /** A folder: ends with `/`. */
  staging: z.string(),
  report: z.string(),
})
export type Manifest = z.infer<typeof Manifest>
