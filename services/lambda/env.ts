import { z } from 'zod'

const name = z.string().min(1)

/** What every stage needs to keep the books. */
const books = { LEDGER_TABLE: name, RAW_BUCKET: name }

/** `{"sales": "<crawler name>"}`, as JSON. */
const crawlers = z.string().transform((text) => z.record(z.string(), name).parse(JSON.parse(text)))

const deadLetters = z
  .string()
  .transform((text) => z.array(z.object({ stage: name, event: name.optional(), url: name })).parse(JSON.parse(text)))

/** Environment of each function: the handler reads it, CDK's `environment` is typed from its keys. */
export const UnzipEnv = z.object({
  ...books,
  QUARANTINE_BUCKET: name,
  PROCESSING_BUCKET: name,
  DELIVERY_BUCKET: name,
  UNZIP_BYTES_PER_SECOND: z.coerce.number().positive(),
})
export const ConvertEnv = z.object({
  ...books,
  STAGING_BUCKET: name,
  PROCESSING_BUCKET: name,
  QUARANTINE_BUCKET: name,
  JOB_NAME: name,
})
export const PartitionEnv = z.object({
  ...books,
  STAGING_BUCKET: name,
  PROCESSING_BUCKET: name,
  DELIVERY_BUCKET: name,
  QUARANTINE_BUCKET: name,
  JOB_NAME: name,
})
export const CatalogEnv = z.object({
  LEDGER_TABLE: name,
  DELIVERY_BUCKET: name,
  QUARANTINE_BUCKET: name,
  CRAWLERS: crawlers,
})
export const SweepEnv = z.object({
  ...books,
  STAGING_BUCKET: name,
  PROCESSING_BUCKET: name,
  DELIVERY_BUCKET: name,
  QUARANTINE_BUCKET: name,
  CONVERT_JOB_NAME: name,
  PARTITION_JOB_NAME: name,
  CRAWLERS: crawlers,
  /** ARN of the archive of object events. */
  ARCHIVE: name,
  /** URL of unzip's queue. */
  UNZIP_QUEUE: name,
  /** `[{"stage": "unzip", "event": "ZipLanded", "url": …}]`, as JSON: the dead-letter queues of the stages, and with `event` of their rules. */
  DEAD_LETTERS: deadLetters,
})

/** What of it tracing needs; `TRACE_SAMPLING` is the share of runs that are traced. */
export const TraceEnv = z.object({ LEDGER_TABLE: name, TRACE_SAMPLING: z.coerce.number().min(0).max(1) })
/** What telling of ended runs needs, in each function in which a run may end. */
export const HistoryEnv = z.object({ LEDGER_TABLE: name, QUARANTINE_BUCKET: name })

/** How CDK must fill a function's environment: every key, each a string. */
export type Environment<S extends z.ZodObject> = Record<Extract<keyof z.input<S>, string>, string>

/** Reads a function's environment on call, so that a test or a warm start sees what is set now. */
export function readEnv<S extends z.ZodObject>(schema: S): z.output<S> {
  const parsed = schema.safeParse(process.env)
  if (!parsed.success) throw new Error(`Environment of this function is incomplete: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}
