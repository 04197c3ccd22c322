import { afterEach, describe, expect, it, vi } from 'vitest'
import { Ledger } from '../../../services/ledger/ledger.ts'
import type { Run } from '../../../services/ledger/run.ts'
import { entriesOf } from '../../../services/metrics/ended-runs.ts'
import { type Entry, NO_CONTRACT } from '../../../services/metrics/metrics.ts'
import { metricsTeller } from '../../../services/metrics/teller.ts'
import { write } from '../../../services/metrics/write.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

/** All runs that end while the world does what it has to, and what the metrics are told of them. */
async function told(work: (world: World) => Promise<void>) {
  const ended: Run[] = []
  const world = new World()
  Object.assign(world.deps, { ledger: new Ledger(world.table, world.clock.now, (run) => ended.push(run)) })
  await work(world)
  const entries: Entry[] = []
  const deps = { ledger: world.books, datasets: world.contracts, write: (all: Entry[]) => void entries.push(...all) }
  await metricsTeller(deps)(ended)
  const of = (dimensions: Record<string, string>) =>
    entries.find((entry) => JSON.stringify(entry.dimensions) === JSON.stringify(dimensions))?.values
  return { world, ended, entries, of }
}

describe('what ended runs add to the metrics', () => {
  it('is a file for each end, rows, bytes, and how long a delivered one took', async () => {
    const { world, of, entries } = await told(async (world) => {
      const body = csv('Chad,1', 'Peru,2', 'Peru,3', 'Peru,4', 'BAD,5')
      world.land('data/sales/a.csv', body)
      world.land('data/sales/wrong.csv', 'NOPE\nx')
      await world.untilQuiet()
    })
    expect(of({ dataset: 'sales', state: 'delivered' })).toEqual({ Files: [1] })
    expect(of({ dataset: 'sales', state: 'refused' })).toEqual({ Files: [1] })
    const bytes = Buffer.byteLength(csv('Chad,1', 'Peru,2', 'Peru,3', 'Peru,4', 'BAD,5')) + Buffer.byteLength('NOPE\nx')
    expect(of({ dataset: 'sales' })).toEqual({
      RowsAccepted: [4],
      RowsRejected: [1],
      Bytes: [bytes],
      LandedToQueryable: [Date.parse(world.runs()[0]?.endedAt ?? '') - Date.parse('2026-01-01T00:00:00.000Z')],
    })
    expect(entries).toHaveLength(3)
  })

  it('measures a member from the landing of its zip', async () => {
    const { of, ended } = await told(async (world) => {
      world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
      // Its zip waits for five minutes before anyone unpacks it.
      world.clock.advance(300_000)
      await world.untilQuiet()
    })
    expect(ended.map(({ state }) => state)).toEqual(['extracted', 'delivered'])
    expect(of({ dataset: 'sales', state: 'extracted' })).toEqual({ Files: [1] })
    const [took = 0] = of({ dataset: 'sales' })?.LandedToQueryable ?? []
    expect(took).toBeGreaterThan(300_000)
    expect(took).toBeLessThan(310_000)
  })

  it('does not measure what a replay or rerun did again, also not the members of a zip that is extracted again', async () => {
    const { of, ended } = await told(async (world) => {
      world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
      await world.untilQuiet()
      world.clock.advance(86_400_000)
      world.replay('unzip')
      await world.untilQuiet()
      await world.typeAgain(world.objects.keys('raw', 'data/')[0] ?? '')
      await world.untilQuiet()
    })
    const delivered = ended.filter(({ state }) => state === 'delivered')
    expect(delivered.length).toBeGreaterThanOrEqual(3)
    expect(of({ dataset: 'sales', state: 'delivered' })).toEqual({ Files: [delivered.length] })
    expect(of({ dataset: 'sales' })?.LandedToQueryable).toHaveLength(1)
  })

  it('counts failures of jobs and of balance by the problem of the run', () => {
    const failed = (code: string): Run =>
      ({ ...base, state: 'failed', problem: { code, message: 'words' } }) satisfies Run
    const runs = ['convert_job_failed', 'partition_job_failed', 'imbalance', 'object_changed'].map(failed)
    const entries = entriesOf(runs, new Set(['sales']), () => undefined)
    expect(entries).toEqual([
      { dimensions: { dataset: 'sales', state: 'failed' }, values: { Files: [4] } },
      { dimensions: { dataset: 'sales' }, values: { Bytes: [40], JobFailures: [2], BalanceFailures: [1] } },
    ])
  })

  it('makes no metric of its own for each folder that someone lands in', () => {
    const runs = ['sale', 'x1', 'x2'].map((dataset): Run => ({ ...base, dataset, state: 'refused' }))
    expect(entriesOf(runs, new Set(['sales']), () => undefined).map(({ dimensions }) => dimensions)).toEqual([
      { dataset: NO_CONTRACT, state: 'refused' },
      { dataset: NO_CONTRACT },
    ])
  })
})

const base: Run = {
  bucket: 'raw',
  key: 'data/sales/a.csv',
  versionId: 'v1',
  etag: 'e',
  bytes: 10,
  landedAt: '2026-01-01T00:00:00.000Z',
  kind: 'csv',
  dataset: 'sales',
  sourceId: 'a-1',
  runId: 'r1',
  cause: 'live',
  seq: 1,
  registeredAt: '2026-01-01T00:00:01.000Z',
  endedAt: '2026-01-01T00:00:09.000Z',
  state: 'delivered',
}

describe('the lines on standard output', () => {
  const lines: string[] = []
  const written = (entries: Entry[]) => {
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean(lines.push(String(text))))
    write(entries)
    vi.mocked(process.stdout.write).mockRestore()
    return lines.splice(0).map((line) => JSON.parse(line))
  }
  afterEach(() => vi.restoreAllMocks())

  it("are CloudWatch's embedded metric format, with the dimensions given and no other", () => {
    const [files, rows, ...more] = written([
      { dimensions: { dataset: 'sales', state: 'delivered' }, values: { Files: [2] } },
      { dimensions: { dataset: 'sales' }, values: { RowsAccepted: [10], LandedToQueryable: [900, 1100] } },
    ])
    expect(more).toEqual([])
    expect(files).toEqual({
      _aws: {
        Timestamp: expect.any(Number),
        CloudWatchMetrics: [
          { Namespace: 'Landfall', Dimensions: [['dataset', 'state']], Metrics: [{ Name: 'Files', Unit: 'Count' }] },
        ],
      },
      dataset: 'sales',
      state: 'delivered',
      Files: 2,
    })
    expect(rows).toMatchObject({ dataset: 'sales', RowsAccepted: 10, LandedToQueryable: [900, 1100] })
    expect(rows).not.toHaveProperty('service')
    expect(rows._aws.CloudWatchMetrics[0].Dimensions).toEqual([['dataset']])
  })

  it('keep all values and their dimensions where there are more than a line may have', () => {
    const times = Array.from({ length: 250 }, (_, i) => i)
    const all = written([{ dimensions: { dataset: 'sales' }, values: { LandedToQueryable: times, Files: [1] } }])
    for (const line of all) {
      expect(line.dataset).toBe('sales')
      expect([line.LandedToQueryable ?? []].flat().length).toBeLessThanOrEqual(100)
    }
    expect(all.flatMap((line) => line.LandedToQueryable ?? [])).toEqual(times)
  })
})
