import { liveOrReplayedTo } from './replay.ts'
import { S3ObjectEvent, sample } from './s3-object.ts'

/** A CSV is in the raw zone, from `unzip` or dropped by hand: wakes `convert`. */
export const CsvLanded = {
  stage: 'convert',
  prefix: 'data/',
  pattern: ({ bucket }: { bucket: string }) => ({
    source: ['aws.s3'],
    'detail-type': ['Object Created'],
    detail: { bucket: { name: [bucket] }, object: { key: [{ prefix: 'data/' }] } },
    ...liveOrReplayedTo('convert'),
  }),
  schema: S3ObjectEvent,
  sample: (bucket: string) =>
    sample(
      'Object Created',
      bucket,
      'data/sales/5000_Sales_Records~1f2e3d4c5b/5000_Sales_Records.csv',
      'CompleteMultipartUpload',
    ),
} as const
