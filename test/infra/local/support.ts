import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Athena } from '@aws-sdk/client-athena'
import { CloudFormation } from '@aws-sdk/client-cloudformation'
import { DynamoDB } from '@aws-sdk/client-dynamodb'
import { EventBridge } from '@aws-sdk/client-eventbridge'
import { Glue } from '@aws-sdk/client-glue'
import { S3 } from '@aws-sdk/client-s3'
import { SQS } from '@aws-sdk/client-sqs'
import { afterAll, vi } from 'vitest'
import { freePort } from '../../../infra/local/ports.ts'
import { until } from '../../../infra/local/process.ts'
import { ensurePython } from '../../../infra/local/python.ts'
import { clientConfig, localAccount, localRegion, startRuntime } from '../../../infra/local/runtime.ts'

// More than any of the waits below.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

export type Clients = ReturnType<typeof clients>

export function clients(endpoint: string) {
  const config = clientConfig(endpoint)
  return {
    athena: new Athena(config),
    cloudformation: new CloudFormation(config),
    dynamodb: new DynamoDB(config),
    eventbridge: new EventBridge(config),
    glue: new Glue(config),
    s3: new S3({ ...config, forcePathStyle: true }),
    sqs: new SQS(config),
  }
}

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A folder that is gone when the test file has run. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-test-'))
  folders.push(folder)
  return folder
}

export const logFile = () => join(temporary(), 'runtime.log')

/** The local runtime, with its clients. Stop it in `afterAll`. */
export async function startLocal(env: Record<string, string> = {}) {
  const log = logFile()
  const runtime = await startRuntime({ logFile: log, onProgress: () => {}, env })
  return { ...runtime, logFile: log, ...clients(runtime.endpoint) }
}

/** MiniStack as upstream ships it, with roles enforced as here, to see whether it still has a gap. */
export async function startUpstream() {
  const python = await ensurePython(() => {})
  const port = await freePort()
  const child = spawn(python, ['-m', 'ministack'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
      AUTH: 'true',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      IOT_MTLS_ENABLED: '0',
      SFTP_ENABLED: '0',
    },
  })
  const endpoint = `http://127.0.0.1:${port}`
  const healthy = () =>
    fetch(`${endpoint}/_ministack/health`).then(
      () => true,
      () => false,
    )
  if (!(await until(healthy, 20_000))) throw new Error('upstream MiniStack does not answer')
  return { endpoint, stop: () => ended(child), ...clients(endpoint) }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** Waits for a condition and returns what it saw. @throws Error after 20 s, with what it was waiting for */
export async function eventually<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  let seen: T | undefined
  const found = await until(async () => {
    seen = await look()
    return seen !== undefined
  }, 20_000)
  if (!found || seen === undefined) throw new Error(`waited in vain for ${what}`)
  return seen
}

export type Event = {
  id: string
  time: string
  source: string
  resources: string[]
  'detail-type': string
  'replay-name'?: string
  detail: Record<string, unknown>
}

/** A queue that a rule fills. `next` gives the next event; `none` asserts by a marker that nothing else came before it. */
export async function listen({ eventbridge, sqs }: Clients, name: string, pattern: object) {
  const { QueueUrl } = await sqs.createQueue({ QueueName: name })
  const Arn = `arn:aws:sqs:${localRegion}:${localAccount}:${name}`
  const statement = {
    Effect: 'Allow',
    Principal: { Service: 'events.amazonaws.com' },
    Action: 'sqs:SendMessage',
    Resource: Arn,
  }
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  await sqs.setQueueAttributes({ QueueUrl, Attributes: { Policy } })
  await eventbridge.putRule({ Name: name, EventPattern: JSON.stringify(pattern) })
  await eventbridge.putTargets({ Rule: name, Targets: [{ Id: 'queue', Arn }] })
  const next = () =>
    eventually(`an event in ${name}`, async (): Promise<Event | undefined> => {
      const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 1, WaitTimeSeconds: 2 })
      const [message] = Messages
      if (message?.Body === undefined) return undefined
      await sqs.deleteMessage({ QueueUrl, ReceiptHandle: message.ReceiptHandle })
      return JSON.parse(message.Body)
    })
  return { next }
}

type Resources = Record<string, { Type: string; Properties?: object }>

/** Creates a stack of these and waits for its outputs. */
export async function createStack(
  { cloudformation }: Clients,
  StackName: string,
  Resources: Resources,
  outputs: object,
) {
  const Outputs = Object.fromEntries(Object.entries(outputs).map(([key, Value]) => [key, { Value }]))
  const TemplateBody = JSON.stringify({ Resources, Outputs })
  await cloudformation.createStack({ StackName, TemplateBody, Capabilities: ['CAPABILITY_IAM'] })
  const found = await eventually(`the stack ${StackName}`, async () => {
    const { Stacks = [] } = await cloudformation.describeStacks({ StackName })
    if (Stacks[0]?.StackStatus?.includes('ROLLBACK')) throw new Error(`${StackName}: ${Stacks[0].StackStatusReason}`)
    return Stacks[0]?.StackStatus === 'CREATE_COMPLETE' ? Stacks[0] : undefined
  })
  return Object.fromEntries(
    (found.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
  )
}

const policies = (Action: string, Resource: string) => [
  { PolicyName: 'one', PolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource }] } },
]

/** A role that may put objects below `allowed/` of a bucket, and nothing else. Returns its ARN. */
export async function createRole(local: Clients, bucket: string, service: string): Promise<string> {
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: service } }
  const Properties = {
    AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [trust] },
    Policies: policies('s3:PutObject', `arn:aws:s3:::${bucket}/allowed/*`),
  }
  const Resources = { Role: { Type: 'AWS::IAM::Role', Properties } }
  const { Arn = '' } = await createStack(local, `role-of-${bucket}`, Resources, {
    Arn: { 'Fn::GetAtt': ['Role', 'Arn'] },
  })
  return Arn
}

/** S3 as a user who may do anything with a bucket whose policy demands TLS. The root user is above policies here. */
export async function tlsOnlyBucket(local: Clients & { endpoint: string }, Bucket: string): Promise<S3> {
  const Resource = [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`]
  const Condition = { Bool: { 'aws:SecureTransport': 'false' } }
  const Statement = [{ Effect: 'Deny', Principal: '*', Action: 's3:*', Resource, Condition }]
  await local.s3.createBucket({ Bucket })
  await local.s3.putBucketPolicy({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) })
  const User = { Type: 'AWS::IAM::User', Properties: { Policies: policies('s3:*', '*') } }
  const { name = '' } = await createStack(local, `user-of-${Bucket}`, { User }, { name: { Ref: 'User' } })
  const credentials = await accessKey(local.endpoint, name)
  return new S3({ ...clientConfig(local.endpoint), credentials, forcePathStyle: true })
}

/** A call of IAM as root, by hand, so that its client need not be installed; root's signature is not looked at. */
export async function iam(endpoint: string, Action: string, parameters: Record<string, string>): Promise<string> {
  const credential = `test/20260101/${localRegion}/iam/aws4_request`
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=none` },
    body: new URLSearchParams({ Action, Version: '2010-05-08', ...parameters }),
  })
  const xml = await response.text()
  if (!response.ok) throw new Error(`${Action} failed: ${xml}`)
  return xml
}

export async function accessKey(endpoint: string, UserName: string) {
  const xml = await iam(endpoint, 'CreateAccessKey', { UserName })
  const text = (tag: string) => new RegExp(`<${tag}>(.+)</${tag}>`).exec(xml)?.[1] ?? ''
  return { accessKeyId: text('AccessKeyId'), secretAccessKey: text('SecretAccessKey') }
}

/** The keys of a new user who may do this and nothing else. */
export async function userWith(endpoint: string, UserName: string, Statement: object[]) {
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
  await iam(endpoint, 'CreateUser', { UserName })
  await iam(endpoint, 'PutUserPolicy', { UserName, PolicyName: 'one', PolicyDocument })
  return await accessKey(endpoint, UserName)
}

/** A call of Step Functions as root, by hand, so that its client need not be installed. */
// biome-ignore lint/suspicious/noExplicitAny: the answers of many actions
export async function states(endpoint: string, action: string, body: object): Promise<any> {
  const credential = `test/20260101/${localRegion}/states/aws4_request`
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=none`,
      'x-amz-target': `AWSStepFunctions.${action}`,
      'content-type': 'application/x-amz-json-1.0',
    },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${action} failed: ${text}`)
  return JSON.parse(text)
}

/** The resources of a function in JavaScript that is actively traced, and whose role may do nothing. */
export function functionOf(FunctionName: string, ZipFile: string): Resources {
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }
  const AssumeRolePolicyDocument = { Version: '2012-10-17', Statement: [trust] }
  const Properties = {
    FunctionName,
    Runtime: 'nodejs24.x',
    Handler: 'index.handler',
    Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
    Code: { ZipFile },
    Timeout: 20,
    TracingConfig: { Mode: 'Active' },
  }
  return {
    Role: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument } },
    Function: { Type: 'AWS::Lambda::Function', Properties },
  }
}

/** What a function answers to a call of root, by hand, so that its client need not be installed. */
// biome-ignore lint/suspicious/noExplicitAny: whatever a function answers
export async function invoke(endpoint: string, name: string, event: object = {}): Promise<any> {
  const credential = `test/20260101/${localRegion}/lambda/aws4_request`
  const response = await fetch(`${endpoint}/2015-03-31/functions/${name}/invocations`, {
    method: 'POST',
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=none` },
    body: JSON.stringify(event),
  })
  const text = await response.text()
  if (!response.ok || response.headers.has('x-amz-function-error')) throw new Error(`${name} failed: ${text}`)
  return JSON.parse(text)
}

/** Processes whose command line or environment names this text (Linux), or whose command line does (elsewhere). */
export function processesNaming(text: string): string[] {
  const out = execFileSync('ps', [
    '-A',
    '-ww',
    '-o',
    'pid=,stat=,command=',
    ...(process.platform === 'linux' ? ['e'] : []),
  ])
  return out
    .toString()
    .split('\n')
    .filter((line) => line.includes(text) && !/^\s*\d+\s+Z/.test(line) && !line.includes(' ps -A'))
}
