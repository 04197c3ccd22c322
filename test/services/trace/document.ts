import { z } from 'zod'

/**
 * What X-Ray takes, as https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html publishes it; strict, so
 * that a field which X-Ray does not know is found here.
 */
const hex16 = z.string().regex(/^[0-9a-f]{16}$/)
/** Letters, numbers and whitespace of any language, and these. */
const name = z
  .string()
  .max(200)
  .regex(/^[\p{L}\p{N}\s_.:/%&#=+\\\-@]+$/u)
/** Seconds since 1970; milliseconds would be a date some 50,000 years from now. */
const time = z.number().positive().max(1e10)

const exception = z.strictObject({
  id: hex16,
  message: z.string().optional(),
  type: z.string().optional(),
  remote: z.boolean().optional(),
  truncated: z.int().optional(),
  skipped: z.int().optional(),
  cause: hex16.optional(),
  stack: z.array(z.unknown()).optional(),
})
const cause = z.union([
  hex16,
  z.strictObject({
    working_directory: z.string().optional(),
    paths: z.array(z.string()).optional(),
    exceptions: z.array(exception).min(1),
  }),
])

const common = {
  id: hex16,
  name,
  start_time: time,
  end_time: time.optional(),
  in_progress: z.literal(true).optional(),
  error: z.boolean().optional(),
  throttle: z.boolean().optional(),
  fault: z.boolean().optional(),
  cause: cause.optional(),
  annotations: z
    .record(z.string().regex(/^[A-Za-z0-9_]{1,500}$/), z.union([z.string().max(1000), z.number(), z.boolean()]))
    .refine((all) => Object.keys(all).length <= 50, 'at most 50 of a trace')
    .optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
}

/** Either an end, or the word that it has not come. */
const endsOrNot = ({ end_time, in_progress }: { end_time?: number; in_progress?: true }) =>
  (end_time === undefined) === (in_progress === true)
const forwards = ({ start_time, end_time }: { start_time: number; end_time?: number }) =>
  end_time === undefined || end_time >= start_time

export const SubsegmentDocument = z
  .strictObject({
    ...common,
    namespace: z.enum(['aws', 'remote']).optional(),
    subsegments: z.array(z.lazy((): z.ZodType => SubsegmentDocument)).optional(),
  })
  .refine(endsOrNot, 'either end_time or in_progress')
  .refine(forwards, 'ends before it begins')

export const SegmentDocument = z
  .strictObject({
    ...common,
    /** Version, time in eight hexadecimal digits, and 96 bits. */
    trace_id: z.string().regex(/^1-[0-9a-f]{8}-[0-9a-f]{24}$/),
    parent_id: hex16.optional(),
    subsegments: z.array(SubsegmentDocument).optional(),
  })
  .refine(endsOrNot, 'either end_time or in_progress')
  .refine(forwards, 'ends before it begins')

/** Bytes of a document. */
export const MOST_BYTES = 64 * 1024
