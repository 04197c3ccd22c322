import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Names } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Config } from './config.ts'

/** Where people's queries run: results go to their own bucket, whatever the client asks for. */
export class WorkGroup extends Construct {
  readonly workGroupName: string

  constructor(scope: Construct, id: string, { config, results }: { config: Config; results: IBucket }) {
    super(scope, id)
    const group = new CfnWorkGroup(this, 'WorkGroup', {
      // CloudFormation does not name workgroups by itself.
      name: Names.uniqueResourceName(this, { maxLength: 100 }),
      description: 'Landfall: queries on the delivery zone',
      recursiveDeleteOption: !config.protect,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: config.alarms,
        resultConfiguration: {
          outputLocation: results.s3UrlForObject('results/'),
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    })
    this.workGroupName = group.ref
  }
}
