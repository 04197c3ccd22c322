import { describe, expect, it } from 'vitest'
import { serve } from '../../../services/catalog/serve.ts'
import { servedVersion } from '../../../services/catalog/view.ts'
import { publishedKeys } from '../../../services/jobs/publish.ts'
import { csv } from '../memory/engine.ts'
import { fault } from '../memory/faults.ts'
import { contractOfVersion, DELIVERY, World, type Wrap } from '../memory/world.ts'

const A = 'data/sales/a.csv'
const OTHER_VERSION = {
  state: 'superseded',
  problem: {
    code: 'other_version',
    message:
      'data/sales/a.csv was typed under version 1 of the contract of sales; version 2 is deployed. A rerun types it again: `landfall rerun sales`.',
  },
}
const newest = (world: World) => world.runs().at(-1)

/** Delivered under version 1; a newer version of it has been typed under version 1, too, and its event is in `message`. */
async function typed(wrap?: Wrap, revive?: () => Promise<void>) {
  const world = new World(wrap, revive)
  world.land(A, csv('Chad,1', 'Peru,1'))
  await world.untilQuiet()
  world.land(A, csv('Chad,2', 'Togo,2'))
  await world.pump()
  world.endJobs()
  const job = world.messages.shift()
  if (job) await world.handle(job)
  const message = world.messages.shift()
  if (message?.kind !== 'object') throw new Error('not converted')
  return { world, message }
}

describe('a run whose rows were typed under a version that is not deployed any more', () => {
  it('remembers that version', async () => {
    const { world } = await typed()
    expect(newest(world)).toMatchObject({ state: 'converted', contractVersion: 1 })
  })

  it('is not queued for its partitions', async () => {
    const { world, message } = await typed()
    world.deploy(contractOfVersion(2))
    await world.handle(message)
    expect(newest(world)).toMatchObject(OTHER_VERSION)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,1'])
  })

  it('leaves the queue without a job', async () => {
    const { world, message } = await typed()
    world.glue.maxConcurrentRuns = 0
    await world.handle(message)
    world.glue.maxConcurrentRuns = 5
    world.deploy(contractOfVersion(2))
    const jobs = world.glue.jobs.length
    expect(await world.dispatch('partition')).toBe('idle')
    expect(world.glue.jobs).toHaveLength(jobs)
    expect(newest(world)).toMatchObject(OTHER_VERSION)
  })

  it('publishes nothing of a job that was at work meanwhile', async () => {
    const { world, message } = await typed()
    await world.handle(message)
    world.deploy(contractOfVersion(2))
    await world.untilQuiet()
    expect(newest(world)).toMatchObject(OTHER_VERSION)
    expect(world.rows()).toEqual(['Chad,1', 'Peru,1'])
    expect(world.objects.keys(DELIVERY, 'data/sales.v2/')).toEqual([])
  })

  it('publishes nothing either where the version became known only after its job had started', async () => {
    const { world, message } = await typed()
    const run = newest(world)
    if (!run) throw new Error('no run')
    const { accepted, contractVersion } = run
    await world.books.update(run, { state: 'queued' }, [], ['accepted', 'contractVersion'])
    world.deploy(contractOfVersion(2))
    await world.handle(message)
    expect(world.glue.running).toHaveLength(1)
    await world.books.update(run, { state: 'converted', accepted, contractVersion })
    await world.untilQuiet()
    expect(newest(world)).toMatchObject(OTHER_VERSION)
    expect(world.objects.keys(DELIVERY, 'data/sales.v2/')).toEqual([])
  })

  it('finishes what it had begun to publish: people read it until they are switched', async () => {
    const play = async ({ wrap, revive, calls }: ReturnType<typeof fault>) => {
      const { world, message } = await typed(wrap, revive)
      await world.handle(message)
      const from = calls()
      world.endJobs()
      const job = world.messages.shift()
      if (job) await world.handle(job)
      const to = calls()
      world.deploy(contractOfVersion(2))
      await world.untilQuiet()
      return { world, from, to }
    }
    const { from, to } = await play(fault())
    const rows = new Set<string>()
    for (let nth = from + 1; nth <= to; nth++) {
      const { world } = await play(fault(nth, 'death'))
      rows.add(world.rows().join(' '))
      expect(world.objects.keys(DELIVERY, 'data/sales.v2/')).toEqual([])
    }
    // Either not begun, or whole: neither a part of it nor a partition that the catalog does not know.
    expect([...rows]).toEqual(['Chad,1 Peru,1', 'Chad,2 Togo,2'])
  })

  it('is made queryable under it where it was published just before', async () => {
    const { world, message } = await typed()
    await world.handle(message)
    world.endJobs()
    const job = world.messages.shift()
    if (job) await world.handle(job)
    expect(newest(world)).toMatchObject({ state: 'published' })
    world.deploy(contractOfVersion(2))
    await world.untilQuiet()
    expect(newest(world)).toMatchObject({ state: 'delivered' })
    expect(world.rows()).toEqual(['Chad,2', 'Togo,2'])
  })
})

describe('typed rows that a replay partitions again', () => {
  it('go to the version that they were typed under, while that is deployed, and nowhere afterwards', async () => {
    const world = new World()
    world.deploy(contractOfVersion(2))
    world.land(A, csv('Chad,1'))
    await world.untilQuiet()
    world.replay('partition', 'partition-one')
    await world.untilQuiet()
    expect(newest(world)).toMatchObject({ cause: 'partition-one', state: 'delivered', contractVersion: 2 })
    world.deploy(contractOfVersion(3))
    world.replay('partition', 'partition-two')
    await world.untilQuiet()
    expect(newest(world)).toMatchObject({
      cause: 'partition-two',
      state: 'superseded',
      problem: { code: 'other_version', message: expect.stringContaining('was typed under version 2') },
    })
    expect(world.objects.keys(DELIVERY).every((key) => key.startsWith('data/sales.v2/'))).toBe(true)
    expect(await servedVersion(world.deps, 'sales')).toBe(1)
  })
})

describe('what a source has in the zone', () => {
  it('is listed for each version apart', async () => {
    const { world } = await typed()
    await world.untilQuiet()
    world.deploy(contractOfVersion(2))
    await world.typeAgain(A)
    await world.untilQuiet()
    const [, before, after] = world.runs()
    if (!before || !after) throw new Error('no runs')
    const keys = (version: string) =>
      ['COUNTRY=Chad', 'COUNTRY=Togo'].map((folder) => `data/${version}/${folder}/${before.sourceId}-00001.parquet`)
    expect((await publishedKeys(world.books, before, 'delivery')).sort()).toEqual(keys('sales'))
    expect((await publishedKeys(world.books, after, 'delivery')).sort()).toEqual(keys('sales.v2'))
    expect(await world.books.head(after)).toMatchObject({ deliveryRun: after.runId, deliveryVersion: 2 })
    await serve(world.deps, 'sales')
    expect(world.rows()).toEqual(['Chad,2@v2', 'Togo,2@v2'])
  })
})
