import { expect, it } from 'vitest'
import { AT_ONCE } from '../../../services/jobs/dispatch.ts'
import { MAX_RECEIVES } from '../../../services/lambda/receives.ts'
import { hearing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { Crash, PROCESSING, World } from '../memory/world.ts'

const FILES = 150

/**
 * Ends the function, as Lambda does when its time is up, each time that it has copied so many objects.
 * @param times how often
 * @param then what becomes of the first copy after that
 */
function ending(most: number, times = 1, then: () => void = () => {}) {
  const copied: string[] = []
  let left = most
  let ends = 0
  const wrap = hearing(async ({ name, args, make }) => {
    if (left <= 0) throw new Crash('its time is up')
    const { bucket, key } = (args[1] ?? {}) as { bucket?: string; key?: string }
    if (name === 'copy' && bucket === PROCESSING && key) {
      if (ends === times) {
        ends++
        then()
      }
      copied.push(key)
      left--
    }
    return await make()
  })
  const revive = async () => {
    if (left > 0) return
    // What ran beside it must have found out: of one that died nothing runs on.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    left = ++ends < times ? most : Number.POSITIVE_INFINITY
  }
  return { wrap, revive, copied }
}

async function batch({ wrap, revive }: ReturnType<typeof ending>) {
  const world = new World(wrap, revive)
  world.land('data/sales/first.csv', csv('Chad,0'))
  await world.pump()
  for (let i = 0; i < FILES; i++) world.land(`data/sales/${i}.csv`, csv(`Chad,${i + 1}`))
  await world.untilQuiet(400)
  return world
}

it.each([7, 20])('settling a batch that is ended after %d objects goes on where it was ended', async (most) => {
  const ends = ending(most)
  const { copied } = ends
  const world = await batch(ends)
  expect(world.runs().map(({ state }) => state)).toEqual(Array(FILES + 1).fill('delivered'))
  expect(world.rows()).toHaveLength(FILES + 1)
  // Only what was in flight is copied again.
  expect(copied.length).toBeGreaterThan(FILES + 1)
  expect(copied.length).toBeLessThanOrEqual(FILES + 1 + AT_ONCE)
})

const throttled = () => {
  throw Object.assign(new Error('Please reduce your request rate.'), { name: 'SlowDown' })
}

it('a batch whose settling is killed again and again has all its attempts left, as long as each has settled something', async () => {
  const kills = 2 * MAX_RECEIVES
  // More than are under way at a time, so that some of them are through.
  const world = await batch(ending(AT_ONCE + 4, kills, throttled))
  expect(world.runs().map(({ state }) => state)).toEqual(Array(FILES + 1).fill('delivered'))
})

it('a batch whose settling is killed before anything is settled has no more attempts than a message', async () => {
  const world = await batch(ending(1, MAX_RECEIVES, throttled))
  const ends = world.runs().map(({ state, problem }) => problem?.code ?? state)
  expect(ends.filter((end) => end !== 'delivered')).toEqual(['convert_not_published'])
})
