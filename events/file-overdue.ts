import { z } from 'zod'

/** A file that a contract expects did not come, or came implausibly small: told once. An event of our own that no stage hears. */
export const FileOverdue = {
  pattern: ({ dataset }: { dataset?: string } = {}) => ({
    source: ['landfall'],
    'detail-type': ['landfall.overdue'],
    ...(dataset && { detail: { dataset: [dataset] } }),
  }),
  schema: z.object({
    source: z.literal('landfall'),
    'detail-type': z.literal('landfall.overdue'),
    detail: z.object({
      dataset: z.string(),
      due: z.iso.datetime(),
      /** When its grace was over. */
      deadline: z.iso.datetime(),
      cron: z.string(),
      prefix: z.string().optional(),
      leastBytes: z.int(),
      /** What came and was too small. */
      found: z.object({ key: z.string(), bytes: z.int() }).optional(),
      /** For people. */
      message: z.string(),
    }),
  }),
  sample: () => ({
    version: '0',
    id: '0b7c9e12-5f3a-4d86-8a1e-94f2d6c3b705',
    'detail-type': 'landfall.overdue',
    source: 'landfall',
    account: '111122223333',
    time: '2026-11-24T08:01:12Z',
    region: 'eu-central-1',
    resources: [],
    detail: {
      dataset: 'sales',
      due: '2026-11-24T06:00:00.000Z',
      deadline: '2026-11-24T08:00:00.000Z',
      cron: '0 6 * * 1-5',
      prefix: 'landing/sales/orders-',
      leastBytes: 10_000,
      found: { key: 'landing/sales/orders-24.zip', bytes: 120 },
      message: 'The file of sales is implausibly small.',
    },
  }),
} as const
