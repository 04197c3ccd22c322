import { CfnCrawler } from 'aws-cdk-lib/aws-glue'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Contract } from '../schemas/contract.ts'
import { deliveryPrefix, physicalTable } from '../schemas/locations.ts'
import { glue, glueLogs, list, objects, READ, tables } from './grants.ts'
import type { Stateful } from './stateful.ts'

/**
 * A crawler over the existing table of the contract's version: it adds partitions, which inherit the table's columns and format, and
 * only logs what else it thinks has changed. The contract decides what the table is, not what is found in the files.
 */
export class Crawler extends Construct {
  readonly crawlerName: string

  constructor(scope: Construct, id: string, { contract, stateful }: { contract: Contract; stateful: Stateful }) {
    super(scope, id)
    const { dataset } = contract
    const table = physicalTable(contract)

    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('glue.amazonaws.com'),
      description: `Landfall: what the crawler of ${dataset} may do`,
    })
    // AWS's managed AWSGlueServiceRole would be every Glue action, EC2, IAM and any bucket.
    const rights = [
      objects(READ, stateful.delivery, deliveryPrefix(contract)),
      list(stateful.delivery),
      new PolicyStatement({ actions: ['s3:GetBucketLocation'], resources: [stateful.delivery.bucketArn] }),
      glue(this, ['glue:GetDatabase'], ['catalog', `database/${table.database}`]),
      tables(
        this,
        [
          'glue:GetTable',
          'glue:UpdateTable',
          'glue:GetPartition',
          'glue:GetPartitions',
          'glue:BatchGetPartition',
          'glue:CreatePartition',
          'glue:BatchCreatePartition',
          'glue:UpdatePartition',
          'glue:BatchUpdatePartition',
        ],
        [table],
      ),
      glueLogs(this, 'crawlers'),
    ]
    for (const right of rights) role.addToPolicy(right)

    const crawler = new CfnCrawler(this, 'Crawler', {
      description: `Landfall: registers new partitions of ${table.database}.${table.name}`,
      role: role.roleArn,
      targets: { catalogTargets: [{ databaseName: table.database, tables: [table.name] }] },
      schemaChangePolicy: { updateBehavior: 'LOG', deleteBehavior: 'LOG' },
      configuration: JSON.stringify({
        Version: 1.0,
        CrawlerOutput: { Partitions: { AddOrUpdateBehavior: 'InheritFromTable' } },
      }),
    })
    crawler.node.addDependency(role)
    this.crawlerName = crawler.ref
  }
}
