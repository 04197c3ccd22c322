import { describe, expect, it } from 'vitest'
import { deletedByOthers } from '../../../services/catalog/deleted.ts'
import { csv } from '../memory/engine.ts'
import { DELIVERY, World } from '../memory/world.ts'

const KEY = 'data/sales/a.csv'

/** A world in which each delivery event is asked about, as the handler does, and what was said. */
function asking() {
  const world = new World()
  const said: string[] = []
  const handle = world.handle.bind(world)
  world.handle = async (message) => {
    if (message.kind === 'object' && message.to === 'catalog') {
      const missing = await deletedByOthers(world.deps, message.event)
      if (missing) said.push(missing.did)
    }
    await handle(message)
  }
  return { world, said }
}

async function delivered() {
  const { world, said } = asking()
  world.land(KEY, csv('Chad,1', 'Peru,2'))
  await world.untilQuiet()
  return { world, said }
}

const inPeru = (world: World) => world.objects.keys(DELIVERY, 'data/sales/COUNTRY=Peru/')

describe('an object of the table that is deleted', () => {
  it('by someone else is told of, with what brings its rows back, which works', async () => {
    const { world, said } = await delivered()
    const [key = ''] = inPeru(world)
    await world.objects.remove(DELIVERY, [key])
    await world.untilQuiet()
    expect(said).toEqual([
      `someone else deleted ${key} out of the delivery zone: rows of the table are missing until \`landfall rerun sales --prefix ${KEY}\` brings them back`,
    ])
    expect(world.rows()).toEqual(['Chad,1'])
    await world.rerun('r', {}, KEY)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
  })

  it('by a newer version, a withdrawal or a person who puts it back is no news', async () => {
    const { world, said } = await delivered()
    const [key = ''] = inPeru(world)
    const text = world.objects.texts(DELIVERY, key).get(key) ?? ''
    await world.objects.remove(DELIVERY, [key])
    world.objects.put(DELIVERY, key, text)
    await world.untilQuiet()
    world.land(KEY, csv('Chad,1'))
    await world.untilQuiet()
    expect(inPeru(world)).toEqual([])
    await world.withdraw(KEY)
    await world.untilQuiet()
    expect(world.rows()).toEqual([])
    expect(said).toEqual([])
  })
})
