import { z } from 'zod'

export const JOB_END_STATES = ['SUCCEEDED', 'FAILED', 'TIMEOUT', 'STOPPED'] as const

/**
 * A Glue job run ended: wakes the stage that started it. Best effort, and sent before Glue frees the run's slot.
 * https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
 */
export const JobEnded = {
  pattern: ({ jobName }: { jobName: string }) => ({
    source: ['aws.glue'],
    'detail-type': ['Glue Job State Change'],
    detail: { jobName: [jobName], state: [...JOB_END_STATES] },
  }),
  schema: z.object({
    source: z.literal('aws.glue'),
    'detail-type': z.literal('Glue Job State Change'),
    detail: z.object({
      jobName: z.string(),
      jobRunId: z.string(),
      state: z.enum(JOB_END_STATES),
      message: z.string().optional(),
    }),
  }),
  sample: (jobName: string) => ({
    version: '0',
    id: 'abcdef00-1234-5678-9abc-def012345678',
    'detail-type': 'Glue Job State Change',
    source: 'aws.glue',
    account: '123456789012',
    time: '2026-11-22T18:57:21Z',
    region: 'us-east-1',
    resources: [],
    detail: {
      jobName,
      severity: 'INFO',
      state: 'SUCCEEDED',
      jobRunId: 'jr_abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789',
      message: 'Job run succeeded',
    },
  }),
} as const
