import { expect, it } from 'vitest'
import { TOO_OLD_MS, waitingEntries } from '../../../services/metrics/waiting.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'

it('has no metric while nothing waits, and a job is at work', async () => {
  const world = new World()
  expect(await waitingEntries(world.books, 'sales')).toEqual([])
  world.land('data/sales/a.csv', csv('Chad,1'))
  await world.pump()
  world.clock.advance(60_000)
  expect(world.glue.running).toHaveLength(1)
  expect(await waitingEntries(world.books, 'sales')).toEqual([])
})

it('tells the age of the file that waits longest behind the job', async () => {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  await world.pump()
  for (const name of ['b', 'c']) {
    world.clock.advance(60_000)
    world.land(`data/sales/${name}.csv`, csv('Chad,2'))
    await world.pump()
  }
  world.clock.advance(30_000)
  expect(await waitingEntries(world.books, 'sales')).toEqual([
    { dimensions: { dataset: 'sales', stage: 'convert' }, values: { QueueAge: [90] } },
  ])
})

it('counts each file once that has been open for too long, in a job, in a queue, or between two stages', async () => {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  await world.pump()
  world.endJobs()
  await world.handle(world.messages.shift() ?? expect.fail('no job ended'))
  // The event of what was converted is lost.
  world.messages.length = 0
  world.land('data/sales/b.csv', csv('Chad,1'))
  await world.pump()
  world.clock.advance(TOO_OLD_MS)
  expect((await waitingEntries(world.books, 'sales')).filter(({ values }) => values.OpenRunsTooOld)).toEqual([
    { dimensions: { dataset: 'sales' }, values: { OpenRunsTooOld: [1] } },
  ])
  world.clock.advance(60_000)
  expect((await waitingEntries(world.books, 'sales')).at(-1)).toEqual({
    dimensions: { dataset: 'sales' },
    values: { OpenRunsTooOld: [2] },
  })
})
