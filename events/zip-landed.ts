import { liveOrReplayedTo } from './replay.ts'
import { S3ObjectEvent, sample } from './s3-object.ts'

/** A zip landed in the raw zone: wakes `unzip`. */
export const ZipLanded = {
  stage: 'unzip',
  prefix: 'landing/',
  pattern: ({ bucket }: { bucket: string }) => ({
    source: ['aws.s3'],
    'detail-type': ['Object Created'],
    detail: { bucket: { name: [bucket] }, object: { key: [{ prefix: 'landing/' }] } },
    ...liveOrReplayedTo('unzip'),
  }),
  schema: S3ObjectEvent,
  sample: (bucket: string) => sample('Object Created', bucket, 'landing/sales/5000 Sales Records.zip', 'PutObject'),
} as const
