import { describe, expect, it } from 'vitest'
import { Manifest } from '../../../schemas/manifest.ts'
import { BATCH_BYTES, BATCH_SOURCES, chooseBatch, dispatch } from '../../../services/jobs/dispatch.ts'
import { Ledger } from '../../../services/ledger/ledger.ts'
import { type Queued, queuePk } from '../../../services/ledger/queue.ts'
import { type Call, hearing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { interleaveAll } from '../memory/interleave.ts'
import { STAGING, World, type Wrap } from '../memory/world.ts'

const queue = queuePk({ stage: 'convert', dataset: 'sales' })
const waiting = (world: World) => world.table.query(queue, 'ITEM#')
const slot = (world: World) => world.table.get({ pk: queue, sk: 'SLOT' })

/** CSVs that have landed and are queued, but not dispatched. */
async function withQueued(...names: string[]) {
  const world = new World()
  const { maxConcurrentRuns } = world.glue
  world.glue.maxConcurrentRuns = 0
  for (const name of names) {
    world.clock.advance(1_000)
    world.land(`data/sales/${name}.csv`, csv('Chad,1'))
    await world.pump()
  }
  world.glue.maxConcurrentRuns = maxConcurrentRuns
  return world
}

const manifests = (world: World) =>
  [...world.objects.texts(STAGING)]
    .filter(([key]) => key.endsWith('/manifest.json'))
    .map(([, text]) => Manifest.parse(JSON.parse(text)))
    .filter(({ batch }) => world.glue.jobs.some(({ manifest }) => manifest.includes(batch)))
const jobs = (world: World) =>
  manifests(world).map(({ sources }) => sources.map(({ sourceId }) => sourceId.split('-')[0]))

describe('dispatch', () => {
  it('starts one job for all that waits, oldest first', async () => {
    const world = await withQueued('b', 'a', 'c')
    expect(await world.dispatch('convert')).toBe('started')
    expect(jobs(world)).toEqual([['b', 'a', 'c']])
    expect(await slot(world)).toMatchObject({ jobRunId: 'jr_1', manifest: world.glue.jobs[0]?.manifest })
  })

  it('pins what the job reads to its version and ETag', async () => {
    const world = await withQueued('a')
    await world.dispatch('convert')
    const { versionId, etag } = world.objects.read('raw', 'data/sales/a.csv') ?? {}
    expect(manifests(world)[0]?.sources[0]?.inputs).toEqual([
      { uri: 's3://raw/data/sales/a.csv', bytes: csv('Chad,1').length, etag, versionId },
    ])
  })

  it.each(['convert', 'partition'] as const)(
    'starts the job of %s with the workers and the time that the contract gives it',
    async (stage) => {
      const world = await withQueued('a')
      await world.dispatch('convert')
      world.endJobs()
      await world.pump()
      const sizes = world.glue.jobs.filter(({ job }) => job === stage).map(({ size }) => size)
      expect(sizes).toEqual([{ workers: { type: 'G.2X', most: 4 }, timeoutMinutes: 90 }])
    },
  )

  it('is busy while a job is at work, and idle when nothing waits', async () => {
    const world = await withQueued('a')
    await world.dispatch('convert')
    world.land('data/sales/b.csv', csv('Chad,2'))
    await world.pump()
    expect(await world.dispatch('convert')).toBe('busy')
    expect(world.glue.jobs).toHaveLength(1)
    expect(await new World().dispatch('convert')).toBe('idle')
  })

  it('takes what landed during a job in the next one, all together', async () => {
    const world = await withQueued('a')
    await world.dispatch('convert')
    for (const name of ['b', 'c', 'd']) world.land(`data/sales/${name}.csv`, csv('Chad,2'))
    await world.pump()
    world.endJobs()
    await world.pump()
    expect(jobs(world).filter((sources) => !sources.includes('a'))).toContainEqual(['b', 'c', 'd'])
  })

  it('leaves the queue as it is and the slot free when Glue has no slot', async () => {
    const world = await withQueued('a', 'b')
    world.glue.maxConcurrentRuns = 0
    await expect(dispatch(world.deps, world.convert, 'sales')).rejects.toMatchObject({
      retryable: true,
      message: 'Glue would not start a run of convert now: ConcurrentRunsExceededException.',
    })
    expect(await waiting(world)).toHaveLength(2)
    expect(await slot(world)).toBeUndefined()
  })

  it('ends as superseded what has been replaced since it was queued, and goes on with the others', async () => {
    const world = await withQueued('a', 'b')
    world.land('data/sales/a.csv', csv('Chad,2'))
    expect(await world.dispatch('convert')).toBe('started')
    expect(jobs(world)).toEqual([['b']])
    expect(world.runs().find(({ key }) => key.endsWith('a.csv'))).toMatchObject({
      state: 'superseded',
      problem: { message: 'What convert would read is gone: a newer version took its place.' },
    })
  })

  it('starts no job when nothing of the batch is there any more', async () => {
    const world = await withQueued('a')
    await world.objects.remove('raw', ['data/sales/a.csv'])
    expect(await world.dispatch('convert')).toBe('idle')
    expect(await slot(world)).toBeUndefined()
    expect(await waiting(world)).toEqual([])
  })

  it('lets a run that has ended leave the queue as it ended', async () => {
    const world = await withQueued('a')
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    await world.books.update(run, { state: 'failed', problem: { code: 'x', message: 'y' } })
    expect(await world.dispatch('convert')).toBe('idle')
    expect(world.runs()[0]).toMatchObject({ state: 'failed', problem: { code: 'x' } })
    expect(await waiting(world)).toEqual([])
  })
})

describe('a start of which nobody heard', () => {
  const busy = async (world: World) => {
    expect(await world.dispatch('convert')).toBe('busy')
    expect(await waiting(world)).toHaveLength(1)
  }
  const lostAt = (lost: (call: Call) => boolean, after: boolean): Wrap =>
    hearing(async (call) => {
      if (after) await call.make()
      if (lost(call)) throw new Error('the connection was lost')
      return after ? undefined : await call.make()
    })
  const notes = ({ name, args }: Call) => name === 'write' && JSON.stringify(args[0]).includes('jobRunId')

  it.each<[string, (world: World) => Partial<World['deps']>]>([
    [
      'as its id could not be noted',
      (world) => ({ ledger: new Ledger(lostAt(notes, false)(world.table), world.clock.now) }),
    ],
    ['as the answer was lost', (world) => ({ glue: lostAt(() => true, true)(world.glue) })],
  ])('%s, keeps its slot, and no other job does the same', async (_, lost) => {
    const world = await withQueued('a')
    await expect(dispatch({ ...world.deps, ...lost(world) }, world.convert, 'sales')).rejects.toThrow('lost')
    expect(jobs(world)).toEqual([['a']])
    await busy(world)
    await world.untilQuiet()
    expect(world.states()).toMatchObject([expect.stringContaining('delivered')])
    expect(jobs(world).length, 'one of each stage').toBe(2)
  })

  it('is done again when its lease is over, where Glue has no such job', async () => {
    const world = await withQueued('a')
    world.glue.trouble.set('startJob', new Error('503'))
    await expect(world.dispatch('convert')).rejects.toThrow('503')
    world.glue.trouble.clear()
    await busy(world)
    await world.untilQuiet()
    expect(world.states()).toMatchObject([expect.stringContaining('delivered')])
  })
})

describe('a batch', () => {
  const item = (i: number, more: Partial<Queued> = {}): Queued => ({
    sk: `${i}`,
    sourceId: `s${i}`,
    runId: `r${i}`,
    bytes: 1,
    ...more,
  })
  const chosen = (...items: Queued[]) => chooseBatch(items).map(({ sk }) => sk)

  it('is one half of a batch that failed, when its first source is the oldest', () => {
    expect(chosen(item(1, { half: 'b-1' }), item(2), item(3, { half: 'b-1' }), item(4, { half: 'b-2' }))).toEqual([
      '1',
      '3',
    ])
  })
  it('leaves out the halves of one that failed, when another is older', () => {
    expect(chosen(item(1), item(2, { half: 'b-1' }), item(3))).toEqual(['1', '3'])
  })
  it('ends at its limits of sources and bytes, but always has its first source', () => {
    expect(chooseBatch(Array.from({ length: 600 }, (_, i) => item(i)))).toHaveLength(BATCH_SOURCES)
    expect(chosen(item(1, { bytes: BATCH_BYTES * 2 }), item(2))).toEqual(['1'])
    expect(chosen(item(1), item(2, { bytes: BATCH_BYTES - 1 }), item(3))).toEqual(['1', '2'])
  })
})

describe('two dispatchers in any order of their calls', () => {
  const dispatcher = async (world: World, wrap: Wrap) => {
    const deps = { ...world.deps, ledger: new Ledger(wrap(world.table), world.clock.now), glue: wrap(world.glue) }
    await dispatch(deps, world.convert, 'sales')
  }
  /** Registers, then looks: as every wake-up does. */
  const lander = (name: string) => async (world: World, wrap: Wrap) => {
    const deps = { ...world.deps, ledger: new Ledger(wrap(world.table), world.clock.now), glue: wrap(world.glue) }
    const { versionId, etag } = world.land(`data/sales/${name}.csv`, csv('Chad,1'))
    world.messages.length = 0
    const landed = { bucket: 'raw', key: `data/sales/${name}.csv`, versionId, etag, bytes: 1, landedAt: '' }
    await deps.ledger.register('csv', 'sales', landed, 'live')
    await dispatch(deps, world.convert, 'sales')
  }

  it('start one job', async () => {
    const orders = await interleaveAll(
      () => withQueued('a', 'b'),
      [dispatcher, dispatcher],
      (world) => expect(jobs(world)).toEqual([['a', 'b']]),
    )
    expect(orders).toBeGreaterThan(20)
  })

  it('lose no wake-up: whatever is not in the job is queued behind a slot that is held', async () => {
    await interleaveAll(
      async () => new World(),
      [lander('a'), lander('b')],
      async (world) => {
        expect(world.glue.jobs).toHaveLength(1)
        expect(await slot(world)).toMatchObject({ jobRunId: 'jr_1' })
        expect(await waiting(world)).toHaveLength(2)
      },
    )
  }, 60_000)

  it('lose no wake-up when the batch of the first turns out to be empty', async () => {
    await interleaveAll(
      async () => {
        const world = await withQueued('gone')
        await world.objects.remove('raw', ['data/sales/gone.csv'])
        return world
      },
      [dispatcher, lander('b')],
      (world) => expect(jobs(world)).toEqual([['b']]),
    )
  }, 60_000)
})
