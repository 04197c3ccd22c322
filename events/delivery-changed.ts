import { liveOrReplayedTo } from './replay.ts'
import { S3ObjectEvent, sample } from './s3-object.ts'

/**
 * An object of the delivery zone was written or taken out: wakes `catalog`.
 * Expiry by lifecycle (reason `Lifecycle Expiration`) only removes old versions and changes no table.
 */
export const DeliveryChanged = {
  stage: 'catalog',
  prefix: 'data/',
  pattern: ({ bucket }: { bucket: string }) => ({
    source: ['aws.s3'],
    'detail-type': ['Object Created', 'Object Deleted'],
    detail: {
      bucket: { name: [bucket] },
      object: { key: [{ prefix: 'data/' }] },
      reason: [{ 'anything-but': ['Lifecycle Expiration'] }],
    },
    ...liveOrReplayedTo('catalog'),
  }),
  schema: S3ObjectEvent,
  sample: (bucket: string) =>
    sample('Object Created', bucket, 'data/sales/COUNTRY=Cote d%27Ivoire/sales-1f2e3d4c5b-00001.parquet', 'CopyObject'),
} as const
