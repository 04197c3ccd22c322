import { AthenaClient } from '@aws-sdk/client-athena'
import { S3 } from '@aws-sdk/client-s3'
import { SQS } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientConfig } from '../../infra/local/runtime.ts'
import type { Run } from '../../services/ledger/run.ts'
import { query } from '../../services/operations/query.ts'
import { accessKey, eventually, iam } from '../infra/local/support.ts'
import { type Denials, denials } from './denials.ts'
import { DATABASE, type Stack, sales, stack } from './stack.ts'

let chain: Stack
let sqs: SQS
let outputs: Denials['outputs']
let without: Denials['without']

beforeAll(async () => {
  // A message comes back after 0, 0, 1 and 3 seconds.
  chain = await stack('denied', { env: { LANDFALL_RETRY_SECONDS: '0.05' } })
  sqs = new SQS(clientConfig(chain.runtime.endpoint))
  ;({ outputs, without } = await denials(chain))
}, 120_000)
afterAll(async () => {
  sqs?.destroy()
  await chain?.close()
})

const deadLetters = async (stage: string) => {
  const QueueUrl = outputs.get(`${stage}DeadLetters`)
  const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0 })
  return Messages
}

describe('a reader', () => {
  it('with the policy of the output may ask for delivered rows and rejects, and touch no zone', async () => {
    const { endpoint } = chain.runtime
    await iam(endpoint, 'CreateUser', { UserName: 'reader' })
    const PolicyArn = outputs.get('ReaderPolicy') ?? expect.fail('no policy')
    await iam(endpoint, 'AttachUserPolicy', { UserName: 'reader', PolicyArn })
    const config = { ...clientConfig(endpoint), credentials: await accessKey(endpoint, 'reader') }
    const [athena, s3] = [new AthenaClient(config), new S3({ ...config, forcePathStyle: true })]
    const asking = { ...chain.landfall, athena }
    for (const table of ['rejects', 'data_deliveryzone'])
      expect((await query(asking, `select count(*) from ${table}`, DATABASE)).rows).toHaveLength(1)
    await expect(query({ ...asking, workGroup: 'primary' }, 'select 1', DATABASE)).rejects.toThrow(
      'StartQueryExecution',
    )
    await expect(s3.listObjectsV2({ Bucket: chain.landfall.rawBucket })).rejects.toThrow('s3:ListBucket')
    await expect(
      s3.putObject({ Bucket: chain.landfall.quarantineBucket, Key: 'rejects/x', Body: 'x' }),
    ).rejects.toThrow('s3:PutObject')
    athena.destroy()
    s3.destroy()
  }, 60_000)
})

const only = ([run]: Run[]) => run ?? expect.fail('no run')
const shop = (seed: number) => sales({ rows: 10, seed, countries: 2 })

describe.sequential('a right that is missing', () => {
  it('of convert, to read the raw zone, fails the run in words beside a dead letter, which redriven delivers it', async () => {
    const file = await chain.csv('unread.csv', await shop(1))
    const run = await without('s3:GetObject', ['Convert'], async () => only(await chain.landed(file)))
    expect(run).toMatchObject({ state: 'failed', problem: { code: 'not_taken_in' } })
    expect(run.problem?.message).toMatch(
      /^data\/sales\/unread\.csv landed, but could not be looked at in 5 attempts \(.*reading .*unread\.csv is denied .*s3:GetObject\)\)\./,
    )
    const letters = await eventually('a dead letter', async () => {
      const found = await deadLetters('Convert')
      return found.length > 0 ? found : undefined
    })
    expect(letters.map(({ Body = '' }) => JSON.parse(Body).detail.object.key)).toEqual(['data/sales/unread.csv'])
    await sqs.sendMessage({ QueueUrl: outputs.get('ConvertQueue'), MessageBody: letters[0]?.Body })
    const again = await eventually('its delivery', async () => {
      const found = await chain.landfall.ledger.run(run)
      return found?.state === 'delivered' ? found : undefined
    })
    expect(again.problem).toBeUndefined()
    expect(await chain.count()).toBe(10)
  }, 120_000)

  it("of partition's job, to write to staging, fails the run with what the job said", async () => {
    const file = await chain.csv('unwritten.csv', await shop(2))
    const run = await without('s3:PutObject', ['PartitionGlue'], async () => only(await chain.landed(file)))
    expect(run).toMatchObject({ state: 'failed', accepted: 10, problem: { code: 'partition_job_failed' } })
    expect(run.problem?.message).toMatch(
      /^The partition job failed for data\/sales\/unwritten\.csv, the last time alone: [\s\S]*s3:PutObject[\s\S]*\(job run jr_\w+\)$/,
    )
    expect(await chain.count()).toBe(10)
    // Nothing is stuck behind it.
    expect(only(await chain.landed(file)).state).toBe('delivered')
    expect(await chain.count()).toBe(20)
  }, 120_000)

  it('of convert, to start its job, fails the run with what Glue said, and its message is a dead letter', async () => {
    const file = await chain.csv('unstarted.csv', await shop(3))
    const run = await without('glue:StartJobRun', ['Convert', 'Sweep'], async () => {
      const failed = only(await chain.landed(file))
      await eventually('a dead letter', async () => {
        const keys = (await deadLetters('Convert')).map(({ Body = '' }) => JSON.parse(Body).detail.object?.key)
        return keys.includes('data/sales/unstarted.csv') || undefined
      })
      return failed
    })
    expect(run).toMatchObject({ state: 'failed', problem: { code: 'convert_not_started' } })
    expect(run.problem?.message).toMatch(
      /^No convert job could be started for .*: Glue refuses to start a run of .*AccessDenied.*glue:StartJobRun/,
    )
    // The next landing finds it in the queue; without one, the sweep would.
    await chain.landed(await chain.csv('beside.csv', await shop(7)))
    const again = await eventually('its delivery', async () => {
      const found = await chain.landfall.ledger.run(run)
      return found?.state === 'delivered' ? found : undefined
    })
    expect(again.problem).toBeUndefined()
    expect(await chain.count()).toBe(40)
  }, 120_000)

  it('of partition, to read the ledger, leaves a dead letter, which redriven delivers the run', async () => {
    const file = await chain.csv('unknown.csv', await shop(6))
    const { run, letter } = await without('dynamodb:GetItem', ['Partition'], async () => ({
      run: await chain.reaches(file, 'converted'),
      letter: await eventually('a dead letter', async () => (await deadLetters('Partition'))[0]),
    }))
    expect(JSON.parse(letter.Body ?? '').detail.object.key).toContain(`/${run.runId}-`)
    expect(await chain.landfall.ledger.run(run)).toMatchObject({ state: 'converted' })
    await sqs.sendMessage({ QueueUrl: outputs.get('PartitionQueue'), MessageBody: letter.Body })
    await eventually('its delivery', async () => {
      const found = await chain.landfall.ledger.run(run)
      return found?.state === 'delivered' || undefined
    })
    expect(await chain.count()).toBe(50)
  }, 120_000)

  it('of catalog and sweep, to start the crawler, fails the run in words, and the next change delivers it', async () => {
    const file = await chain.csv('uncrawled.csv', await shop(4))
    const run = await without('glue:StartCrawler', ['Catalog', 'Sweep'], async () => only(await chain.landed(file)))
    expect(run).toMatchObject({ state: 'failed', problem: { code: 'catalog_refused' } })
    expect(run.problem?.message).toMatch(/are in the delivery zone, but cannot be made queryable: .*glue:StartCrawler/)
    await chain.landed(await chain.csv('next.csv', await shop(5)))
    expect(await chain.landfall.ledger.run(run)).toMatchObject({ state: 'delivered' })
    expect(await chain.count()).toBe(70)
  }, 120_000)
})
