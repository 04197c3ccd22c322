// Each of these fails when upstream MiniStack has closed a gap: then drop the extension that it names.

import { Athena } from '@aws-sdk/client-athena'
import { EventBridge } from '@aws-sdk/client-eventbridge'
import { SQS } from '@aws-sdk/client-sqs'
import { afterAll, describe, expect, it } from 'vitest'
import { clientConfig, localAccount, localRegion } from '../../../infra/local/runtime.ts'
import {
  createRole,
  createStack,
  eventually,
  functionOf,
  iam,
  invoke,
  listen,
  startUpstream,
  states,
  tlsOnlyBucket,
  userWith,
} from './support.ts'
import { Bucket, createOrders, createRuns, DatabaseName, order, query } from './tables.ts'

const upstream = await startUpstream()
afterAll(() => upstream.stop())
const { cloudformation, dynamodb, eventbridge, glue, s3, sqs } = upstream
await createOrders(upstream, 'orders', 'priced')
await createRuns(upstream)
await s3.putObject({ Bucket, Key: 'orders/country=Chad/a.parquet', Body: await order(1) })

const Role = await createRole(upstream, Bucket, 'glue.amazonaws.com')

const here = `arn:aws:events:${localRegion}:${localAccount}`
const bus = `${here}:event-bus/default`
const EventSourceArn = `${here}:archive/all`
await eventbridge.createArchive({ ArchiveName: 'all', EventSourceArn: bus })
const EventStartTime = new Date(Date.now() - 3_600_000)
const hour = { EventSourceArn, EventStartTime, EventEndTime: new Date(Date.now() + 3_600_000) }

async function run(name: string, state: object) {
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'states.amazonaws.com' } }
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [trust] })
  await iam(upstream.endpoint, 'CreateRole', { RoleName: name, AssumeRolePolicyDocument })
  const definition = JSON.stringify({ QueryLanguage: 'JSONata', StartAt: 'Only', States: { Only: state } })
  const roleArn = `arn:aws:iam::${localAccount}:role/${name}`
  const { stateMachineArn } = await states(upstream.endpoint, 'CreateStateMachine', { name, definition, roleArn })
  const { executionArn } = await states(upstream.endpoint, 'StartExecution', { stateMachineArn })
  return await eventually(`the end of ${name}`, async () => {
    const execution = await states(upstream.endpoint, 'DescribeExecution', { executionArn })
    return execution.status === 'RUNNING' ? undefined : execution
  })
}

describe('upstream MiniStack still', () => {
  it('denies plain HTTP from this machine under a TLS-only policy (secure_loopback)', async () => {
    const user = await tlsOnlyBucket(upstream, 'tls')
    await expect(user.putObject({ Bucket: 'tls', Key: 'a', Body: 'x' })).rejects.toMatchObject({ name: 'AccessDenied' })
  })

  it('sends S3 events without a version (s3_version_id)', async () => {
    await s3.createBucket({ Bucket: 'raw' })
    await s3.putBucketVersioning({ Bucket: 'raw', VersioningConfiguration: { Status: 'Enabled' } })
    const NotificationConfiguration = { EventBridgeConfiguration: {} }
    await s3.putBucketNotificationConfiguration({ Bucket: 'raw', NotificationConfiguration })
    const events = await listen(upstream, 's3', { source: ['aws.s3'] })
    expect((await s3.putObject({ Bucket: 'raw', Key: 'a', Body: 'x' })).VersionId).toMatch(/./)
    expect((await events.next()).detail.object).not.toHaveProperty('version-id')
  })

  it('drops MaxConcurrentRuns, through the API and through CloudFormation (glue_execution_property)', async () => {
    const ExecutionProperty = { MaxConcurrentRuns: 3 }
    const Command = { Name: 'glueetl', ScriptLocation: 's3://x/y.py' }
    await glue.createJob({ Name: 'api', Role, Command, ExecutionProperty })
    const Properties = { Name: 'template', Role, Command, ExecutionProperty }
    const TemplateBody = JSON.stringify({ Resources: { Job: { Type: 'AWS::Glue::Job', Properties } } })
    await cloudformation.createStack({ StackName: 'job', TemplateBody })
    const jobs = await eventually('both jobs', async () => {
      const { Jobs = [] } = await glue.getJobs({})
      return Jobs.length === 2 ? Jobs : undefined
    })
    expect(jobs.map((job) => job.ExecutionProperty)).toEqual([undefined, undefined])
  })

  it('does not know BatchDeletePartition (glue_batch_delete_partition)', async () => {
    const call = glue.batchDeletePartition({
      DatabaseName,
      TableName: 'orders',
      PartitionsToDelete: [{ Values: ['x'] }],
    })
    await expect(call).rejects.toThrow('Unknown Glue action')
  })

  it('calls a Spark run SUCCEEDED without running it (glue_runs)', async () => {
    const Command = { Name: 'glueetl', ScriptLocation: 's3://nowhere/job.py' }
    await glue.createJob({ Name: 'unreal', Role, Command })
    const { JobRunId: RunId } = await glue.startJobRun({ JobName: 'unreal' })
    await eventually('the run', async () => {
      const { JobRun } = await glue.getJobRun({ JobName: 'unreal', RunId })
      return JobRun?.JobRunState === 'SUCCEEDED' ? true : undefined
    })
  })

  it('crawls nothing (crawler)', async () => {
    const Targets = { CatalogTargets: [{ DatabaseName, Tables: ['orders'] }] }
    await glue.createCrawler({ Name: 'crawler', Role, Targets })
    await glue.startCrawler({ Name: 'crawler' })
    await eventually('the crawl', async () => {
      const { Crawler } = await glue.getCrawler({ Name: 'crawler' })
      return Crawler?.LastCrawl?.Status === 'SUCCEEDED' ? true : undefined
    })
    expect((await glue.getPartitions({ DatabaseName, TableName: 'orders' })).Partitions).toEqual([])
  })

  it('reads partitions that nobody registered (athena_partitions)', async () => {
    expect(await query(upstream, 'SELECT count(*) AS n FROM orders')).toEqual([['n'], ['1']])
  })

  it('guesses the columns of JSON from its files (athena_json)', async () => {
    await s3.putObject({ Bucket, Key: 'runs/a.json', Body: '{"run_id":"2026-11-24"}\n' })
    await expect(query(upstream, 'SELECT rows_in FROM runs')).rejects.toThrow('rows_in')
    expect(await query(upstream, 'SELECT typeof(run_id) AS t FROM runs')).toEqual([['t'], ['DATE']])
  })

  it('does not know a view of the catalog (athena_views)', async () => {
    const sql = JSON.stringify({ originalSql: 'SELECT 1 AS one', catalog: 'awsdatacatalog', schema: DatabaseName })
    const ViewOriginalText = `/* Presto View: ${Buffer.from(sql).toString('base64')} */`
    await glue.createTable({
      DatabaseName,
      TableInput: { Name: 'shown', TableType: 'VIRTUAL_VIEW', ViewOriginalText },
    })
    await expect(query(upstream, 'SELECT one FROM shown')).rejects.toThrow('shown does not exist')
  })

  it('denies who may use a work group the state of a query in it (athena_workgroup_arn)', async () => {
    const workGroup = `arn:aws:athena:${localRegion}:${localAccount}:workgroup/primary`
    const may = [{ Effect: 'Allow', Action: 'athena:*', Resource: workGroup }]
    const credentials = await userWith(upstream.endpoint, 'analyst', may)
    const user = new Athena({ ...clientConfig(upstream.endpoint), credentials })
    const { QueryExecutionId } = await user.startQueryExecution({
      QueryString: 'SELECT 1',
      WorkGroup: 'primary',
      ResultConfiguration: { OutputLocation: 's3://results/' },
    })
    await expect(user.getQueryExecution({ QueryExecutionId })).rejects.toThrow('athena:GetQueryExecution')
  })

  it('loses the precision of a decimal, and prints a small one in exponents (athena_types)', async () => {
    const [, row] = await query(upstream, 'SELECT typeof(any_value(price)), CAST(0 AS DECIMAL(12,8)) FROM priced')
    expect(row).toEqual(['DECIMAL(18,3)', '0E-8'])
  })

  it('archives no S3 event (s3_archive)', async () => {
    await s3.createBucket({ Bucket: 'archived' })
    const NotificationConfiguration = { EventBridgeConfiguration: {} }
    await s3.putBucketNotificationConfiguration({ Bucket: 'archived', NotificationConfiguration })
    const events = await listen(upstream, 'archived', { source: ['aws.s3'], resources: ['arn:aws:s3:::archived'] })
    await s3.putObject({ Bucket: 'archived', Key: 'a', Body: 'x' })
    await events.next()
    expect((await eventbridge.describeArchive({ ArchiveName: 'all' })).EventCount).toBe(0)
  })

  it('does not know AWS::Events::Archive (events_archive)', async () => {
    const Archive = { Type: 'AWS::Events::Archive', Properties: { SourceArn: bus } }
    const TemplateBody = JSON.stringify({ Resources: { Archive } })
    const create = cloudformation.createStack({ StackName: 'archive', TemplateBody })
    await expect(create).rejects.toThrow('Unrecognized resource types: [AWS::Events::Archive]')
  })

  it('gives a replay to rules that it does not name, and takes an end before the start (events_replay)', async () => {
    const events = await listen(upstream, 'unnamed', { source: ['replayed'], 'replay-name': [{ exists: true }] })
    const Entries = [{ Source: 'replayed', DetailType: 'x', Detail: '{}' }]
    await eventbridge.putEvents({ Entries })
    const Destination = { Arn: bus, FilterArns: [`${here}:rule/another`] }
    await eventbridge.startReplay({ ReplayName: 'filtered', ...hour, Destination })
    expect((await events.next())['replay-name']).toBe('filtered')
    const backwards = { ...hour, EventEndTime: new Date(0), Destination: { Arn: bus } }
    expect((await eventbridge.startReplay({ ReplayName: 'backwards', ...backwards })).State).toBe('STARTING')
  })

  it('denies a replay to who may use the archive (events_archive_arn)', async () => {
    const Resource = [EventSourceArn, bus, `${here}:replay/*`]
    const may = [{ Effect: 'Allow', Action: 'events:*', Resource }]
    const credentials = await userWith(upstream.endpoint, 'replayer', may)
    const user = new EventBridge({ ...clientConfig(upstream.endpoint), credentials })
    const start = user.startReplay({ ReplayName: 'denied', ...hour, Destination: { Arn: bus } })
    await expect(start).rejects.toThrow('events:StartReplay')
  })

  it('asks for a right of its own for a batch call of SQS (sqs_batch_actions)', async () => {
    const { QueueUrl } = await sqs.createQueue({ QueueName: 'batched' })
    const may = [{ Effect: 'Allow', Action: 'sqs:SendMessage', Resource: '*' }]
    const credentials = await userWith(upstream.endpoint, 'sender', may)
    const user = new SQS({ ...clientConfig(upstream.endpoint), credentials })
    const sent = user.sendMessageBatch({ QueueUrl, Entries: [{ Id: 'a', MessageBody: 'x' }] })
    await expect(sent).rejects.toThrow('sqs:SendMessageBatch')
    user.destroy()
  })

  it('does not know StartMessageMoveTask (sqs_move_tasks)', async () => {
    const SourceArn = `arn:aws:sqs:${localRegion}:${localAccount}:any`
    await expect(sqs.startMessageMoveTask({ SourceArn })).rejects.toThrow('StartMessageMoveTask is not valid')
  })

  it('has no X-Ray (xray)', async () => {
    const authorization = `AWS4-HMAC-SHA256 Credential=test/20260101/${localRegion}/xray/aws4_request, Signature=none`
    const call = await fetch(`${upstream.endpoint}/TraceSegments`, { method: 'POST', headers: { authorization } })
    expect(await call.text()).toContain('Unsupported service: xray')
  })

  it('tells a function no AWS_EXECUTION_ENV (lambda_execution_env)', async () => {
    const code = 'exports.handler = async () => Object.keys(process.env)'
    await createStack(upstream, 'function', functionOf('names', code), {})
    expect(await invoke(upstream.endpoint, 'names')).not.toContain('AWS_EXECUTION_ENV')
  })

  it('evaluates no expression of a distributed map (sfn_map_jsonata)', async () => {
    await s3.putObject({ Bucket: 'archived', Key: 'a', Body: 'x' })
    const Arguments = { Bucket: 'archived', Prefix: "{% 'a' %}" }
    const Only = { Type: 'Succeed' }
    const ItemProcessor = { ProcessorConfig: { Mode: 'DISTRIBUTED' }, StartAt: 'Only', States: { Only } }
    const ItemReader = { Resource: 'arn:aws:states:::s3:listObjectsV2', Arguments }
    const { status, output } = await run('map', { Type: 'Map', ItemReader, ItemProcessor, End: true })
    expect({ status, output }).toEqual({ status: 'SUCCEEDED', output: '[]' })
  })

  it('lets a machine do what its role may not (sfn_role)', async () => {
    await dynamodb.createTable({
      TableName: 'forbidden',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    })
    const Arguments = { TableName: 'forbidden', Item: { pk: { S: 'x' } } }
    const Resource = 'arn:aws:states:::dynamodb:putItem'
    const { status } = await run('powerless', { Type: 'Task', Resource, Arguments, End: true })
    expect(status).toBe('SUCCEEDED')
  })

  it('lets a machine succeed with an event that was not taken (sfn_put_events)', async () => {
    const Arguments = { Entries: [{ Source: 'aws.s3', DetailType: 'x', Detail: {} }] }
    const Resource = 'arn:aws:states:::events:putEvents'
    const { status } = await run('sender', { Type: 'Task', Resource, Arguments, End: true })
    expect(status).toBe('SUCCEEDED')
  })
})
