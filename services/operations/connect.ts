import { AthenaClient } from '@aws-sdk/client-athena'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { GlueClient } from '@aws-sdk/client-glue'
import type { S3Client } from '@aws-sdk/client-s3'
import { SFNClient } from '@aws-sdk/client-sfn'
import { SQSClient } from '@aws-sdk/client-sqs'
import { XRayClient } from '@aws-sdk/client-xray'
import type { Stage } from '../../events/replay.ts'
import { type Archives, EventBridgeArchives } from '../jobs/archives.ts'
import { AwsGlue } from '../jobs/glue.ts'
import { type Objects, S3Objects } from '../jobs/objects.ts'
import { documentClient, s3Client } from '../lambda/sdk.ts'
import { Ledger } from '../ledger/ledger.ts'
import { DynamoListing, type Listing } from '../ledger/listing.ts'
import { DynamoTable } from '../ledger/table.ts'
import { type DeadLetters, SqsDeadLetters } from '../letters/dead-letters.ts'
import { type Depth, type NamedQueue, objectRulesOf, queuesOf, sqsDepth } from '../letters/queues.ts'
import { versionsOf } from './contract-versions.ts'
import { type Machine, SfnMachine } from './machine.ts'
import { type Traces, XRayTraces } from './traces.ts'
import { S3Versions, type Versions } from './versions.ts'

/** Names of the two stacks of the app. */
export const STACKS = { stateful: 'LandfallStateful', stateless: 'LandfallStateless' } as const

/** Empty for AWS: region and credentials come from the environment, as for any AWS tool. */
export type Target = {
  endpoint?: string
  region?: string
  credentials?: { accessKeyId: string; secretAccessKey: string }
}

/** A deployed Landfall, on AWS or on a laptop: what people's commands work on. */
export type Landfall = {
  s3: S3Client
  objects: Objects
  versions: Versions
  athena: AthenaClient
  ledger: Ledger
  listing: Listing
  /** Datasets that it was deployed with. */
  datasets: string[]
  queues: NamedQueue[]
  depth: (url: string) => Promise<Depth>
  /** Milliseconds by which `depth` may be behind. */
  depthLag: number
  deadLetters: DeadLetters
  /** Of reruns. */
  machine: Machine
  /** Which version of its contract people see of a dataset, and which is deployed. */
  contractVersions: (dataset: string) => Promise<{ served: number | undefined; deployed: number | undefined }>
  archives: Archives
  traces: Traces
  /** ARN of the rule by which each stage hears of objects. */
  objectRules: Partial<Record<Stage, string>>
  rawBucket: string
  processingBucket: string
  deliveryBucket: string
  quarantineBucket: string
  stagingBucket: string
  resultsBucket: string
  workGroup: string
  close: () => void
}

/** SQS's numbers are right a minute after the last change; an emulator's at once, but for a message between two hands. */
const SQS_DEPTH_LAG_MS = 70_000
const LOCAL_DEPTH_LAG_MS = 1_000

/** Finds the deployed stacks by their outputs. @throws Error naming the stack that is not there. */
export async function connect(target: Target = {}): Promise<Landfall> {
  const cloudFormation = new CloudFormationClient(target)
  const outputsOf = async (stack: string) => {
    const { Stacks } = await cloudFormation
      .send(new DescribeStacksCommand({ StackName: stack }))
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(
          `The stack ${stack} could not be read: ${why}. Deploy it first, or start a local one with landfall up.`,
          { cause: error },
        )
      })
    const outputs = new Map(Stacks?.[0]?.Outputs?.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]))
    const output = (name: string) => {
      const value = outputs.get(name)
      if (value === undefined) throw new Error(`The stack ${stack} has no output ${name}: it is of another version.`)
      return value
    }
    return Object.assign(output, { all: outputs })
  }
  const [stateful, stateless] = await Promise.all([outputsOf(STACKS.stateful), outputsOf(STACKS.stateless)])
  cloudFormation.destroy()
  const s3 = s3Client(target)
  const athena = new AthenaClient(target)
  const dynamo = new DynamoDBClient(target)
  const sqs = new SQSClient(target)
  const sfn = new SFNClient(target)
  const glue = new GlueClient(target)
  const events = new EventBridgeClient(target)
  const xray = new XRayClient(target)
  const document = documentClient(dynamo)
  return {
    s3,
    objects: new S3Objects(s3),
    versions: new S3Versions(s3),
    athena,
    ledger: new Ledger(new DynamoTable(document, stateful('LedgerTable')), () => new Date()),
    listing: new DynamoListing(document, stateful('LedgerTable')),
    datasets: Object.keys(JSON.parse(stateless('Crawlers')) as object),
    queues: queuesOf(stateless.all),
    depth: sqsDepth(sqs),
    depthLag: target.endpoint ? LOCAL_DEPTH_LAG_MS : SQS_DEPTH_LAG_MS,
    deadLetters: new SqsDeadLetters(sqs),
    machine: new SfnMachine(sfn, stateless('RerunMachine')),
    contractVersions: versionsOf(new AwsGlue(glue), stateless('Tables'), stateless('Versions')),
    archives: new EventBridgeArchives(events, stateful('Archive')),
    traces: new XRayTraces(xray),
    objectRules: objectRulesOf(stateless.all),
    rawBucket: stateful('RawBucket'),
    processingBucket: stateful('ProcessingBucket'),
    deliveryBucket: stateful('DeliveryBucket'),
    quarantineBucket: stateful('QuarantineBucket'),
    stagingBucket: stateful('StagingBucket'),
    resultsBucket: stateful('ResultsBucket'),
    workGroup: stateless('WorkGroup'),
    close: () => {
      s3.destroy()
      athena.destroy()
      dynamo.destroy()
      sqs.destroy()
      sfn.destroy()
      glue.destroy()
      events.destroy()
      xray.destroy()
    },
  }
}
