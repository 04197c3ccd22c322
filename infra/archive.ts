import { CfnArchive } from 'aws-cdk-lib/aws-events'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { CsvLanded } from '../events/csv-landed.ts'
import { DeliveryChanged } from '../events/delivery-changed.ts'
import { ParquetProcessed } from '../events/parquet-processed.ts'
import { ZipLanded } from '../events/zip-landed.ts'
import type { Config } from './config.ts'

const PREFIXES = [...new Set([ZipLanded, CsvLanded, ParquetProcessed, DeliveryChanged].map(({ prefix }) => prefix))]

export interface ArchiveProps {
  config: Config
  /** Whose object events are kept. */
  buckets: IBucket[]
}

/**
 * The zones' object events, for replays: those of the prefixes that some stage's rule names, deletions included, as the
 * table changes by them. A replayed event is not kept a second time, or the next replay of its window would have it twice.
 */
export class Archive extends Construct {
  readonly archiveArn: string

  constructor(scope: Construct, id: string, { config, buckets }: ArchiveProps) {
    super(scope, id)
    const archive = new CfnArchive(this, 'Archive', {
      description: 'Landfall: object events of the raw, processing and delivery zones, for replays',
      sourceArn: Stack.of(this).formatArn({ service: 'events', resource: 'event-bus', resourceName: 'default' }),
      retentionDays: config.archiveRetention.toDays(),
      eventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created', 'Object Deleted'],
        detail: {
          bucket: { name: buckets.map(({ bucketName }) => bucketName) },
          object: { key: PREFIXES.map((prefix) => ({ prefix })) },
        },
        'replay-name': [{ exists: false }],
      },
    })
    archive.applyRemovalPolicy(config.removal)
    this.archiveArn = archive.attrArn
  }
}
