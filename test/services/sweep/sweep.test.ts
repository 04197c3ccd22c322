import { describe, expect, it } from 'vitest'
import { LEASE_MS } from '../../../services/jobs/dispatch.ts'
import { catalogState, markDirty, whilePublishing } from '../../../services/ledger/catalog-state.ts'
import { dueItem, duePk } from '../../../services/ledger/queue.ts'
import { sweep } from '../../../services/sweep/sweep.ts'
import { csv } from '../memory/engine.ts'
import { PROCESSING, World } from '../memory/world.ts'

const SLOT = { pk: 'QUEUE#convert#sales', sk: 'SLOT' }
const did = async (world: World) => (await world.sweep()).map((swept) => `${swept.stage}: ${swept.did}`)

async function converting() {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  await world.pump()
  return world
}

describe('the sweep', () => {
  it('leaves a job alone whose lease is not over', async () => {
    const world = await converting()
    world.clock.advance(LEASE_MS - 1)
    expect(await did(world)).toEqual([])
  })

  it('extends the lease of a job that still runs', async () => {
    const world = await converting()
    world.clock.advance(LEASE_MS)
    expect(await did(world)).toEqual([])
    expect(await world.table.get(SLOT)).toMatchObject({ leaseUntil: world.clock.ms + LEASE_MS })
  })

  it('settles a job whose end was not heard, and starts the next one in the same minute', async () => {
    const world = await converting()
    world.land('data/sales/b.csv', csv('Chad,2'))
    await world.pump()
    world.endJobs()
    world.messages.length = 0
    world.clock.advance(LEASE_MS)
    expect(await did(world)).toEqual([
      expect.stringMatching(/^convert: settled batch sales~/),
      'convert: started a job for what was waiting',
    ])
    expect(world.runs().map(({ state }) => state)).toEqual(['converted', 'queued'])
  })

  it('finds the job of a dispatcher that died before it wrote down the run', async () => {
    const world = await converting()
    await world.table.write([{ update: SLOT, remove: ['jobRunId'] }])
    world.clock.advance(LEASE_MS)
    await world.sweep()
    expect(await world.table.get(SLOT)).toMatchObject({ jobRunId: 'jr_1' })
  })

  it('frees the slot of a job that never started: all of its queue is as it was', async () => {
    const world = await converting()
    await world.table.write([{ update: SLOT, remove: ['jobRunId'] }])
    world.glue.jobs.length = 0
    world.clock.advance(LEASE_MS)
    expect(await did(world)).toContain('convert: started a job for what was waiting')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('frees the slot of a dispatcher that died before it wrote a manifest', async () => {
    const world = await converting()
    await world.table.write([{ update: SLOT, remove: ['jobRunId', 'manifest'] }])
    world.clock.advance(LEASE_MS)
    expect(await did(world)).toEqual([
      'convert: freed a slot whose dispatcher died',
      'convert: started a job for what was waiting',
    ])
  })

  it('starts a job for what is queued, though nobody is told', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    world.glue.maxConcurrentRuns = 0
    await world.pump()
    world.glue.maxConcurrentRuns = 5
    expect(await did(world)).toEqual(['convert: started a job for what was waiting'])
  })

  it('queues a converted run whose event died on its way to partition, when that is overdue', async () => {
    const world = await converting()
    world.endJobs()
    await world.handle(world.messages.shift() ?? expect.fail('no job ended'))
    // As when the function of partition may not read the ledger: all its messages are dead letters.
    world.messages.length = 0
    expect(world.runs().map(({ state }) => state)).toEqual(['converted'])
    world.clock.advance(15 * 60_000 - 1)
    expect(await did(world)).toEqual([])
    world.clock.advance(1)
    expect(await did(world)).toEqual([
      'partition: queued 1 runs whose events did not come',
      'partition: started a job for what was waiting',
    ])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    world.clock.advance(15 * 60_000)
    expect(await did(world)).toEqual([])
  })

  it('forgets a converted run that is on its way, replaced, or gone from the zone', async () => {
    const world = await converting()
    world.endJobs()
    await world.untilQuiet()
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    // The event overtook the ledger's word of the conversion.
    await world.table.write([{ put: dueItem(run, world.clock.ms) }])
    world.land('data/sales/b.csv', csv('Chad,2'))
    await world.pump()
    world.endJobs()
    await world.handle(world.messages.shift() ?? expect.fail('no job ended'))
    world.messages.length = 0
    await world.objects.remove(PROCESSING, world.objects.keys(PROCESSING, 'data/sales/b-'))
    world.clock.advance(15 * 60_000)
    expect(await did(world)).toEqual([])
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'superseded'])
    expect(await world.table.query(duePk('sales'), 'ITEM#')).toEqual([])
  })

  it('takes up a crawl whose end was not heard', async () => {
    const world = new World()
    await markDirty(world.books, 'sales')
    expect(await did(world)).toEqual(['catalog: started the crawler'])
    world.glue.endCrawl(0)
    expect(await did(world)).toEqual([])
    world.clock.advance(30_000)
    expect(await did(world)).toEqual(['catalog: took up a crawl whose end was not heard'])
    expect(await catalogState(world.books, 'sales')).toMatchObject({ crawled: 1 })
  })

  it('does not alarm for what is only at work just now', async () => {
    const world = new World()
    await markDirty(world.books, 'sales')
    const stages = [{ deps: world.deps, stage: world.convert }]
    await whilePublishing(world.books, 'sales', 'batch', 60_000, async () => {
      expect(await sweep(stages, world.deps, ['sales'], world.reruns)).toEqual({
        swept: [],
        errors: [],
        waits: [{ dataset: 'sales', stage: 'catalog', did: 'The table of sales is still being published into.' }],
      })
    })
  })

  it('is not kept from the catalog by a stage that fails', async () => {
    const world = new World()
    await markDirty(world.books, 'sales')
    const broken = new Error('no rights')
    const deps = {
      ...world.deps,
      ledger: Object.assign(Object.create(world.books), {
        table: {
          get: async () => {
            throw broken
          },
        },
      }),
    }
    const { swept, errors } = await sweep([{ deps, stage: world.convert }], world.deps, ['sales'], world.reruns)
    expect(errors[0]).toBe(broken)
    expect(swept).toEqual([{ dataset: 'sales', stage: 'catalog', did: 'started the crawler' }])
  })
})
