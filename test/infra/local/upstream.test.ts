// Each of these fails when upstream MiniStack has closed a gap: then drop the extension that it names.

import { Athena } from '@aws-sdk/client-athena'
import { afterAll, describe, expect, it } from 'vitest'
import { clientConfig, localAccount, localRegion } from '../../../infra/local/runtime.ts'
import { accessKey, createRole, eventually, iam, listen, startUpstream, tlsOnlyBucket } from './support.ts'
import { Bucket, createOrders, DatabaseName, order, query } from './tables.ts'

const upstream = await startUpstream()
afterAll(() => upstream.stop())
const { cloudformation, glue, s3 } = upstream
await createOrders(upstream, 'orders', 'priced')
await s3.putObject({ Bucket, Key: 'orders/country=Chad/a.parquet', Body: await order(1) })

const Role = await createRole(upstream, Bucket, 'glue.amazonaws.com')

async function userWith(action: string, resource: string) {
  const Version = '2012-10-17'
  const PolicyDocument = JSON.stringify({
    Version,
    Statement: [{ Effect: 'Allow', Action: action, Resource: resource }],
  })
  await iam(upstream.endpoint, 'CreateUser', { UserName: 'user' })
  await iam(upstream.endpoint, 'PutUserPolicy', { UserName: 'user', PolicyName: 'one', PolicyDocument })
  return await accessKey(upstream.endpoint, 'user')
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
    const user = new Athena({ ...clientConfig(upstream.endpoint), credentials: await userWith('athena:*', workGroup) })
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
})
