import { EventBridgeClient, TestEventPatternCommand } from '@aws-sdk/client-eventbridge'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CrawlEnded } from '../../events/crawl-ended.ts'
import { CsvLanded } from '../../events/csv-landed.ts'
import { DeliveryChanged } from '../../events/delivery-changed.ts'
import { JOB_END_STATES, JobEnded } from '../../events/job-ended.ts'
import { ParquetProcessed } from '../../events/parquet-processed.ts'
import { STAGES } from '../../events/replay.ts'
import { RerunAsked } from '../../events/rerun-asked.ts'
import { RunEnded } from '../../events/run-ended.ts'
import { sample } from '../../events/s3-object.ts'
import { ZipLanded } from '../../events/zip-landed.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { startLocal } from '../infra/local/support.ts'

/** EventBridge's own rules of matching, as the local runtime has them. */
let runtime: Awaited<ReturnType<typeof startLocal>>
let client: EventBridgeClient
beforeAll(async () => {
  runtime = await startLocal()
  client = new EventBridgeClient(clientConfig(runtime.endpoint))
}, 120_000)
afterAll(() => runtime?.stop())

async function matches(pattern: object, event: object): Promise<boolean> {
  const { Result } = await client.send(
    new TestEventPatternCommand({ EventPattern: JSON.stringify(pattern), Event: JSON.stringify(event) }),
  )
  return Result ?? false
}

const objectEvents = { ZipLanded, CsvLanded, ParquetProcessed, DeliveryChanged }

describe.each(Object.entries(objectEvents))('%s', (_, event) => {
  const pattern = event.pattern({ bucket: 'mine' })
  const live = event.sample('mine')

  it('is heard as S3 sends it, and parsed', async () => {
    expect(await matches(pattern, live)).toBe(true)
    expect(event.schema.parse(live).detail.object).toMatchObject({ key: live.detail.object.key })
  })

  it('is not heard from another bucket', async () => {
    expect(await matches(pattern, event.sample('mine-too'))).toBe(false)
  })

  it.each([
    'other/sales/x',
    'old-data/sales/x.zip',
    'Data/sales/x',
    'landing-old/x',
    'data-old/x',
    'x/landing/y',
    'x/data/y',
    'refused/sales/x.json',
  ])('is not heard from %s', async (key) => {
    const elsewhere = sample('Object Created', 'mine', key, 'PutObject')
    expect(await matches(pattern, elsewhere)).toBe(false)
  })

  it('is heard in a replay that addresses this stage, and in no other', async () => {
    for (const stage of [...STAGES, 'someone', `x-${event.stage}`]) {
      const replay = { ...live, 'replay-name': `${stage}-2026-11-22` }
      expect([stage, await matches(pattern, replay)]).toEqual([stage, stage === event.stage])
    }
    expect(await matches(pattern, { ...live, 'replay-name': event.stage })).toBe(false)
  })

  it('is heard as a deletion only where the table changes by it', async () => {
    const deleted = (reason: string) => sample('Object Deleted', 'mine', live.detail.object.key, reason)
    expect(await matches(pattern, deleted('DeleteObject'))).toBe(event === DeliveryChanged)
    expect(await matches(pattern, deleted('Lifecycle Expiration'))).toBe(false)
  })
})

describe('JobEnded', () => {
  const pattern = JobEnded.pattern({ jobName: 'convert' })
  const ended = JobEnded.sample('convert')

  it('is heard for each end, and parsed', async () => {
    for (const state of JOB_END_STATES) {
      const event = { ...ended, detail: { ...ended.detail, state } }
      expect([state, await matches(pattern, event)]).toEqual([state, true])
      expect(JobEnded.schema.parse(event).detail).toMatchObject({ jobName: 'convert', state })
    }
  })

  it.each(['STARTING', 'RUNNING', 'STOPPING'])('is not heard while a run is %s', async (state) => {
    expect(await matches(pattern, { ...ended, detail: { ...ended.detail, state } })).toBe(false)
  })

  it('is not heard of another job', async () => {
    expect(await matches(pattern, JobEnded.sample('partition'))).toBe(false)
    expect(await matches(pattern, JobEnded.sample('convert-2'))).toBe(false)
  })
})

describe('CrawlEnded', () => {
  const pattern = CrawlEnded.pattern({ crawlers: ['sales', 'costs'] })
  const ended = CrawlEnded.sample('costs')

  it('is heard for each end of each crawler, and parsed', async () => {
    for (const state of ['Succeeded', 'Failed']) {
      const event = { ...ended, detail: { ...ended.detail, state } }
      expect(await matches(pattern, event)).toBe(true)
      expect(CrawlEnded.schema.parse(event).detail).toMatchObject({ crawlerName: 'costs', state })
    }
  })

  it('is not heard at the start of a crawl, nor of another crawler', async () => {
    expect(await matches(pattern, { ...ended, detail: { ...ended.detail, state: 'Started' } })).toBe(false)
    expect(await matches(pattern, CrawlEnded.sample('other'))).toBe(false)
  })
})

describe('RerunAsked', () => {
  const pattern = RerunAsked.pattern({ bucket: 'mine', prefix: 'data/' })
  const asked = RerunAsked.sample('mine', 'data/sales/a.csv')

  it('is heard as Step Functions puts it, and parsed, with or without a restriction', async () => {
    expect(await matches(pattern, asked)).toBe(true)
    expect(RerunAsked.schema.parse(asked).detail).toEqual(asked.detail)
    const { only: _, since: __, ...all } = asked.detail
    expect(RerunAsked.schema.parse({ ...asked, detail: all }).detail).toEqual(all)
  })

  it('is not heard of another bucket, nor of another folder', async () => {
    expect(await matches(pattern, RerunAsked.sample('mine-too', 'data/sales/a.csv'))).toBe(false)
    expect(await matches(pattern, RerunAsked.sample('mine', 'landing/sales/a.zip'))).toBe(false)
    expect(await matches(pattern, RerunAsked.sample('mine', 'data-old/sales/a.csv'))).toBe(false)
  })

  it('is not parsed with a reason or an instant that there is not', () => {
    const parsing = (detail: object) => () =>
      RerunAsked.schema.parse({ ...asked, detail: { ...asked.detail, ...detail } })
    expect(parsing({ only: ['delivered'] })).toThrow(/only/)
    expect(parsing({ since: 'yesterday' })).toThrow(/since/)
  })
})

describe('RunEnded', () => {
  const ended = RunEnded.sample()

  it('is heard as the functions put it, and parsed, by who asks for all, for a dataset, or for a state', async () => {
    const { source, 'detail-type': type, detail } = RunEnded.schema.parse(ended)
    expect([source, type, detail.state]).toEqual(['landfall', 'landfall.run', 'delivered'])
    for (const asked of [{}, { dataset: 'sales' }, { states: ['failed', 'delivered'] }] as const)
      expect(await matches(RunEnded.pattern(asked), ended)).toBe(true)
    expect(await matches(RunEnded.pattern({ states: ['failed'] }), ended)).toBe(false)
    expect(await matches(RunEnded.pattern({ dataset: 'costs' }), ended)).toBe(false)
  })
})
