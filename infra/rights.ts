import type { ITable } from 'aws-cdk-lib/aws-dynamodb'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import type { Contract } from '../schemas/contract.ts'
import { physicalTables } from '../schemas/locations.ts'
import type { JobStage } from './config.ts'
import { books, DELETE, DELETE_VERSION, glue, list, objects, READ, say, tables, WRITE } from './grants.ts'
import type { Rerun } from './rerun.ts'
import type { Stateful } from './stateful.ts'

/** What the stages' functions call besides S3 and the ledger. Names are CloudFormation references. */
export interface Glue {
  jobs: Record<JobStage, string>
  crawlers: string[]
}

const job = (scope: Construct, name: string) =>
  glue(scope, ['glue:StartJobRun', 'glue:GetJobRun', 'glue:GetJobRuns'], [`job/${name}`])

/** Zips and CSVs leave `landing/`; a newer zip withdraws what its predecessor had, through all zones. */
export const unzipRights = (scope: Construct, stateful: Stateful): PolicyStatement[] => {
  const { raw, processing, delivery, quarantine, ledger } = stateful
  return [
    books(ledger),
    say(scope),
    list(raw, processing, delivery),
    objects(READ, raw, 'landing/', 'data/', 'old-data/'),
    objects(WRITE, raw, 'data/', 'old-data/'),
    objects(DELETE_VERSION, raw, 'landing/', 'data/'),
    objects(DELETE, processing, 'data/'),
    objects(DELETE, delivery, 'data/'),
    objects(WRITE, quarantine, 'refused/', 'runs/'),
  ]
}

export const convertRights = (scope: Construct, stateful: Stateful, { jobs }: Glue): PolicyStatement[] => {
  const { raw, staging, processing, quarantine, ledger } = stateful
  return [
    books(ledger),
    say(scope),
    job(scope, jobs.convert),
    list(raw, staging, processing),
    objects(READ, raw, 'data/'),
    objects(READ, staging, 'convert/'),
    objects(WRITE, staging, 'convert/'),
    objects(READ, processing, 'data/'),
    objects(WRITE, processing, 'data/'),
    objects(DELETE, processing, 'data/'),
    objects(WRITE, quarantine, 'rejects/', 'refused/', 'runs/'),
  ]
}

export const partitionRights = (scope: Construct, stateful: Stateful, { jobs }: Glue): PolicyStatement[] => {
  const { raw, staging, processing, delivery, quarantine, ledger } = stateful
  return [
    books(ledger),
    say(scope),
    job(scope, jobs.partition),
    list(raw, staging, processing, delivery),
    objects(READ, raw, 'data/'),
    objects(READ, processing, 'data/'),
    objects(READ, staging, 'partition/'),
    objects(WRITE, staging, 'partition/'),
    objects(READ, delivery, 'data/'),
    objects(WRITE, delivery, 'data/'),
    objects(DELETE, delivery, 'data/'),
    objects(WRITE, quarantine, 'refused/', 'runs/'),
  ]
}

/** The crawler adds partitions and never drops them: what it leaves wrong is repaired through the catalog's own API. */
export const catalogRights = (scope: Construct, stateful: Stateful, { crawlers }: Glue): PolicyStatement[] => {
  const { delivery, quarantine, ledger, contracts } = stateful
  const repairs = [
    'glue:GetTable',
    'glue:GetPartitions',
    'glue:BatchCreatePartition',
    'glue:BatchDeletePartition',
  ] as const
  return [
    books(ledger),
    say(scope),
    list(delivery),
    objects(WRITE, quarantine, 'runs/'),
    glue(
      scope,
      ['glue:StartCrawler', 'glue:GetCrawler'],
      crawlers.map((name) => `crawler/${name}`),
    ),
    tables(scope, [...repairs], contracts.flatMap(physicalTables)),
    ...views(scope, contracts),
  ]
}

/** Of a contract with a version, the name that people query is a view, or is still to become one in the place of a table. */
function views(scope: Construct, contracts: Contract[]): PolicyStatement[] {
  const viewed = contracts.filter(({ version }) => version > 1).map(({ table }) => table)
  // UpdateTable switches it; the others are for where there is none yet, and where Glue takes no view for a table.
  const actions = ['glue:CreateTable', 'glue:UpdateTable', 'glue:DeleteTable'] as const
  return viewed.length > 0 ? [tables(scope, [...actions], viewed)] : []
}

/** Tables of versions that people were switched from, but for the first, whose name is the view's. */
function retiring(scope: Construct, contracts: Contract[]): PolicyStatement[] {
  const retired = contracts.flatMap((contract) => physicalTables(contract).slice(1, -1))
  return retired.length > 0 ? [tables(scope, ['glue:DeleteTable'], retired)] : []
}

/**
 * Sweep does what a missed event should have done, so it may do what the stages behind the events may; it asks whether the
 * machine of a rerun that does not end still runs; it looks for replays that no stage hears, which AWS lists for the
 * account as a whole or not at all; and it looks into the dead-letter queues and takes nothing out of them. A zip whose event
 * did not come it gives to unzip, whose work it may not do.
 */
export const sweepRights = (
  scope: Construct,
  stateful: Stateful,
  glue: Glue,
  { executionsArn }: Pick<Rerun, 'executionsArn'>,
  { unzip, deadLetters }: { unzip: IQueue; deadLetters: IQueue[] },
): PolicyStatement[] => [
  ...convertRights(scope, stateful, glue),
  ...partitionRights(scope, stateful, glue),
  ...catalogRights(scope, stateful, glue),
  new PolicyStatement({ actions: ['states:DescribeExecution'], resources: [executionsArn] }),
  new PolicyStatement({ actions: ['events:ListReplays'], resources: ['*'] }),
  objects(READ, stateful.raw, 'landing/'),
  new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [unzip.queueArn] }),
  new PolicyStatement({
    actions: ['sqs:GetQueueAttributes', 'sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility'],
    resources: deadLetters.map(({ queueArn }) => queueArn),
  }),
  ...retiring(scope, stateful.contracts),
]

/**
 * A rerun lists keys and asks for them; what is done then, the stages do. In the ledger it has its own rows only, and
 * what it puts on the bus can pass for no event of S3 or Glue.
 */
export const rerunRights = (scope: Construct, { raw, ledger }: { raw: IBucket; ledger: ITable }): PolicyStatement[] => [
  list(raw),
  new PolicyStatement({
    actions: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
    resources: [ledger.tableArn],
    conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['RERUN#*', 'CAUSE#*'] } },
  }),
  say(scope),
]
