import { describe, expect, it } from 'vitest'
import { csv } from '../memory/engine.ts'
import { FAULTS, type Fault, type FaultKind, fault } from '../memory/faults.ts'
import { DELIVERY, PROCESSING, RAW, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

type Story = { before: (world: World) => Promise<void>; lands: (world: World) => Promise<void> }

const stories: Record<string, Story> = {
  'a first CSV': {
    before: async () => {},
    lands: async (world) => void world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2', 'Peru,3', 'Peru,4', 'BAD,5')),
  },
  'a newer version that leaves a partition': {
    before: async (world) => void world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2')),
    lands: async (world) => void world.land('data/sales/a.csv', csv('Peru,3', 'Togo,4')),
  },
  'a zip that lacks a member of its predecessor': {
    before: async (world) =>
      void world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,2') })),
    lands: async (world) => void world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,3') })),
  },
  'a zip that is replayed': {
    before: async (world) =>
      void world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,2') })),
    lands: async (world) => void world.replay('unzip'),
  },
  'typed rows that are replayed': {
    before: async (world) => void world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2')),
    lands: async (world) => void world.replay('partition'),
  },
  'a CSV in the landing folder': {
    before: async () => {},
    lands: async (world) => void world.land('landing/sales/a.csv', csv('Chad,1')),
  },
}

async function play(story: Story, { wrap, revive, calls }: Fault) {
  let on = false
  const world = new World((port) => (on ? port : wrap(port)), revive)
  on = true
  const start = async () => {
    await story.before(world)
    await world.untilQuiet()
  }
  await start()
  const from = calls()
  await story.lands(world)
  await world.untilQuiet()
  return { world, from, to: calls() }
}

/** All that people and queries can see in the end. Versions differ: what was written twice has two. */
const seen = (world: World) => ({
  rows: world.rows(),
  raw: world.objects.keys(RAW),
  processing: world.objects.keys(PROCESSING).map((key) => key.replace(/\/[0-9a-f]{20}-/, '/run-')),
  delivery: world.objects.keys(DELIVERY),
  partitions: [...world.glue.catalog.keys()].sort(),
  zips: world.runs().flatMap(({ kind, key, state }) => (kind === 'zip' ? `${key} ${state}` : [])),
})

describe.each(Object.entries(stories))('a crash while there is %s', (_, story) => {
  it.each(FAULTS)(
    'ends in the same state whichever call it strikes: %s',
    async (kind: FaultKind) => {
      const { world: sound, from, to } = await play(story, fault())
      const wrong: unknown[] = []
      for (let nth = from + 1; nth <= to; nth++) {
        try {
          const { world } = await play(story, fault(nth, kind))
          expect(seen(world)).toEqual(seen(sound))
        } catch (error) {
          wrong.push({ nth, error: (error as Error).message.slice(0, 700) })
        }
      }
      expect(wrong).toEqual([])
    },
    120_000,
  )
})
