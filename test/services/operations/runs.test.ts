import { describe, expect, it } from 'vitest'
import { listRuns, parseInstant, type RunFilter } from '../../../services/operations/runs.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const HOUR = 3_600_000

/** One file an hour: delivered, refused, delivered with a reject; then one at work. */
async function day() {
  const world = new World()
  world.land('data/sales/good.csv', csv('Chad,1'))
  await world.untilQuiet()
  world.clock.advance(HOUR)
  world.land('data/sales/wrong.csv', 'NOPE\nx')
  await world.untilQuiet()
  world.clock.advance(HOUR)
  world.land(
    'landing/sales/some.zip',
    await zipOf({ 'part.csv': csv('Chad,1', 'Chad,2', 'Chad,3', 'Chad,4', 'BAD,1') }),
  )
  const zip = world.messages.shift()
  if (zip) await world.handle(zip)
  world.clock.advance(1_000)
  await world.untilQuiet()
  world.clock.advance(HOUR)
  world.land('data/sales/late.csv', csv('Chad,4'))
  await world.pump()
  return world
}
const names = async (world: World, filter: RunFilter) => {
  const { runs } = await listRuns(landfallOf(world), filter, { limit: 50 })
  return runs.map(({ key }) => key.slice(key.lastIndexOf('/') + 1))
}

describe('runs', () => {
  it('are listed newest first', async () => {
    expect(await names(await day(), {})).toEqual(['late.csv', 'part.csv', 'some.zip', 'wrong.csv', 'good.csv'])
  })

  it.each<[string, RunFilter, string[]]>([
    ['a state', { states: ['refused'] }, ['wrong.csv']],
    ['several states', { states: ['refused', 'extracted'] }, ['some.zip', 'wrong.csv']],
    ['open', { states: ['open'] }, ['late.csv']],
    ['ended', { states: ['ended'] }, ['part.csv', 'some.zip', 'wrong.csv', 'good.csv']],
    ['part of a key', { source: 'wron' }, ['wrong.csv']],
    ['part of a source id', { source: 'good-' }, ['good.csv']],
    ['a dataset that has none', { dataset: 'other' }, []],
    ['a state and a source', { states: ['ended'], source: 'late' }, []],
  ])('can be narrowed by %s', async (_, filter, expected) => {
    expect(await names(await day(), filter)).toEqual(expected)
  })

  it('can be narrowed by the time of their registration, the start with it and the end without', async () => {
    const world = await day()
    const wrong = world.runs().find(({ key }) => key.endsWith('wrong.csv'))
    const some = world.runs().find(({ key }) => key.endsWith('some.zip'))
    const since = new Date(wrong?.registeredAt ?? '')
    expect(await names(world, { since, until: new Date(some?.registeredAt ?? '') })).toEqual(['wrong.csv'])
    expect(await names(world, { since: new Date('2027-01-01') })).toEqual([])
  })

  it('come in pages that together are all of them, none twice', async () => {
    const world = await day()
    const found: string[] = []
    let next: string | undefined
    do {
      const page = await listRuns(landfallOf(world), {}, { limit: 2, next })
      found.push(...page.runs.map(({ runId }) => runId))
      next = page.next
    } while (next)
    expect(found.sort()).toEqual(
      world
        .runs()
        .map(({ runId }) => runId)
        .sort(),
    )
  })

  it('are looked for within bounds: a page that found none says where to go on', async () => {
    const world = await day()
    const landfall = landfallOf(world)
    const page = await listRuns(landfall, { source: 'good' }, { limit: 5, most: 3 })
    expect(page).toMatchObject({ runs: [], lookedAt: 3 })
    expect(landfall.listing.taken).toBe(4)
    const rest = await listRuns(landfall, { source: 'good' }, { limit: 5, most: 3, next: page.next })
    expect(rest.runs.map(({ key }) => key)).toEqual(['data/sales/good.csv'])
    expect(rest.next).toBeUndefined()
  })

  it('are those of a replay where one is named, newest first and in pages, whatever the index says', async () => {
    const world = await day()
    await world.untilQuiet()
    world.clock.advance(HOUR)
    const name = world.replay('convert')
    await world.untilQuiet()
    const landfall = landfallOf(world)
    expect(await names(world, { cause: name })).toHaveLength(4)
    const first = await listRuns(landfall, { cause: name, states: ['delivered'] }, { limit: 2 })
    const rest = await listRuns(landfall, { cause: name, states: ['delivered'] }, { limit: 2, next: first.next })
    const found = [...first.runs, ...rest.runs].map(({ cause, key }) => `${cause} ${key.split('/').pop()}`)
    expect(found.sort()).toEqual(['good.csv', 'late.csv', 'part.csv'].map((file) => `${name} ${file}`))
    expect(landfall.listing.taken).toBe(0)
    expect(await names(world, { cause: 'convert-none' })).toEqual([])
  })

  it("have none of the table's own attributes", async () => {
    const { runs } = await listRuns(landfallOf(await day()), {}, { limit: 1 })
    expect(runs[0]).toMatchObject({ key: 'data/sales/late.csv', state: 'queued' })
    for (const attribute of ['pk', 'sk', 'listing', 'listedAt']) expect(runs[0]).not.toHaveProperty(attribute)
  })
})

describe('an instant', () => {
  const now = new Date('2026-03-10T12:00:00.000Z')
  it.each([
    ['90s', '2026-03-10T11:58:30.000Z'],
    ['2h', '2026-03-10T10:00:00.000Z'],
    ['3d', '2026-03-07T12:00:00.000Z'],
    ['1w', '2026-03-03T12:00:00.000Z'],
    ['2026-03-01', '2026-03-01T00:00:00.000Z'],
    ['2026-03-01T08:30', '2026-03-01T08:30:00.000Z'],
    ['2026-03-01 08:30:15', '2026-03-01T08:30:15.000Z'],
    ['2026-03-01T08:30:00+02:00', '2026-03-01T06:30:00.000Z'],
    ['2026-03-01T08:30:00.123Z', '2026-03-01T08:30:00.123Z'],
  ])('%s is %s', (text, iso) => {
    expect(parseInstant(text, now)?.toISOString()).toBe(iso)
  })

  it.each(['', '2', 'yesterday', '2h ago', '2026-13-01', '01.03.2026', '-2h'])('"%s" is none', (text) => {
    expect(parseInstant(text, now)).toBeUndefined()
  })
})
