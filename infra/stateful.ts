import { AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb'
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue'
import type { Bucket } from 'aws-cdk-lib/aws-s3'
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { glueTable } from '../schemas/compiler/glue-table.ts'
import type { Contract } from '../schemas/contract.ts'
import { deliveryPrefix } from '../schemas/locations.ts'
import { rejectsTable } from '../schemas/rejects.ts'
import { runsTable } from '../schemas/runs.ts'
import { Archive } from './archive.ts'
import { bucket, notify, zone } from './bucket.ts'
import type { Config } from './config.ts'

export interface StatefulProps extends StackProps {
  config: Config
  contracts: Contract[]
}

/** What must outlive a deployment: the zones, the ledger, the catalog's databases and tables, and the archive of events. */
export class Stateful extends Stack {
  readonly contracts: Contract[]
  readonly raw: Bucket
  readonly processing: Bucket
  readonly delivery: Bucket
  readonly quarantine: Bucket
  readonly staging: Bucket
  readonly results: Bucket
  readonly ledger: Table
  readonly archive: Archive

  constructor(scope: Construct, id: string, { config, contracts, ...props }: StatefulProps) {
    super(scope, id, { terminationProtection: config.protect, ...props })
    this.contracts = contracts

    this.raw = notify(zone(this, 'Raw', config))
    this.processing = notify(zone(this, 'Processing', config))
    this.delivery = notify(zone(this, 'Delivery', config))
    this.quarantine = zone(this, 'Quarantine', config)
    // Unversioned, and no events: what a job writes here is nobody's until it is checked and published.
    this.staging = bucket(this, 'Staging', config, { lifecycleRules: [{ expiration: Duration.days(7) }] })
    this.results = bucket(this, 'Results', config, { lifecycleRules: [{ expiration: config.resultsExpire }] })
    this.ledger = this.createLedger(config)
    this.createCatalog(config)
    // Here and not beside the rules: it must still have what happened before the stages were deployed anew.
    this.archive = new Archive(this, 'ObjectEvents', { config, buckets: [this.raw, this.processing, this.delivery] })

    const outputs = {
      RawBucket: this.raw.bucketName,
      ProcessingBucket: this.processing.bucketName,
      DeliveryBucket: this.delivery.bucketName,
      QuarantineBucket: this.quarantine.bucketName,
      StagingBucket: this.staging.bucketName,
      ResultsBucket: this.results.bucketName,
      LedgerTable: this.ledger.tableName,
      Archive: this.archive.archiveArn,
    }
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value })
  }

  private createLedger(config: Config): Table {
    const ledger = new Table(this, 'Ledger', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: config.pointInTimeRecovery },
      timeToLiveAttribute: 'expiresAt',
      deletionProtection: config.protect,
      removalPolicy: config.removal,
    })
    // Runs by time, for people. It lags behind the table: see `Listing` for what may be decided by it.
    ledger.addGlobalSecondaryIndex({
      indexName: 'byTime',
      partitionKey: { name: 'listing', type: AttributeType.STRING },
      sortKey: { name: 'listedAt', type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    })
    return ledger
  }

  /**
   * Databases and tables, under the names that the contracts give them: they are what people write in their SQL. From
   * version 2 of a contract on, they write the name of a view over its table; `catalog` makes it, not a template.
   */
  private createCatalog(config: Config) {
    const databases = new Map<string, CfnDatabase>()
    for (const contract of this.contracts) {
      const { database } = contract.table
      const table = glueTable(contract, this.delivery.s3UrlForObject(deliveryPrefix(contract)))
      const known = databases.get(database)
      const parent =
        known ??
        new CfnDatabase(this, `Database-${database}`, { catalogId: this.account, databaseInput: { name: database } })
      databases.set(database, parent)
      const rejects = rejectsTable(table, this.quarantine.s3UrlForObject('rejects/'))
      const runs = runsTable(table, this.quarantine.s3UrlForObject('runs/'))
      for (const tableInput of known ? [table] : [table, rejects, runs]) {
        const resource = new CfnTable(this, `Table-${database}-${tableInput.name}`, {
          catalogId: this.account,
          databaseName: database,
          tableInput,
        })
        resource.addResourceDependency(parent)
        // A new version of the contract takes the table of the version before out of the template, not from its readers.
        resource.applyRemovalPolicy(tableInput === table ? RemovalPolicy.RETAIN : config.removal)
      }
      parent.applyRemovalPolicy(config.removal)
    }
  }
}
