import { describe, expect, it } from 'vitest'
import { Ledger } from '../../../services/ledger/ledger.ts'
import { queuePk } from '../../../services/ledger/queue.ts'
import type { Landed } from '../../../services/ledger/run.ts'
import { csv } from '../memory/engine.ts'
import { interleaveAll } from '../memory/interleave.ts'
import { QUARANTINE, RAW, World } from '../memory/world.ts'

const landed = (versionId: string, more: Partial<Landed> = {}): Landed => ({
  bucket: RAW,
  key: 'data/sales/a.csv',
  versionId,
  etag: 'e',
  bytes: 1,
  landedAt: '2026-01-01T00:00:00.000Z',
  ...more,
})
const queued = (world: World) => world.table.query(queuePk({ stage: 'convert', dataset: 'sales' }), 'ITEM#')

describe('registration', () => {
  it('takes a duplicate event for the run that it is', async () => {
    const world = new World()
    const first = await world.books.register('csv', 'sales', landed('v1'), 'live')
    const second = await world.books.register('csv', 'sales', landed('v1'), 'live')
    expect([first.fresh, second.fresh]).toEqual([true, false])
    expect(second.run).toMatchObject(first.run)
    expect(await queued(world)).toHaveLength(1)
  })

  it('numbers the runs of a source in the order of their registration, also for one version', async () => {
    const world = new World()
    const runs = []
    for (const [version, cause] of [
      ['v1', 'live'],
      ['v2', 'live'],
      ['v1', 'convert-1'],
    ] as const)
      runs.push((await world.books.register('csv', 'sales', landed(version), cause)).run.seq)
    expect(runs).toEqual([1, 2, 3])
  })

  it('does not queue a run that ends as it begins', async () => {
    const world = new World()
    const end = { state: 'refused', problem: { code: 'x', message: 'y' } } as const
    const { run } = await world.books.register('csv', 'sales', landed('v1'), 'live', end)
    expect(run).toMatchObject({ ...end, endedAt: '2026-01-01T00:00:00.000Z' })
    expect(await queued(world)).toEqual([])
  })

  it('gives two registrations that meet, in any order of their calls, two numbers and two places', async () => {
    const orders = await interleaveAll(
      async () => new World(),
      ['v1', 'v2'].map((version) => async (world, wrap) => {
        await new Ledger(wrap(world.table), world.clock.now).register('csv', 'sales', landed(version), 'live')
      }),
      async (world) => {
        expect(world.runs().map(({ seq }) => seq)).toEqual([1, 2])
        expect(await queued(world)).toHaveLength(2)
      },
    )
    expect(orders).toBeGreaterThan(10)
  })

  it('knows an older zip by the order of the events, also where its newer version has left', async () => {
    const world = new World()
    const zip = (versionId: string, sequencer: string) =>
      world.books.register('zip', 'sales', landed(versionId, { key: 'landing/sales/a.zip', sequencer }), 'live')
    expect((await zip('v2', '00A1')).run.state).toBe('extracting')
    // Right-padded with zeros, 00A is less than 00A1.
    expect((await zip('v1', '00A')).run).toMatchObject({
      state: 'superseded',
      problem: { message: 'A newer version of landing/sales/a.zip landed.' },
    })
    expect((await zip('v3', '00B')).run.state).toBe('extracting')
  })
})

describe('what lands', () => {
  const register = async (change: (world: World) => unknown) => {
    const world = new World()
    await change(world)
    for (const message of [...world.messages.splice(0)]) await world.handle(message)
    return world
  }

  it('is superseded when a newer version is there', async () => {
    const world = await register((w) => {
      w.land('data/sales/a.csv', csv('Chad,1'))
      w.land('data/sales/a.csv', csv('Chad,2'))
    })
    expect(world.states()).toEqual(['data/sales/a.csv v1 superseded', 'data/sales/a.csv v3 queued'])
    expect(world.runs()[0]?.problem?.message).toBe('A newer version of data/sales/a.csv landed.')
  })

  it('is refused as gone when it is gone', async () => {
    const world = await register(async (w) => {
      w.land('data/sales/a.csv', csv('Chad,1'))
      await w.objects.remove(RAW, ['data/sales/a.csv'])
    })
    expect(world.runs()[0]).toMatchObject({
      state: 'refused',
      problem: { code: 'gone', message: 'data/sales/a.csv was deleted before it could be read. Land it again.' },
    })
  })

  it.each([
    ['data/sales/a.txt', 'data/sales/a.txt is not a CSV by its name: expected .csv or .csv.gz.'],
    ['data/other/a.csv', 'no contract names the dataset "other" (known: sales)'],
    ['data/a.csv', 'data/a.csv cannot be read: its key names no dataset (known: sales). Land it as data/<dataset>/'],
  ])('is refused by its name: %s', async (key, message) => {
    const world = await register((w) => w.land(key, 'x'))
    expect(world.runs()[0]).toMatchObject({ state: 'refused', problem: { message: expect.stringContaining(message) } })
    const [words] = world.objects.texts(QUARANTINE, 'refused/').values()
    expect(JSON.parse(words ?? '')).toMatchObject({ key, message: expect.stringContaining(message) })
  })

  it('is nothing when its key is a folder', async () => {
    expect((await register((w) => w.land('data/sales/', ''))).runs()).toEqual([])
  })

  it('has its words in the quarantine even if the first attempt died before it wrote them', async () => {
    const world = await register((w) => w.land('data/sales/a.txt', 'x'))
    const before = world.objects.texts(QUARANTINE)
    await world.objects.remove(QUARANTINE, [...before.keys()])
    world.clock.advance(60_000)
    world.land('data/sales/b.csv', csv())
    const version = world.objects.read(RAW, 'data/sales/a.txt')
    const again = world.messages[0]
    if (again?.kind !== 'object') throw new Error('no event')
    again.event.detail.object.key = 'data/sales/a.txt'
    again.event.detail.object['version-id'] = version?.versionId
    await world.handle(again)
    expect(world.objects.texts(QUARANTINE)).toEqual(before)
  })
})

describe('a run whose job starts after all', () => {
  async function unstarted() {
    const world = new World()
    const { run } = await world.books.register('csv', 'sales', landed('v1'), 'live')
    const problem = { code: 'convert_not_started', message: 'No rights.' }
    await world.books.update(run, { state: 'failed', problem, endedAt: world.books.instant() })
    world.clock.advance(1_000)
    return { world, seen: (await world.books.run(run)) ?? expect.fail('no run') }
  }

  it('is at work for the second who says so, too', async () => {
    const { world, seen } = await unstarted()
    for (let i = 0; i < 2; i++) expect(await world.books.started(seen, 'convert')).toMatchObject({ state: 'queued' })
  })

  it('has failed where its job failed before the first could say so', async () => {
    const { world, seen } = await unstarted()
    const started = await world.books.started(seen, 'convert')
    const problem = { code: 'convert_job_failed', message: 'Out of memory.' }
    await world.books.update(started, { state: 'failed', problem, endedAt: world.books.instant() })
    expect(await world.books.started(seen, 'convert')).toMatchObject({ state: 'failed', problem })
    expect(world.runs()).toMatchObject([{ state: 'failed', problem }])
  })
})
