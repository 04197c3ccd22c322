import type { QueryCommandOutput } from '@aws-sdk/client-dynamodb'
import pMap from 'p-map'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RerunAsked } from '../../../events/rerun-asked.ts'
import { eventually, listen, startLocal } from '../../infra/local/support.ts'
import { deployMachines, type Execution, stepFunctions } from './stack.ts'

// A look every fifth of a second instead of every 20 s.
const local = await startLocal({ SFN_WAIT_SCALE: '0.01' })
afterAll(() => local.stop())
const deployed = await deployMachines(local)
const { start, describe: look } = stepFunctions(local.endpoint)
const TableName = deployed.ledger

const KEYS = Array.from({ length: 1_203 }, (_, i) => `data/sales/2026/${String(i).padStart(4, '0')} ä=%.csv`)
const COSTS = ['data/costs/a.csv', 'data/costs/b.csv', 'data/costs/c/d.csv']
beforeAll(async () => {
  const others = ['data/sales-old/x.csv', 'landing/sales/x.zip', 'old-data/sales/x.zip']
  await pMap([...KEYS, ...COSTS, ...others], (Key) => local.s3.putObject({ Bucket: deployed.raw, Key, Body: 'x' }), {
    concurrency: 32,
  })
  await listen(local, 'asked', RerunAsked.pattern({ bucket: deployed.raw, prefix: 'data/' }))
  await listen(local, 'asked-zips', RerunAsked.pattern({ bucket: deployed.raw, prefix: 'landing/' }))
})

const ended = (execution: string) =>
  eventually('the end', async () => {
    const found = await look(execution)
    return found.status === 'RUNNING' ? undefined : found
  })

/** The dataset's open rerun, as its row says it once it is listed. */
const listed = (dataset: string, rerun: string) =>
  eventually('the listing', async () => {
    const Key = { pk: { S: `RERUN#${dataset}` }, sk: { S: 'OPEN' } }
    const { Item } = await local.dynamodb.getItem({ TableName, Key, ConsistentRead: true })
    return Item?.listed && Item.rerun?.S === rerun ? Item : undefined
  })

/** The keys that a rerun waits for. */
async function pending(rerun: string): Promise<string[]> {
  const keys: string[] = []
  let ExclusiveStartKey: QueryCommandOutput['LastEvaluatedKey']
  do {
    const page: QueryCommandOutput = await local.dynamodb.query({
      TableName,
      ConsistentRead: true,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :pending)',
      ExpressionAttributeValues: { ':pk': { S: `CAUSE#${rerun}` }, ':pending': { S: 'PENDING#' } },
      ExclusiveStartKey,
    })
    for (const { sk, key, askedAt } of page.Items ?? []) {
      expect([sk?.S, askedAt?.S]).toEqual([`PENDING#${key?.S}`, expect.stringMatching(/^2.*Z$/)])
      keys.push(key?.S ?? '')
    }
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return keys
}

/** All that a rule has put into its queue by now. */
async function heard(queue: string) {
  const { QueueUrl } = await local.sqs.getQueueUrl({ QueueName: queue })
  const details: ReturnType<typeof RerunAsked.schema.parse>['detail'][] = []
  for (;;) {
    const { Messages = [] } = await local.sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 })
    if (Messages.length === 0) return details
    for (const { Body = '' } of Messages) details.push(RerunAsked.schema.parse(JSON.parse(Body)).detail)
    await local.sqs.deleteMessageBatch({
      QueueUrl,
      Entries: Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle })),
    })
  }
}

/** What the stages write when all of a rerun has settled: it is told, and the dataset is free again. */
async function settle(dataset: string, rerun: string, failures = 0, words = '') {
  const Item = {
    pk: { S: `CAUSE#${rerun}` },
    sk: { S: 'STATE' },
    failures: { N: String(failures) },
    totals: { M: { delivered: { N: '2' }, refused: { N: String(failures) } } },
    ...(words && { words: { S: words } }),
  }
  await local.dynamodb.putItem({ TableName, Item })
  await local.dynamodb.deleteItem({ TableName, Key: { pk: { S: `RERUN#${dataset}` }, sk: { S: 'OPEN' } } })
}

const failure = ({ status, error, cause }: Execution) => ({ status, error, cause })

describe('a rerun', () => {
  it('asks once for every key below its dataset, of more than a thousand, and ends when all has settled', async () => {
    const execution = await start(deployed.machine, 'whole', { dataset: 'sales' })
    const open = await listed('sales', 'rerun-whole')
    expect(open).toMatchObject({
      rerun: { S: 'rerun-whole' },
      execution: { S: execution },
      prefix: { S: 'data/sales/' },
      only: { L: [] },
      since: { NULL: true },
      dryRun: { BOOL: false },
      startedAt: { S: expect.stringMatching(/^2.*Z$/) },
      listed: { N: '1203' },
      listingFailed: { NULL: true },
    })
    expect((await pending('rerun-whole')).sort()).toEqual(KEYS)
    const asked = await heard('asked')
    expect(asked.map(({ key }) => key).sort()).toEqual(KEYS)
    for (const { key: _, ...rest } of asked) expect(rest).toEqual({ bucket: deployed.raw, rerun: 'rerun-whole' })
    expect((await look(execution)).status).toBe('RUNNING')

    await settle('sales', 'rerun-whole')
    const { status, output = '' } = await ended(execution)
    expect([status, JSON.parse(output)]).toEqual([
      'SUCCEEDED',
      { rerun: 'rerun-whole', dataset: 'sales', listed: 1203, totals: { delivered: 2, refused: 0 } },
    ])
  })

  it('hands on which sources it is for, and takes a prefix of landing/ too', async () => {
    const asked = { only: ['failed'], since: '2026-11-20T00:00:00Z' }
    const execution = await start(deployed.machine, 'zips', {
      dataset: 'sales',
      prefix: 'landing/sales/',
      ...asked,
      dryRun: true,
    })
    expect(await listed('sales', 'rerun-zips')).toMatchObject({
      only: { L: [{ S: 'failed' }] },
      since: { S: asked.since },
      dryRun: { BOOL: true },
      listed: { N: '1' },
    })
    const event = { bucket: deployed.raw, key: 'landing/sales/x.zip', rerun: 'rerun-zips', ...asked }
    expect(await heard('asked-zips')).toEqual([event])
    await settle('sales', 'rerun-zips')
    expect(await ended(execution)).toMatchObject({ status: 'SUCCEEDED' })
  })

  it('of nothing lists nothing, and waits to be told so', async () => {
    const execution = await start(deployed.machine, 'none', { dataset: 'costs', prefix: 'data/costs/none/' })
    expect(await listed('costs', 'rerun-none')).toMatchObject({ listed: { N: '0' } })
    expect((await look(execution)).status).toBe('RUNNING')
    await settle('costs', 'rerun-none')
    expect(await ended(execution)).toMatchObject({ status: 'SUCCEEDED' })
  })

  it('asks for a key that it has entered before, as an attempt may end between the two', async () => {
    const entered = { pk: { S: 'CAUSE#rerun-again' }, sk: { S: `PENDING#${COSTS[0]}` }, key: { S: COSTS[0] ?? '' } }
    await local.dynamodb.putItem({ TableName, Item: { ...entered, askedAt: { S: '2026-11-24T00:00:00Z' } } })
    const execution = await start(deployed.machine, 'again', { dataset: 'costs' })
    expect(await listed('costs', 'rerun-again')).toMatchObject({ listed: { N: '3' } })
    expect((await pending('rerun-again')).sort()).toEqual(COSTS)
    expect((await heard('asked')).map(({ key }) => key).sort()).toEqual(COSTS)
    await settle('costs', 'rerun-again')
    expect(await ended(execution)).toMatchObject({ status: 'SUCCEEDED' })
  })
})

it('a rerun under the name of one before it does not end by what became of that', async () => {
  const Item = {
    pk: { S: 'CAUSE#rerun-namesake' },
    sk: { S: 'STATE' },
    failures: { N: '0' },
    totals: { M: {} },
    startedAt: { S: '2026-01-01T00:00:00.000Z' },
  }
  await local.dynamodb.putItem({ TableName, Item })
  const execution = await start(deployed.machine, 'namesake', { dataset: 'costs', prefix: 'data/costs/none/' })
  await listed('costs', 'rerun-namesake')
  // It looks five times a second.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect((await look(execution)).status).toBe('RUNNING')
  await settle('costs', 'rerun-namesake', 1, 'Its name was used.')
  expect(failure(await ended(execution))).toEqual({
    status: 'FAILED',
    error: 'SourcesFailed',
    cause: 'Its name was used.',
  })
})

describe('a rerun fails', () => {
  it('with the list of the sources that failed, as the stages wrote it', async () => {
    const execution = await start(deployed.machine, 'two-failed', { dataset: 'costs' })
    await listed('costs', 'rerun-two-failed')
    const words = `2 of 3 sources:\n${'data/costs/a.csv failed: no memory. '.repeat(850)}`
    await settle('costs', 'rerun-two-failed', 2, words)
    expect(failure(await ended(execution))).toEqual({ status: 'FAILED', error: 'SourcesFailed', cause: words })
  })

  it('while another of its dataset is at work, and leaves that one and other datasets alone', async () => {
    const first = await start(deployed.machine, 'first', { dataset: 'costs', prefix: 'data/costs/none/' })
    await listed('costs', 'rerun-first')
    expect(failure(await ended(await start(deployed.machine, 'second', { dataset: 'costs' })))).toEqual({
      status: 'FAILED',
      error: 'RerunAtWork',
      cause:
        'A rerun of costs is at work, and a dataset has one at a time. Wait for its end, or look with `landfall rerun --list`.',
    })
    expect(await pending('rerun-second')).toEqual([])
    const other = await start(deployed.machine, 'other', { dataset: 'sales', prefix: 'data/sales/none/' })
    await listed('sales', 'rerun-other')
    await settle('sales', 'rerun-other')
    await settle('costs', 'rerun-first')
    expect([(await ended(first)).status, (await ended(other)).status]).toEqual(['SUCCEEDED', 'SUCCEEDED'])
  })

  it('not because of one that was stopped more than a day ago', async () => {
    const open = { pk: { S: 'RERUN#costs' }, sk: { S: 'OPEN' }, rerun: { S: 'rerun-old' }, execution: { S: 'old' } }
    const startedAt = { S: new Date(Date.now() - 25 * 3_600_000).toISOString() }
    await local.dynamodb.putItem({ TableName, Item: { ...open, startedAt } })
    const execution = await start(deployed.machine, 'after', { dataset: 'costs', prefix: 'data/costs/none/' })
    await listed('costs', 'rerun-after')
    await settle('costs', 'rerun-after')
    expect(await ended(execution)).toMatchObject({ status: 'SUCCEEDED' })
  })

  it.each([
    [
      'dataset',
      { dataset: 'sale' },
      '"dataset" must be one that is deployed: sales, costs (found: sale). A contract that is new has to be deployed first.',
    ],
    [
      'dataset, or none',
      'text',
      '"dataset" must be one that is deployed: sales, costs (found: none). A contract that is new has to be deployed first.',
    ],
    [
      'prefix',
      { dataset: 'sales', prefix: 'data/sales-old/' },
      '"prefix" must be the start of keys at or below data/sales/ or landing/sales/ (found: data/sales-old/).',
    ],
    [
      'state',
      { dataset: 'sales', only: ['delivered'] },
      '"only" must be an array of "failed" and "refused", or absent for all sources (found: ["delivered"]).',
    ],
    [
      'shape of states',
      { dataset: 'sales', only: 'failed' },
      '"only" must be an array of "failed" and "refused", or absent for all sources (found: failed).',
    ],
    [
      'instant',
      { dataset: 'sales', since: 'yesterday' },
      '"since" must be an instant in UTC such as 2026-11-20T00:00:00Z (found: yesterday).',
    ],
    ['dryRun', { dataset: 'sales', dryRun: 'yes' }, '"dryRun" must be true or false (found: yes).'],
    [
      'field',
      { dataset: 'sales', onyl: ['failed'] },
      'no field of the input is named onyl. It may have dataset, prefix, only, since, dryRun.',
    ],
  ])('with a wrong %s, in words, and has done nothing', async (what, input, cause) => {
    const execution = await start(deployed.machine, `wrong-${what.replaceAll(/\W+/g, '-')}`, input)
    expect(failure(await ended(execution))).toEqual({ status: 'FAILED', error: 'WrongInput', cause })
    const Key = { pk: { S: 'RERUN#sales' }, sk: { S: 'OPEN' } }
    expect((await local.dynamodb.getItem({ TableName, Key, ConsistentRead: true })).Item).toBeUndefined()
  })

  it('when its row is taken away while it lists, and does not make half a row of its own', async () => {
    const execution = await start(deployed.machine, 'gone', { dataset: 'sales' })
    const Key = { pk: { S: 'RERUN#sales' }, sk: { S: 'OPEN' } }
    const row = async () => (await local.dynamodb.getItem({ TableName, Key, ConsistentRead: true })).Item
    // The listing takes seconds from here.
    await eventually('its row', row)
    await local.dynamodb.deleteItem({ TableName, Key })
    expect(failure(await ended(execution))).toEqual({
      status: 'FAILED',
      error: 'RerunGone',
      cause:
        'The ledger no longer has rerun-gone as the open rerun of sales: its row RERUN#sales, OPEN was taken away while it listed. What it asked for is run; start it again to be told what became of it.',
    })
    expect(await row()).toBeUndefined()
  })

  it('where there are more keys than one rerun takes, once those that it took have settled', async () => {
    const execution = await start(deployed.narrow, 'narrow', { dataset: 'costs' })
    const words =
      'There are 3 keys or more below data/costs/: the first 3 were asked for. Start a rerun for each of several longer prefixes.'
    expect(await listed('costs', 'rerun-narrow')).toMatchObject({ listed: { N: '3' }, listingFailed: { S: words } })
    expect((await look(execution)).status).toBe('RUNNING')
    await settle('costs', 'rerun-narrow', 1, '1 of 3 sources.')
    const cause = `${words} 1 of 3 sources.`
    expect(failure(await ended(execution))).toEqual({ status: 'FAILED', error: 'ListingFailed', cause })
  })

  it('where the listing does, and says so in its row, so that the dataset is not held for ever', async () => {
    const execution = await start(deployed.lost, 'lost', { dataset: 'costs' })
    expect(await listed('costs', 'rerun-lost')).toMatchObject({
      listed: { N: '0' },
      listingFailed: { S: expect.stringMatching(/^Not all sources below data\/costs\/ could be asked for: States\./) },
    })
    await settle('costs', 'rerun-lost')
    expect(failure(await ended(execution))).toEqual({
      status: 'FAILED',
      error: 'ListingFailed',
      cause: expect.stringMatching(/no-such-bucket.* Those that were are run\. See the log group of this machine/),
    })
  })
})
