import { expect, it } from 'vitest'
import { AT_ONCE } from '../../../services/jobs/dispatch.ts'
import { hearing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { Crash, PROCESSING, World } from '../memory/world.ts'

const FILES = 60

/** Ends the function once, as Lambda does when its time is up, when it has copied so many objects. */
function ending(most: number) {
  const copied: string[] = []
  let left = most
  const wrap = hearing(async ({ name, args, make }) => {
    if (left <= 0) throw new Crash('its time is up')
    const { bucket, key } = (args[1] ?? {}) as { bucket?: string; key?: string }
    if (name === 'copy' && bucket === PROCESSING && key) {
      copied.push(key)
      left--
    }
    return await make()
  })
  const revive = async () => {
    if (left > 0) return
    // What ran beside it must have found out: of one that died nothing runs on.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    left = Number.POSITIVE_INFINITY
  }
  return { wrap, revive, copied }
}

it.each([7, 20])('settling a batch that is ended after %d objects goes on where it was ended', async (most) => {
  const { wrap, revive, copied } = ending(most)
  const world = new World(wrap, revive)
  world.land('data/sales/first.csv', csv('Chad,0'))
  await world.pump()
  for (let i = 0; i < FILES; i++) world.land(`data/sales/${i}.csv`, csv(`Chad,${i + 1}`))
  await world.untilQuiet(400)
  expect(world.runs().map(({ state }) => state)).toEqual(Array(FILES + 1).fill('delivered'))
  expect(world.rows()).toHaveLength(FILES + 1)
  // Only what was in flight is copied again.
  expect(copied.length).toBeGreaterThan(FILES + 1)
  expect(copied.length).toBeLessThanOrEqual(FILES + 1 + AT_ONCE)
})
