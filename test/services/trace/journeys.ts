import { LIVE } from '../../../services/ledger/causes.ts'
import { sourceIdOf } from '../../../services/ledger/ids.ts'
import type { Run } from '../../../services/ledger/run.ts'
import { seeded } from '../../generator/random.ts'
import { Model, pauses, type Random, steps } from '../../simulation/model.ts'
import { hearing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import type { MemoryGlue } from '../memory/glue.ts'
import { World } from '../memory/world.ts'

export type Journey = { run: Run; zip?: Run }

/**
 * A world whose clock goes on with each call that a stage makes, and whose Glue has a clock of its own.
 * @param skew by how many milliseconds it may be before or behind ours
 */
export function ticking(random: Random, skew = 0): World {
  const off = (instant?: string) => instant && new Date(Date.parse(instant) + random(2 * skew + 1) - skew).toISOString()
  const world: World = new World(
    hearing(async ({ name, make }) => {
      world.clock.advance(1 + random(20))
      const answer = await make()
      if (name !== 'job' || !answer) return answer
      const status = answer as Awaited<ReturnType<MemoryGlue['job']>>
      return { ...status, startedAt: off(status?.startedAt), endedAt: off(status?.endedAt) }
    }),
  )
  return world
}

/** Runs with the zips that they came in, as the ledger has them. */
export function journeysOf(world: World): Journey[] {
  const runs = world.runs()
  return runs.map((run) => {
    const zip =
      run.zip && runs.find(({ runId, sourceId }) => runId === run.zip?.runId && sourceId === sourceIdOf(run.zip.key))
    return { run, ...(zip && { zip }) }
  })
}

const things: typeof steps = {
  ...steps,
  'land what kills its job': () => async (world) => {
    world.land('data/sales/poison.csv', csv('POISON,1'))
    return 'poison.csv'
  },
}

/** What becomes of files in a world where people do things in any order. */
export async function journeys(seed: number, skew = 0): Promise<Journey[]> {
  const random = seeded(seed)
  const world = ticking(random, skew)
  const model = new Model()
  const names = ['land', 'land a zip', ...Object.keys(things)]
  for (let left = 4 + random(6); left > 0; left--) {
    await things[names[random(names.length)] ?? 'land']?.(random)(world, model)
    await pauses[Object.keys(pauses)[random(Object.keys(pauses).length)] ?? 'nothing']?.(world)
    world.clock.advance(random(5_000))
  }
  await world.untilQuiet()
  return journeysOf(world)
}

export const isReplay = ({ run }: Journey): boolean => run.cause !== LIVE
