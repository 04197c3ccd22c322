import { z } from 'zod'

/** An object that the job wrote to staging; publishing copies it if its ETag still matches. */
export const StagedObject = z.object({
  uri: z.string(),
  etag: z.string(),
  rows: z.number().int(),
  bytes: z.number().int(),
})

export const StagedPart = StagedObject.extend({
  /** `partition` only: the partition's value, null for null or empty. */
  partition: z.string().nullable().optional(),
})
export type StagedPart = z.infer<typeof StagedPart>

/** Why a value or a row is not in the table. One list for both engines. */
export const REJECT_REASONS = [
  'too_few_fields',
  'too_many_fields',
  'unclosed_quote',
  'malformed_row',
  'invalid_encoding',
  'required_missing',
  'not_an_integer',
  'out_of_range',
  'not_a_decimal',
  'too_precise',
  'not_a_date',
  'not_a_timestamp',
  'not_a_boolean',
  'not_a_number',
  'below_min',
  'above_max',
  'not_one_of',
  'not_unique',
] as const
export const RejectReason = z.enum(REJECT_REASONS)
export type RejectReason = z.infer<typeof RejectReason>

/** A rejected row: the first column (in the contract's order) that was wrong, or null where the row as a whole is. */
export const Reject = z.object({
  /** 1-based line of the file, header included, null where the engine need not know it. */
  line: z.number().int().nullable(),
  /** Name of the column in the source, e.g. `Order Date`. */
  column: z.string().nullable(),
  value: z.string().nullable(),
  reason: RejectReason,
})
export type Reject = z.infer<typeof Reject>

/** Why a whole source cannot be read: its owner's to mend. */
export const Refusal = z.object({
  /** e.g. `header_mismatch`, `empty_file`, `wrong_encoding`, `gone`. */
  code: z.string(),
  message: z.string(),
})
export type Refusal = z.infer<typeof Refusal>

export const SourceReport = z.object({
  runId: z.string(),
  sourceId: z.string(),
  /** Data rows of the source, counted apart from the rows that were accepted or rejected. */
  rowsIn: z.number().int(),
  accepted: z.number().int(),
  rejected: z.number().int(),
  refusal: Refusal.nullable(),
  /** `convert`: how many rejects per reason and column. */
  reasons: z.array(z.object({ reason: RejectReason, column: z.string().nullable(), rows: z.number().int() })),
  /** `convert`: the first rejects, at most 20, so that a person need not open the quarantine. */
  examples: z.array(Reject),
  parts: z.array(StagedPart),
  /** `convert`: parquet with dataset, source_id, run_id, line, column, value, reason, original. Null without rejects. */
  rejects: StagedObject.nullable(),
})
export type SourceReport = z.infer<typeof SourceReport>

export const Report = z.object({
  report: z.literal(1),
  batch: z.string(),
  engine: z.enum(['duckdb', 'spark']),
  /** The job's own random id. */
  job: z.string(),
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  endedAt: z.string(),
  sources: z.array(SourceReport),
})
export type Report = z.infer<typeof Report>
