import { describe, expect, it } from 'vitest'
import { type Cost, estimate } from '../../../services/cost/estimate.ts'
import { PRICES, WORKER_DPU } from '../../../services/cost/prices.ts'
import { sharesOf } from '../../../services/cost/shares.ts'
import type { Run, Span } from '../../../services/ledger/run.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const at = (second: number) => new Date(Date.UTC(2026, 10, 24) + second * 1000).toISOString()
const jobOf = (from: number, to: number, more: Partial<Span> = {}): Span => ({
  queuedAt: at(0),
  startedAt: at(from),
  jobStartedAt: at(from),
  jobEndedAt: at(to),
  endedAt: at(to),
  share: 1,
  dpu: 10,
  ...more,
})
const run = (of: Partial<Run>): Run => ({
  bucket: 'raw',
  key: 'data/sales/a.csv',
  versionId: 'v',
  etag: 'e',
  bytes: 100,
  landedAt: at(0),
  kind: 'csv',
  dataset: 'sales',
  sourceId: 'a-1',
  runId: 'r',
  cause: 'live',
  seq: 1,
  registeredAt: at(0),
  state: 'delivered',
  ...of,
})
const part = ({ parts }: Cost, name: string) => parts.find(({ part }) => part === name)

describe('an estimate', () => {
  it('bills a job by the second, with all workers that it may have, and a minute at least', () => {
    expect(part(estimate(run({ spanConvert: jobOf(0, 7200) })), 'convert job')?.usd).toBeCloseTo(2 * 10 * 0.44, 10)
    const short = part(estimate(run({ spanPartition: jobOf(10, 13) })), 'partition job')
    expect(short?.usd).toBeCloseTo((10 * 0.44) / 60, 10)
    expect(short?.how).toBe('at most 10 DPU for 3 s, billed as 60 s')
  })

  it('takes the DPU-seconds that Glue says before any of its own', () => {
    const said = part(estimate(run({ spanConvert: jobOf(0, 600, { dpuSeconds: 1800 }) })), 'convert job')
    expect(said).toMatchObject({ usd: expect.closeTo(0.22, 10), how: '1,800 DPU-seconds, as Glue says' })
  })

  it('bills a crawl for ten minutes at least, and for the runs that it settled in common', () => {
    const spanCatalog = { queuedAt: at(0), startedAt: at(0), endedAt: at(45), share: 0.25 }
    const crawl = part(estimate(run({ spanCatalog })), 'crawl')
    expect(crawl?.usd).toBeCloseTo((0.44 / 6) * 0.25, 10)
    expect(crawl?.how).toBe('at least 1 DPU for 45 s, billed as 600 s, of which 25 % for its bytes')
    // Queryable by a crawl of others.
    expect(estimate(run({ spanCatalog: { queuedAt: at(0), endedAt: at(45) } })).parts).toEqual([])
  })

  it('counts each object twice: a job writes it, and publishing copies it', () => {
    const written = part(estimate(run({ parts: 1, deliveredObjects: 185, rejected: 3 })), 'S3 writes')
    expect(written).toMatchObject({
      usd: expect.closeTo((2 * 187 * 0.005) / 1000, 12),
      how: '374 of parquet and reasons',
    })
    expect(part(estimate(run({ state: 'refused' })), 'S3 writes')?.usd).toBeCloseTo(0.000005, 12)
  })

  it('gives a zip the time of its function and its uploads, and a member its share of these by bytes', () => {
    const members = [
      { name: 'a.csv', key: 'data/sales/z~1/a.csv', sourceId: 'a-1', bytes: 30_000_000 },
      { name: 'b.csv', key: 'data/sales/z~1/b.csv', sourceId: 'b-1', bytes: 10_000_000 },
    ]
    const spanUnzip = { queuedAt: at(0), startedAt: at(1), endedAt: at(5) }
    const archived = { key: 'old-data/sales/z.zip', versionId: 'v', etag: 'e' }
    const zip = run({ kind: 'zip', runId: 'z', members, spanUnzip, archived, state: 'extracted' })
    // Four parts and two, an opening and an ending each, and a copy of the zip.
    const usd = (1769 / 1024) * 4 * PRICES.functionGbSecond.usd + 0.005 * 0.011
    expect(estimate(zip).usd).toBeCloseTo(usd, 12)
    const shares = members.map(({ key }) => estimate(run({ key, zip: { key: zip.key, runId: zip.runId } }), zip).usd)
    expect(shares[0]).toBeCloseTo(usd * 0.75, 12)
    expect((shares[0] ?? 0) + (shares[1] ?? 0)).toBeCloseTo(usd, 12)
  })

  it('of what ended at once is nothing', () => {
    expect(estimate(run({ state: 'superseded' }))).toEqual({ usd: 0, parts: [] })
  })
})

describe('shares', () => {
  it('are by bytes, equal where there are none, and sum to one', () => {
    expect(sharesOf([{ bytes: 30 }, { bytes: 10 }])).toEqual([0.75, 0.25])
    expect(sharesOf([{ bytes: 0 }, { bytes: 0 }])).toEqual([0.5, 0.5])
    expect(sharesOf([{ bytes: 5 }, { bytes: 0 }])).toEqual([1, 0])
    const many = Array.from({ length: 500 }, (_, i) => ({ bytes: i * i }))
    expect(sharesOf(many).reduce((a, b) => a + b)).toBeCloseTo(1, 12)
  })

  it('of the jobs and the crawl of a batch are written into its runs, and the costs of all sum to those of the whole', async () => {
    const world = new World()
    world.land('data/sales/first.csv', csv('Chad,1'))
    await world.pump()
    // While a job is at work, these wait for one of their own.
    world.land('data/sales/a.csv', csv('Chad,1', 'Mali,2'))
    world.land('data/sales/b.csv', csv('Niger,2'))
    world.land('landing/sales/z.zip', await zipOf({ 'c.csv': csv('Chad,3') }))
    await world.pump()
    await world.untilQuiet()
    const { type, most } = (world.contracts.get('sales') ?? expect.fail('no contract')).engine.workers
    const DPU = most * WORKER_DPU[type]
    const runs = world.runs()
    const members = runs.filter(({ kind }) => kind === 'csv')
    expect(members.map(({ state }) => state)).toEqual(Array(4).fill('delivered'))
    for (const span of ['spanConvert', 'spanPartition'] as const) {
      const batches = [...Map.groupBy(members, (run) => run[span]?.jobRunId).values()]
      if (span === 'spanConvert') expect(batches.map(({ length }) => length).sort()).toEqual([1, 3])
      for (const batch of batches) {
        const shares = batch.map((run) => run[span]?.share ?? Number.NaN)
        expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12)
        expect(batch.map((run) => run[span]?.dpu)).toEqual(batch.map(() => DPU))
      }
    }
    const crawls = Map.groupBy(
      members.filter(({ spanCatalog }) => spanCatalog?.share !== undefined),
      ({ spanCatalog }) => spanCatalog?.startedAt,
    )
    expect(crawls.size).toBeGreaterThan(0)
    for (const settled of crawls.values())
      expect(settled.reduce((sum, { spanCatalog }) => sum + (spanCatalog?.share ?? 0), 0)).toBeCloseTo(1, 12)
    for (const each of runs) {
      const { usd, parts } = estimate(each)
      expect(usd).toBeGreaterThan(0)
      expect(parts.reduce((sum, { usd }) => sum + usd, 0)).toBeCloseTo(usd, 12)
    }
  })
})
