import { z } from 'zod'

/** Why a key is asked for again; without a reason, whatever became of it. */
export const RERUN_ONLY = ['failed', 'refused'] as const

/**
 * A rerun asks for one key of the raw zone: wakes `unzip` below `landing/`, `convert` below `data/`. An event of our own,
 * put by the rerun's state machine; the stage HEADs the object for the rest. It is not archived, so no replay has it.
 */
export const RerunAsked = {
  pattern: ({ bucket, prefix }: { bucket: string; prefix: `${string}/` }) => ({
    source: ['landfall'],
    'detail-type': ['landfall.rerun'],
    detail: { bucket: [bucket], key: [{ prefix }] },
  }),
  schema: z.object({
    source: z.literal('landfall'),
    'detail-type': z.literal('landfall.rerun'),
    detail: z.object({
      bucket: z.string(),
      key: z.string(),
      /** The rerun's name, which is the cause of the run: `rerun-<execution name>`. */
      rerun: z.string(),
      only: z.array(z.enum(RERUN_ONLY)).optional(),
      /** Only what landed at this instant or later. */
      since: z.iso.datetime({ offset: true }).optional(),
    }),
  }),
  sample: (bucket: string, key: string) => ({
    version: '0',
    id: '3c1f2d5e-6a0b-4f7e-9f0e-5d2f3b1a7c84',
    'detail-type': 'landfall.rerun',
    source: 'landfall',
    account: '111122223333',
    time: '2026-11-24T10:00:00Z',
    region: 'eu-central-1',
    // Step Functions adds these two to what a state puts.
    resources: [
      'arn:aws:states:eu-central-1:111122223333:stateMachine:Rerun',
      'arn:aws:states:eu-central-1:111122223333:express:Rerun/Sources:0f5c:7b1e',
    ],
    detail: { bucket, key, rerun: 'rerun-2026-11-24', only: ['failed', 'refused'], since: '2026-11-20T00:00:00Z' },
  }),
} as const
