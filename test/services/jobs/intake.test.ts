import { describe, expect, it } from 'vitest'
import { refusing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { RAW, World } from '../memory/world.ts'

/** A world in which no one may look at the raw zone, until `allow` is called. */
function denied() {
  let deny = true
  const world = new World(
    refusing(({ name, args }) =>
      deny && name === 'head' && args[0] === RAW ? new Error('reading it is denied') : undefined,
    ),
  )
  return {
    world,
    allow: () => {
      deny = false
    },
  }
}
const states = (world: World) => world.runs().map(({ state }) => state)

describe('an object that no one can look at', () => {
  it.each(['data/sales/a.csv', 'landing/sales/a.zip'])(
    '%s has failed in the books when its message is a dead letter',
    async (key) => {
      const { world } = denied()
      world.land(key, csv('Chad,1'))
      await world.pump()
      expect(states(world)).toEqual(['failed'])
      expect(world.runs()[0]?.problem).toEqual({
        code: 'not_taken_in',
        message: `${key} landed, but could not be looked at in 5 attempts (Error: reading it is denied). Its message is in the dead-letter queue: mend the cause and redrive it, or land the file again.`,
      })
      expect(world.deadLetters).toHaveLength(1)
      expect(world.idle()).toBe(true)
    },
  )

  it('is taken up by its redriven message, under the run that failed', async () => {
    const { world, allow } = denied()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    const [{ runId } = { runId: '' }] = world.runs()
    allow()
    world.redrive()
    await world.untilQuiet()
    expect(world.runs()).toMatchObject([{ runId, state: 'delivered' }])
    expect(world.runs()[0]).not.toHaveProperty('problem')
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('is superseded by its redriven message, where a newer version has landed', async () => {
    const { world, allow } = denied()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    allow()
    world.land('data/sales/a.csv', csv('Chad,2'))
    world.redrive()
    await world.untilQuiet()
    expect(states(world)).toEqual(['superseded', 'delivered'])
    // Or the sweep would take the newer one, if its event were lost, for known by its bytes.
    expect(new Set(world.runs().map(({ etag }) => etag)).size, 'each has the ETag of its own version').toBe(2)
    expect(world.rows()).toEqual(['Chad,2'])
  })

  it('is refused by its name all the same, where that is enough', async () => {
    const { world } = denied()
    world.land('data/sales/a.txt', 'x')
    await world.pump()
    expect(world.runs()).toMatchObject([{ state: 'refused', problem: { code: 'not_a_csv' } }])
  })
})
