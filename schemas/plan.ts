import { z } from 'zod'

const PlanColumn = z.object({
  source: z.string(),
  name: z.string(),
  kind: z.enum(['string', 'int', 'bigint', 'decimal', 'date', 'timestamp', 'boolean', 'double']),
  precision: z.int().optional(),
  scale: z.int().optional(),
  formats: z.array(z.string()).optional(),
  /** The character before the decimals, where it is not a point. */
  decimal: z.string().optional(),
  /** The character between groups of digits, where numbers may have one. */
  thousands: z.string().optional(),
  required: z.boolean(),
  /** Limits and listed values, as texts that casts read exactly. */
  min: z.string().optional(),
  max: z.string().optional(),
  oneOf: z.array(z.string()).optional(),
  /** Of a source's rows that are right by themselves, only the first with a value stays. */
  unique: z.literal(true).optional(),
})
export type PlanColumn = z.infer<typeof PlanColumn>

/**
 * Expressions of one dialect for column i of the plan. They read `r<i>`, the field's text as found, null where it is empty;
 * `valid` also `v<i>`, the result of `value`.
 * For any text, exactly one holds: `value` is not null and within the column's rules; the text is blank and allowed to be;
 * `reason` is not null.
 */
const DialectColumn = z.object({
  /** The type of the value in this dialect's SQL. */
  type: z.string(),
  /** The typed value, null for a blank or wrong text. */
  value: z.string(),
  /** True where the text is right. Null for a column that cannot be wrong. */
  valid: z.string().nullable(),
  /** The reason why the text is wrong, null where it is right. Slow: for rejected rows only. */
  reason: z.string(),
})

const DuckDbColumn = DialectColumn.extend({
  /** What the engine's own cast makes of the text, right or wrong: no authority; `value` reads it as `c<i>`. Null where none is needed. */
  cast: z.string().nullable(),
  /** The first format of a date or timestamp in this dialect's words, null for other types. */
  format: z.string().nullable(),
})
export type DuckDbColumn = z.infer<typeof DuckDbColumn>

const SparkColumn = DialectColumn.extend({
  /** A regular expression of texts that are plainly right. It can match neither the delimiter nor the quote. Null where there is none. */
  canonical: z.string().nullable(),
  /** The value of such a text: the same as `value`, for less. */
  quick: z.string(),
})
export type SparkColumn = z.infer<typeof SparkColumn>

/** A contract, compiled: plain JSON that travels in a job's manifest. Jobs execute it and know no dataset. */
export const Plan = z.object({
  plan: z.literal(1),
  dataset: z.string(),
  version: z.int(),
  source: z.object({
    delimiter: z.string(),
    quote: z.string(),
    encoding: z.enum(['utf-8', 'utf-16', 'utf-16le', 'utf-16be', 'latin-1']),
    multiline: z.boolean(),
  }),
  columns: z.array(PlanColumn),
  partitionBy: z.string(),
  unknownColumns: z.enum(['refuse', 'ignore']),
  missingColumns: z.enum(['refuse', 'null']),
  limits: z.object({ maxMembers: z.int(), maxBytes: z.int(), maxRatio: z.number() }),
  duckdb: z.object({ columns: z.array(DuckDbColumn) }),
  spark: z.object({ columns: z.array(SparkColumn) }),
})
export type Plan = z.infer<typeof Plan>
