import { describe, expect, it } from 'vitest'
import { jobEnded } from '../../../services/jobs/job-ended.ts'
import { settle } from '../../../services/jobs/settle.ts'
import { slotKey } from '../../../services/ledger/queue.ts'
import { csv } from '../memory/engine.ts'
import { contract, World } from '../memory/world.ts'

describe('an end event', () => {
  const event = (world: World, id: string) => jobEnded({ deps: world.deps, stage: world.convert }, id)
  const settled = async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    return world
  }

  it('changes nothing when it comes again', async () => {
    const world = await settled()
    const before = [...world.table.items.values()]
    expect(await event(world, 'jr_1')).toBe('sales')
    expect([...world.table.items.values()]).toEqual(before)
  })

  it('changes nothing when the slot is another batch’s by now', async () => {
    const world = await settled()
    world.land('data/sales/b.csv', csv('Chad,2'))
    await world.pump()
    const before = [...world.table.items.values()]
    await event(world, 'jr_1')
    expect([...world.table.items.values()]).toEqual(before)
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'queued'])
  })

  it('comes back while Glue still says that the job runs', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    await expect(event(world, 'jr_1')).rejects.toMatchObject({
      retryable: true,
      message: 'Glue told of the end of jr_1, but still says that it runs.',
    })
  })

  it('is none of ours when no manifest of ours started the run', async () => {
    const world = new World()
    await world.glue.startJob('convert', 's3://elsewhere/x.json', contract.engine)
    world.glue.end('jr_1')
    expect(await event(world, 'jr_1')).toBeUndefined()
    expect(await event(world, 'jr_unknown')).toBeUndefined()
  })

  it('waits for another settler of the batch, and goes on when that one has died', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    world.endJobs()
    const [, batch = ''] = /\/(sales~[^/]+)\//.exec(world.glue.jobs[0]?.manifest ?? '') ?? []
    const settling = { pk: 'QUEUE#convert#sales', sk: 'SLOT' }
    await world.table.write([{ update: settling, set: { settlingUntil: world.clock.ms + 360_000 } }])
    const again = () => settle(world.deps, world.convert, 'sales', batch, undefined)
    await expect(again()).rejects.toThrow(`Batch ${batch} is being settled.`)
    world.clock.advance(360_001)
    expect(await again()).toBe(true)
    expect(world.runs().map(({ state }) => state)).toEqual(['converted'])
  })
})

describe('a batch for which the function has not enough time', () => {
  it('is settled by as many functions as it takes, without an attempt less or a run that fails', async () => {
    const world = new World()
    // The first holds the slot, so that the others go together.
    world.land('data/sales/0.csv', csv('Chad,0'))
    await world.pump()
    for (let i = 0; i < 100; i++) world.land(`data/sales/f${i}.csv`, csv('Chad,1'))
    await world.pump()
    world.endJobs()
    await world.pump()
    world.endJobs()
    const [event] = world.messages.splice(0).filter(({ to }) => to === 'convert')
    if (event?.kind !== 'job') throw new Error('The batch is not at its end.')
    // Twenty sources are begun in each, far more often than a message is received.
    const within = () => {
      let begun = 0
      const timeLeft = () => (++begun > 20 ? 29_999 : 30_000)
      return jobEnded({ deps: { ...world.deps, timeLeft }, stage: world.convert }, event.id)
    }
    let functions = 1
    for (; functions < 50; functions++) {
      const error = await within().then(
        () => undefined,
        (error: unknown) => error,
      )
      if (error === undefined) break
      expect(error).toMatchObject({ code: 'out_of_time', retryable: true })
      expect((error as Error).message).toMatch(/^\d+ of the 100 sources of batch .* are left to the next function/)
      expect(await world.table.get(slotKey({ stage: 'convert', dataset: 'sales' }))).toMatchObject({
        settleAttempts: 0,
      })
    }
    expect(functions).toBeLessThan(10)
    expect(functions).toBeGreaterThan(2)
    await world.untilQuiet()
    expect(world.runs().map(({ state }) => state)).toEqual(Array(101).fill('delivered'))
    expect(world.rows()).toHaveLength(101)
  })
})
