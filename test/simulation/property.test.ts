import { describe, expect, it } from 'vitest'
import { hasEnded } from '../../services/ledger/run.ts'
import { seeded } from '../generator/random.ts'
import { World } from '../services/memory/world.ts'
import { asStory, Model, notTold, pauses, type Random, steps, withErasing } from './model.ts'

/** Sequences in a run of the tests; `SEQUENCES=100000 SEED=1 npx vitest run test/simulation` for many more. */
const SEQUENCES = Number(process.env.SEQUENCES ?? 1000)
const FIRST = Number(process.env.SEED ?? 1)
const LEAST = 4
const MOST = 12

const versionOf = (row: string) => row.split('@')[1] ?? 'v1'

/** A new version of the contract is seen when all is typed under it: a version that it refuses, would lose the last good one's rows. */
async function typeAgain(world: World, model: Model, random: Random, said: string[]) {
  for (const key of model.refused) {
    const { text, rows } = model.content(random)
    world.land(key, text)
    model.landed(key, rows)
  }
  await world.untilQuiet()
  await world.rerun('last')
  said.push('rerun: last')
  await world.untilQuiet()
}

async function play(seed: number, things = steps): Promise<string[]> {
  const random = seeded(seed)
  const world = new World()
  const model = new Model()
  const said: string[] = []
  const names = ['land', 'land', 'land a zip', ...Object.keys(things)]
  try {
    for (let left = LEAST + random(MOST - LEAST); left > 0; left--) {
      const name = names[random(names.length)] ?? 'land'
      said.push(`${name}: ${await things[name]?.(random)(world, model)}`)
      const pause = Object.keys(pauses)[random(Object.keys(pauses).length)] ?? 'nothing'
      said.push(`   then ${pause}`)
      await pauses[pause]?.(world)
      expect(new Set(world.rows().map(versionOf)).size, 'versions that a reader sees').toBeLessThan(2)
    }
    await world.untilQuiet()
    if (model.version > 1) await typeAgain(world, model, random, said)
    expect(world.rows(), 'the table').toEqual(model.rows())
    expect(world.runs().filter(({ state }) => !hasEnded(state))).toEqual([])
    expect(world.deadLetters).toEqual([])
    expect(notTold(world), 'what reruns wait for, or were not told').toEqual([])
    const failed = world.runs().filter(({ state }) => state === 'failed')
    expect(failed.map(({ key, problem }) => `${key}: ${problem?.message}`)).toEqual([])
  } catch (error) {
    throw asStory(seed, said, world, model, error)
  }
  return said
}

describe('whatever people do, in whatever order', () => {
  it(`the table is the union of the latest good versions of what is not withdrawn (${SEQUENCES} sequences)`, async () => {
    for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) await play(seed)
  }, 600_000)

  it(`and erasing takes out nothing of what is not withdrawn (${SEQUENCES / 2} sequences)`, async () => {
    for (let seed = FIRST; seed < FIRST + SEQUENCES / 2; seed++) await play(seed, withErasing)
  }, 600_000)
})
