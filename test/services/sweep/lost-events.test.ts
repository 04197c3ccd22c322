import { describe, expect, it } from 'vitest'
import { COMPARE_EVERY_MS } from '../../../services/sweep/sweep.ts'
import { seeded } from '../../generator/random.ts'
import { csv } from '../memory/engine.ts'
import { DELIVERY, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

/** Seeds in a run of the tests; `SCHEDULES=10000 SEED=1 npx vitest run test/services/sweep/lost-events.test.ts` for many more. */
const SCHEDULES = Number(process.env.SCHEDULES ?? 60)
const FIRST = Number(process.env.SEED ?? 1)

/** Of every event, of whatever kind and to whichever stage, one in three never comes. */
async function play(seed: number): Promise<void> {
  const random = seeded(seed)
  const world = new World()
  const lose = () => {
    const kept = world.messages.filter(() => random(3) > 0)
    world.messages.splice(0, world.messages.length, ...kept)
  }
  const expected = new Map<string, string[]>()
  const land = async () => {
    const n = random(1_000_000)
    if (random(2) === 0) {
      const key = `data/sales/${random(3)}.csv`
      world.land(key, csv(`Chad,${n}`, `Peru,${n}`))
      expected.set(key, [`Chad,${n}`, `Peru,${n}`])
    } else {
      const key = `landing/sales/${random(2)}.zip`
      const names = ['a', 'b', 'c'].filter((_, i) => i === 0 || random(2) === 0)
      world.land(key, await zipOf(Object.fromEntries(names.map((name, i) => [`${name}.csv`, csv(`Mali,${n + i}`)]))))
      expected.set(
        key,
        names.map((_, i) => `Mali,${n + i}`),
      )
    }
  }
  for (let step = 0; step < 40; step++) {
    if (random(3) === 0) await land()
    lose()
    for (let i = random(4); i > 0; i--) {
      const message = world.messages.shift()
      if (message) await world.handle(message)
      lose()
    }
    if (random(2) === 0) world.endJobs()
    if (random(3) === 0 && world.glue.crawler === 'RUNNING') world.endCrawl()
    lose()
    world.clock.advance(60_000 * (1 + random(5)))
    if (random(2) === 0) await world.sweep()
  }
  // From here on the events come; what was lost is found within the time for which it might have been on its way.
  for (let i = 0; i < 8; i++) {
    await world.untilQuiet()
    for (let minute = 0; minute < 10; minute++) {
      world.clock.advance(60_000)
      await world.sweep()
    }
  }
  await world.untilQuiet()
  expect(world.rows()).toEqual([...expected.values()].flat().sort())
  expect(world.runs().filter(({ state }) => state === 'failed')).toEqual([])
}

describe('lost events of every kind, in the middle of everything', () => {
  it(
    `end in the table of the latest versions, whichever they are (${SCHEDULES} schedules)`,
    async () => {
      for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++)
        try {
          await play(seed)
        } catch (error) {
          throw new Error(`SEED=${seed} SCHEDULES=1: ${(error as Error).message}`, { cause: error })
        }
    },
    60_000 + SCHEDULES * 200,
  )
})

describe('the catalog', () => {
  async function delivered() {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2'))
    await world.untilQuiet()
    await world.sweep()
    return world
  }
  const next = async (world: World) => (await world.sweep()).map(({ did }) => did)

  it('has a partition again within the hour that a person took out of it', async () => {
    const world = await delivered()
    await world.glue.dropPartitions(world.contract.table, ['Peru'])
    expect(world.rows()).toEqual(['Chad,1'])
    world.clock.advance(COMPARE_EVERY_MS - 1)
    expect(await next(world)).toEqual([])
    world.clock.advance(1)
    expect(await next(world)).toEqual([
      'compared the catalog with the zone: added 1 partitions and took out 0, of which nobody had told (Peru)',
    ])
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
  })

  it('loses a partition within the hour whose objects were deleted and the events of it lost', async () => {
    const world = await delivered()
    await world.objects.remove(DELIVERY, world.objects.keys(DELIVERY, 'data/sales/COUNTRY=Peru/'))
    world.messages.length = 0
    world.clock.advance(COMPARE_EVERY_MS)
    expect(await next(world)).toEqual([
      'compared the catalog with the zone: added 0 partitions and took out 1, of which nobody had told (Peru)',
    ])
  })

  it('of which the delivery events of a run were lost is compared at the next sweep, and the run is delivered', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    for (let stage = 0; stage < 2; stage++) {
      await world.pump()
      world.endJobs()
    }
    await world.handle(world.messages.shift() ?? expect.fail('no job ended'))
    expect(world.messages.every(({ to }) => to === 'catalog')).toBe(true)
    world.messages.length = 0
    expect(world.runs()).toMatchObject([{ state: 'published' }])
    expect(await next(world)).toContain('settled waiting runs')
    expect(world.runs()).toMatchObject([{ state: 'delivered' }])
    expect(world.rows()).toEqual(['Chad,1'])
  })
})
