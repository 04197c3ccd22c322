import { liveOrReplayedTo } from './replay.ts'
import { S3ObjectEvent, sample } from './s3-object.ts'

/** A typed part is in the processing zone: wakes `partition`. */
export const ParquetProcessed = {
  stage: 'partition',
  prefix: 'data/',
  pattern: ({ bucket }: { bucket: string }) => ({
    source: ['aws.s3'],
    'detail-type': ['Object Created'],
    detail: { bucket: { name: [bucket] }, object: { key: [{ prefix: 'data/' }] } },
    ...liveOrReplayedTo('partition'),
  }),
  schema: S3ObjectEvent,
  sample: (bucket: string) =>
    sample(
      'Object Created',
      bucket,
      'data/sales/5000_Sales_Records-1f2e3d4c5b/0123456789abcdef0123-00001-of-00001.parquet',
      'CopyObject',
    ),
} as const
