import { describe, expect, it } from 'vitest'
import { endedRows, type RerunFilter, type RowState, rerunState } from '../../../services/ledger/reruns.ts'
import { csv } from '../memory/engine.ts'
import { FAULTS, type Fault, type FaultKind, fault } from '../memory/faults.ts'
import { DELIVERY, PROCESSING, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

type Story = {
  before: (world: World) => Promise<void>
  filter?: RerunFilter
  prefix?: string
  meanwhile?: (world: World) => Promise<void>
}

const files = async (world: World) => {
  world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2', 'BAD,3'))
  world.land('data/sales/b.csv', 'WRONG\n1')
  world.land('data/sales/c.csv', csv('Togo,POISON'))
}

const stories: Record<string, Story> = {
  'all sources': { before: files },
  'those that failed or were refused': {
    before: async (world) => {
      await files(world)
      await world.untilQuiet()
      world.job.poison = undefined
    },
    filter: { only: ['failed', 'refused'] },
  },
  'sources of which one is landed again and one withdrawn': {
    before: files,
    meanwhile: async (world) => {
      world.land('data/sales/b.csv', csv('Mali,1'))
      await world.withdraw('data/sales/a.csv')
    },
  },
  'a zip that was refused, and one that nobody heard of': {
    before: async (world) => {
      world.land('landing/sales/y.zip', 'no zip')
      world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
      world.messages.pop()
      world.clock.advance(15 * 60_000)
    },
    prefix: 'landing/sales/',
  },
}

async function play({ before, filter, prefix, meanwhile }: Story, { wrap, revive, calls }: Fault) {
  // What people do is not what crashes.
  let people = false
  const around: typeof wrap = (port) => {
    const wrapped = wrap(port)
    const method = (name: string | symbol) => {
      const own: unknown = Reflect.get(port, name)
      return typeof own === 'function' ? own.bind(port) : own
    }
    return new Proxy(port, { get: (_, name) => (people ? method(name) : Reflect.get(wrapped, name)) })
  }
  const world = new World(around, revive)
  await before(world)
  await world.untilQuiet()
  const from = calls()
  await world.rerun('r', filter, prefix)
  people = true
  await meanwhile?.(world)
  people = false
  await world.untilQuiet()
  return { world, from, to: calls() }
}

/** Of two runs of one version, the one registered last is delivered: a crash may change which that is. */
const isCurrent = (state: RowState) => state === 'delivered' || state === 'superseded'

/** All that people and queries can see in the end, and what they are told of the rerun. */
async function seen(world: World) {
  const state = await rerunState(world.books, 'rerun-r')
  return {
    rows: world.rows(),
    processing: world.objects.keys(PROCESSING).map((key) => key.replace(/\/[0-9a-f]{20}-/, '/run-')),
    delivery: world.objects.keys(DELIVERY),
    listed: Object.values(state?.totals ?? {}).reduce((a, b) => a + b, 0),
    failures: state?.failures,
    told: (await endedRows(world.books, 'rerun-r')).map(({ key, state }) => [
      key,
      isCurrent(state) ? 'current' : state,
    ]),
    runs: world.runs().filter(({ cause }) => cause === 'rerun-r').length,
  }
}

describe.each(Object.entries(stories))('a crash while there runs again: %s', (_, story) => {
  it.each(FAULTS)(
    'ends in the same table and the same words, whichever call it strikes: %s',
    async (kind: FaultKind) => {
      const { world: sound, from, to } = await play(story, fault())
      const expected = await seen(sound)
      expect(expected.listed).toBeGreaterThan(1)
      const wrong: unknown[] = []
      for (let nth = from + 1; nth <= to; nth++) {
        try {
          const { world } = await play(story, fault(nth, kind))
          expect(await seen(world)).toEqual(expected)
        } catch (error) {
          wrong.push({ nth, error: (error as Error).message.slice(0, 700) })
        }
      }
      expect(wrong).toEqual([])
    },
    120_000,
  )
})
