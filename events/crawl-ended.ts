import { z } from 'zod'

/**
 * A crawl ended: wakes `catalog`. The crawler itself is still STOPPING then.
 * https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
 */
export const CrawlEnded = {
  pattern: ({ crawlers }: { crawlers: string[] }) => ({
    source: ['aws.glue'],
    'detail-type': ['Glue Crawler State Change'],
    detail: { crawlerName: crawlers, state: ['Succeeded', 'Failed'] },
  }),
  schema: z.object({
    source: z.literal('aws.glue'),
    'detail-type': z.literal('Glue Crawler State Change'),
    detail: z.object({
      crawlerName: z.string(),
      state: z.enum(['Succeeded', 'Failed']),
      message: z.string().optional(),
    }),
  }),
  sample: (crawlerName: string) => ({
    version: '0',
    id: '05efe8a2-c309-6884-a41b-3508bcdc9695',
    'detail-type': 'Glue Crawler State Change',
    source: 'aws.glue',
    account: '561226563745',
    time: '2026-11-22T18:09:47Z',
    region: 'us-east-1',
    resources: [],
    detail: {
      tablesCreated: '0',
      warningMessage: 'N/A',
      partitionsUpdated: '0',
      tablesUpdated: '0',
      message: 'Crawler Succeeded',
      partitionsDeleted: '0',
      accountId: '561226563745',
      runningTime: 'PT10.3S',
      tablesDeleted: '0',
      crawlerName,
      completionDate: '2026-11-22T18:09:46Z',
      state: 'Succeeded',
      partitionsCreated: '185',
      cloudWatchLogLink: 'https://console.aws.amazon.com/cloudwatch/home',
    },
  }),
} as const
