import { randomUUID } from 'node:crypto'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import { GlueClient } from '@aws-sdk/client-glue'
import { S3Client } from '@aws-sdk/client-s3'
import { DescribeExecutionCommand, ExecutionDoesNotExist, SFNClient } from '@aws-sdk/client-sfn'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { loadContracts } from '../../schemas/contract.ts'
import { EventBridgeArchives } from '../jobs/archives.ts'
import { AwsGlue } from '../jobs/glue.ts'
import { S3Objects } from '../jobs/objects.ts'
import { Ledger } from '../ledger/ledger.ts'
import { DynamoTable } from '../ledger/table.ts'
import { noteEnd } from './ended.ts'

/** Where an endpoint is named, buckets are paths below it, as emulators serve them. */
export const s3Client = (config: { endpoint?: string; region?: string } = {}) =>
  new S3Client({ ...config, forcePathStyle: Boolean(config.endpoint ?? process.env.AWS_ENDPOINT_URL) })

export const documentClient = (client = new DynamoDBClient()) =>
  DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })

/** One of each, made at the first call of a cold function and kept. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

export const s3 = once(() => s3Client())
export const objects = once(() => new S3Objects(s3()))
export const glue = once(() => new AwsGlue(new GlueClient()))
export const document = once(() => documentClient())
export const ledger = (table: string) =>
  new Ledger(new DynamoTable(document(), table), () => new Date(), noteEnd, process.env.CODE_VERSION)
const events = once(() => new EventBridgeClient())
export const archives = (archive: string) => new EventBridgeArchives(events(), archive)
const sfn = once(() => new SFNClient())
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
