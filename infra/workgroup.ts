import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena'
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Names, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { physicalTables } from '../schemas/locations.ts'
import { REJECTS_TABLE } from '../schemas/rejects.ts'
import { RUNS_TABLE } from '../schemas/runs.ts'
import type { Config } from './config.ts'
import { list, objects, READ, tables, WRITE } from './grants.ts'
import type { Stateful } from './stateful.ts'

/** Where people's queries run: results go to their own bucket, whatever the client asks for. */
export class WorkGroup extends Construct {
  readonly workGroupName: string
  /** For the roles and users of people who ask; no role of ours holds it. */
  readonly readers: ManagedPolicy

  constructor(scope: Construct, id: string, { config, stateful }: { config: Config; stateful: Stateful }) {
    super(scope, id)
    const group = new CfnWorkGroup(this, 'WorkGroup', {
      // CloudFormation does not name workgroups by itself.
      name: Names.uniqueResourceName(this, { maxLength: 100 }),
      description: 'Landfall: queries on the delivery zone, on rejects and on runs',
      recursiveDeleteOption: !config.protect,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: config.alarms,
        resultConfiguration: {
          outputLocation: stateful.results.s3UrlForObject('results/'),
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    })
    this.workGroupName = group.ref
    this.readers = new ManagedPolicy(this, 'Readers', {
      description: 'Landfall: may ask for delivered rows, rejects and runs through Athena',
      statements: readerRights(this, stateful, this.workGroupName),
    })
  }
}

/** Athena reads tables and writes results with the rights of whoever asks. */
function readerRights(scope: Construct, stateful: Stateful, workGroup: string): PolicyStatement[] {
  const { delivery, quarantine, results, contracts } = stateful
  // A view is read with the reader's own rights on the table below it, which is another one after a switch.
  const readable = contracts.flatMap((contract) => [
    ...physicalTables(contract),
    { database: contract.table.database, name: REJECTS_TABLE },
    { database: contract.table.database, name: RUNS_TABLE },
  ])
  return [
    new PolicyStatement({
      actions: [
        'athena:GetWorkGroup',
        'athena:StartQueryExecution',
        'athena:StopQueryExecution',
        'athena:GetQueryExecution',
        'athena:GetQueryResults',
      ],
      resources: [Stack.of(scope).formatArn({ service: 'athena', resource: 'workgroup', resourceName: workGroup })],
    }),
    tables(
      scope,
      ['glue:GetDatabase', 'glue:GetTable', 'glue:GetTables', 'glue:GetPartition', 'glue:GetPartitions'],
      readable,
    ),
    list(delivery, quarantine, results),
    new PolicyStatement({ actions: ['s3:GetBucketLocation'], resources: [results.bucketArn] }),
    objects(READ, delivery, 'data/'),
    objects(READ, quarantine, 'rejects/', 'runs/'),
    objects(READ, results, 'results/'),
    objects(WRITE, results, 'results/'),
  ]
}
