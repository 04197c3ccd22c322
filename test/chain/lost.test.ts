import { DisableRuleCommand, EnableRuleCommand, EventBridgeClient, ListRulesCommand } from '@aws-sdk/client-eventbridge'
import { SQS } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sample } from '../../events/s3-object.ts'
import { until } from '../../infra/local/process.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import type { Run } from '../../services/ledger/run.ts'
import { type Landing, land } from '../../services/operations/land.ts'
import { findDeadLetters, sendBack } from '../../services/operations/redrive.ts'
import { status } from '../../services/operations/status.ts'
import { type Denials, denials } from './denials.ts'
import { invoke, logOf } from './functions.ts'
import { listKeys, type Stack, sales, stack } from './stack.ts'

let chain: Stack
let sqs: SQS
let outputs: Denials['outputs']
let events: EventBridgeClient
let deaf: string[]

beforeAll(async () => {
  // An event is on its way for nine seconds.
  chain = await stack('lost', { env: { LANDFALL_RETRY_SECONDS: '0.05' } })
  const config = clientConfig(chain.runtime.endpoint)
  sqs = new SQS(config)
  events = new EventBridgeClient(config)
  ;({ outputs } = await denials(chain))
  const { Rules = [] } = await events.send(new ListRulesCommand())
  deaf = Rules.flatMap(({ Name = '', ScheduleExpression }) =>
    ScheduleExpression || /(ZipLanded|CsvLanded)/.test(Name) ? [Name] : [],
  )
  expect(deaf).toHaveLength(3)
  // Nobody hears of what lands, and only the test sweeps.
  for (const Name of deaf) await events.send(new DisableRuleCommand({ Name }))
}, 120_000)
afterAll(async () => {
  sqs?.destroy()
  events?.destroy()
  await chain?.close()
})

const shop = (seed: number) => sales({ rows: 20, seed, countries: 3 })

async function runs(): Promise<Run[]> {
  const all: Run[] = []
  for await (const run of chain.landfall.listing.newest()) all.push(run)
  return all
}

/** Sweeps until all these keys have ended so: after nine seconds, and the jobs of it. */
async function swept(state: Run['state'], keys: string[]): Promise<void> {
  const isThere = await until(async () => {
    await invoke(chain, 'SweepFunction').catch(async (cause: unknown) => {
      const errors = (await logOf(chain, 'Sweep')).lines.filter(({ level }) => level === 'ERROR')
      throw new Error(`The sweep failed: ${JSON.stringify(errors.at(-1))}`, { cause })
    })
    const all = await runs()
    return keys.every((key) => all.some((run) => run.key === key && run.state === state))
  }, 50_000)
  if (!isThere) throw new Error(`waited in vain for ${keys.join(', ')} to be ${state}`)
}

/** What S3 tells of it, as it is in a dead-letter queue. */
async function eventOf({ key, versionId, bytes, landedAt }: Landing): Promise<string> {
  const event = sample('Object Created', chain.landfall.rawBucket, key, 'PutObject')
  const etag = (await chain.landfall.objects.head(chain.landfall.rawBucket, key))?.etag
  const object = { key, size: bytes, etag, 'version-id': versionId, sequencer: 'F0' }
  return JSON.stringify({ ...event, time: landedAt.toISOString(), detail: { ...event.detail, object } })
}

describe.sequential('under their roles', () => {
  it('a zip and a CSV of which no event came are delivered by the sweep, with all that is in the zip', async () => {
    const zip = await chain.zip('unheard.zip', { 'a.csv': await shop(1), 'b.csv': await shop(2) })
    const csv = await chain.csv('unheard.csv', await shop(3))
    for (const file of [zip, csv]) await land(chain.landfall, file, 'sales')
    await swept('extracted', ['landing/sales/unheard.zip'])
    const members = await listKeys(chain, 'raw', 'data/sales/unheard~')
    expect(members).toHaveLength(2)
    await swept('delivered', [...members, 'data/sales/unheard.csv'])
    expect(await chain.count()).toBe(60)
    expect((await runs()).map(({ cause }) => cause)).toEqual(['live', 'live', 'live', 'live'])
    const { mended } = await status(chain.landfall)
    const took = mended.filter(({ did }) => did.includes('whose event did not come'))
    expect(took.map(({ key }) => key).sort()).toEqual(
      [...members, 'data/sales/unheard.csv', 'landing/sales/unheard.zip'].sort(),
    )
  }, 120_000)

  it('what only dead letters know of is failed by the sweep, in words, and delivered when it is sent back', async () => {
    const csv = await land(chain.landfall, await chain.csv('dead.csv', await shop(4)), 'sales')
    const zip = await land(chain.landfall, await chain.zip('dead.zip', { 'c.csv': await shop(5) }), 'sales')
    await sqs.sendMessage({ QueueUrl: outputs.get('ConvertDeadLetters'), MessageBody: await eventOf(csv) })
    const said = (StringValue: string) => ({ DataType: 'String', StringValue })
    await sqs.sendMessage({
      QueueUrl: outputs.get('UnzipZipLandedDeadLetters'),
      MessageBody: await eventOf(zip),
      MessageAttributes: { ERROR_CODE: said('NO_PERMISSIONS'), ERROR_MESSAGE: said('the queue refuses it') },
    })
    await swept('failed', [csv.key, zip.key])
    const { queues } = await findDeadLetters(chain.landfall)
    const found = queues.flatMap(({ letters }) => letters.flatMap(({ runs }) => runs))
    expect(found.map(({ key, state, problem }) => [key, state, problem?.code])).toEqual([
      [zip.key, 'failed', 'not_taken_in'],
      [csv.key, 'failed', 'not_taken_in'],
    ])
    expect(found[0]?.problem?.message).toContain(
      'EventBridge could not hand its event to unzip (NO_PERMISSIONS: the queue refuses it;',
    )
    expect(found[1]?.problem?.message).toContain('the function of convert came to no end with it')
    for (const Name of deaf) await events.send(new EnableRuleCommand({ Name }))
    await sendBack(chain.landfall, queues)
    await swept('extracted', [zip.key])
    await swept('delivered', [csv.key, ...(await listKeys(chain, 'raw', 'data/sales/dead~'))])
    expect(await chain.count()).toBe(100)
    expect((await findDeadLetters(chain.landfall)).queues).toEqual([])
  }, 120_000)
})
