import { randomUUID } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { GlueClient } from '@aws-sdk/client-glue'
import { DescribeExecutionCommand, ExecutionDoesNotExist, SFNClient } from '@aws-sdk/client-sfn'
import { SQSClient } from '@aws-sdk/client-sqs'
import { XRayClient } from '@aws-sdk/client-xray'
import { loadContracts } from '../../schemas/contract.ts'
import { putEvents } from '../events/put.ts'
import { EventBridgeArchives } from '../jobs/archives.ts'
import { AwsGlue } from '../jobs/glue.ts'
import { S3Objects } from '../jobs/objects.ts'
import { Ledger } from '../ledger/ledger.ts'
import { DynamoListing } from '../ledger/listing.ts'
import { DynamoTable } from '../ledger/table.ts'
import { IMPATIENT, sendTo } from '../trace/send.ts'
import { noteEnd } from './ended.ts'
import { noting } from './handled.ts'
import { documentClient, s3Client } from './sdk.ts'
import { traced, tracedAtFirst } from './tracer.ts'

/** One of each, made at the first call of a cold function and kept. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

// Not traced: a run has hundreds of objects. A subsegment for each was most of a trace, which may have 500 KB, and cost 9 % of
// the time to queryable. The steps around them are traced.
export const s3 = once(() => s3Client())
export const objects = once(() => new S3Objects(s3()))
export const glue = once(() => new AwsGlue(traced(new GlueClient())))
export const document = once(() =>
  tracedAtFirst((isTraced) => documentClient(isTraced ? traced(new DynamoDBClient()) : new DynamoDBClient())),
)
export const ledger = (table: string) =>
  new Ledger(noting(new DynamoTable(document(), table)), () => new Date(), noteEnd, process.env.CODE_VERSION)
export const listing = (table: string) => new DynamoListing(document(), table)
const events = once(() => traced(new EventBridgeClient()))
/** Events of our own, onto the default bus. */
export const put = once(() => putEvents(events()))
export const archives = (archive: string) => new EventBridgeArchives(events(), archive)
export const sendSegments = once(() => sendTo(traced(new XRayClient(IMPATIENT))))
export const sqs = once(() => traced(new SQSClient()))
const sfn = once(() => traced(new SFNClient()))
/** Whether an execution of a state machine is still at work. One that AWS has forgotten is not. */
export async function executionRuns(executionArn: string): Promise<boolean> {
  try {
    return (await sfn().send(new DescribeExecutionCommand({ executionArn }))).status === 'RUNNING'
  } catch (error) {
    if (error instanceof ExecutionDoesNotExist) return false
    throw error
  }
}
export const unique = () => randomUUID().slice(0, 8)
export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** The contracts that the function was deployed with, by dataset. */
export const contracts = once(() => loadContracts(`${process.env.LAMBDA_TASK_ROOT}/datasets`))
