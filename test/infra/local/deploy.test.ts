import { join } from 'node:path'
import { App, CfnOutput, CfnResource, DefaultStackSynthesizer, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue'
import { Code, Function as Lambda, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { afterAll, describe, expect, it } from 'vitest'
import { deployLocal, zipFolder } from '../../../infra/local/deploy.ts'
import { eventually, processesNaming, startLocal, temporary } from './support.ts'

const local = await startLocal()
afterAll(() => local.stop())

/** Synthesizes the stacks that `build` makes into a folder. */
function synth(build: (stack: (name: string) => Stack) => void): string {
  const app = new App({ outdir: temporary(), analyticsReporting: false })
  build((name) => {
    const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false })
    return new Stack(app, name, { synthesizer })
  })
  return app.synth().directory
}

describe('deployLocal', () => {
  it('publishes assets and creates stacks in the order of their dependencies', async () => {
    const assembly = synth((stack) => {
      // The first by name needs the second.
      const stateless = stack('A')
      const stateful = stack('B')
      const bucket = new Bucket(stateful, 'Bucket')
      const dead = new Queue(stateless, 'Dead')
      const queue = new Queue(stateless, 'Queue', {
        visibilityTimeout: Duration.seconds(1),
        deadLetterQueue: { queue: dead, maxReceiveCount: 1 },
      })
      const handler = new Lambda(stateless, 'Function', {
        runtime: Runtime.NODEJS_24_X,
        handler: 'index.handler',
        timeout: Duration.seconds(1),
        code: Code.fromAsset(join(import.meta.dirname, 'fixtures/function')),
        environment: { BUCKET: bucket.bucketName },
      })
      const maxBatchingWindow = Duration.seconds(0)
      handler.addEventSource(
        new SqsEventSource(queue, { batchSize: 10, reportBatchItemFailures: true, maxBatchingWindow }),
      )
      new CfnOutput(stateless, 'QueueUrl', { value: queue.queueUrl })
      new CfnOutput(stateless, 'DeadUrl', { value: dead.queueUrl })
      // Larger than a TemplateBody may be.
      stateless.templateOptions.metadata = { filler: 'x'.repeat(60_000) }
    })
    const said: string[] = []
    const outputs = await deployLocal(local.endpoint, assembly, (message) => said.push(message))
    expect(said.slice(1)).toEqual(['Creating B', 'Creating A'])
    expect(Object.keys(outputs.A ?? {})).toEqual(expect.arrayContaining(['QueueUrl', 'DeadUrl']))

    const { sqs } = local
    const Entries = ['fine', 'poison', 'fine too'].map((MessageBody, i) => ({ Id: `${i}`, MessageBody }))
    await sqs.sendMessageBatch({ QueueUrl: outputs.A?.QueueUrl, Entries })
    const { Body } = await eventually('the poison in the dead-letter queue', async () => {
      const { Messages = [] } = await sqs.receiveMessage({ QueueUrl: outputs.A?.DeadUrl, WaitTimeSeconds: 2 })
      return Messages[0]
    })
    expect(Body).toBe('poison')
    const attributes = { AttributeNames: ['ApproximateNumberOfMessages' as const] }
    const left = await sqs.getQueueAttributes({ QueueUrl: outputs.A?.QueueUrl, ...attributes })
    expect(left.Attributes?.ApproximateNumberOfMessages).toBe('0')
  })

  it('names the resources that failed, and why', async () => {
    const assembly = synth((stack) => {
      const broken = stack('Broken')
      new CfnResource(broken, 'Table', {
        type: 'AWS::Glue::Table',
        properties: { CatalogId: '0', DatabaseName: 'nowhere', TableInput: { Name: 't' } },
      })
    })
    const deployment = deployLocal(local.endpoint, assembly, () => {})
    await expect(deployment).rejects.toThrow(
      /^Stack Broken ended as ROLLBACK_COMPLETE:\n- Table \(AWS::Glue::Table\): .*nowhere/,
    )
  })

  it('lets buckets send events with the L1 property that needs no custom resource', async () => {
    const assembly = synth((stack) => {
      const name = 'Notifying'
      const eventBridgeConfiguration = { eventBridgeEnabled: true }
      const bucket = new CfnBucket(stack(name), 'Bucket', { notificationConfiguration: { eventBridgeConfiguration } })
      new CfnOutput(bucket.stack, 'Name', { value: bucket.ref })
    })
    const { Notifying } = await deployLocal(local.endpoint, assembly, () => {})
    const found = await local.s3.getBucketNotificationConfiguration({ Bucket: Notifying?.Name })
    expect(found.EventBridgeConfiguration).toBeDefined()
  })

  it('updates stacks that are there, and leaves what is to be retained when it leaves the template', async () => {
    const withTables = (...tables: string[]) =>
      synth((stack) => {
        const changing = stack('Changing')
        const database = new CfnDatabase(changing, 'Database', {
          catalogId: changing.account,
          databaseInput: { name: 'changing' },
        })
        for (const name of tables) {
          const table = new CfnTable(changing, name, {
            catalogId: changing.account,
            databaseName: 'changing',
            tableInput: { name, storageDescriptor: { columns: [], location: 's3://x/' } },
          })
          table.addResourceDependency(database)
          table.applyRemovalPolicy(name.startsWith('kept') ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY)
          new CfnOutput(changing, `Name${name}`, { value: table.ref })
        }
      })
    const deploy = async (assembly: string) => {
      const said: string[] = []
      const outputs = await deployLocal(local.endpoint, assembly, (message) => said.push(message))
      const { TableList = [] } = await local.glue.getTables({ DatabaseName: 'changing' })
      return {
        said: said[1],
        outputs: Object.keys(outputs.Changing ?? {}),
        tables: TableList.map(({ Name }) => Name).sort(),
      }
    }
    const first = withTables('kept1', 'lost1')
    expect(await deploy(first)).toEqual({
      said: 'Creating Changing',
      outputs: ['Namekept1', 'Namelost1'],
      tables: ['kept1', 'lost1'],
    })
    const second = { said: 'Updating Changing', outputs: ['Namekept2'], tables: ['kept1', 'kept2'] }
    expect(await deploy(withTables('kept2'))).toEqual(second)
    expect(await deploy(withTables('kept2'))).toEqual(second)
  })

  it('zips the same files to the same bytes', async () => {
    const folder = join(import.meta.dirname, 'fixtures')
    expect((await zipFolder(folder)).equals(await zipFolder(folder))).toBe(true)
  })

  it('leaves functions that end with the runtime', async () => {
    const folder = `landfall-run-${local.pid}/`
    expect(processesNaming(folder).length).toBeGreaterThan(0)
    await local.stop()
    expect(processesNaming(folder)).toEqual([])
  })
})
