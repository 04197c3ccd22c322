import { describe, expect, it } from 'vitest'
import { catalogState } from '../../../../services/ledger/catalog-state.ts'
import { memberFolderOf, sourceIdOf } from '../../../../services/ledger/ids.ts'
import { headKey } from '../../../../services/ledger/run.ts'
import { show } from '../../../../services/operations/show.ts'
import { takeOut } from '../../../../services/operations/withdraw/take-out.ts'
import { csv } from '../../memory/engine.ts'
import { DELIVERY, PROCESSING, RAW } from '../../memory/world.ts'
import { zipOf } from '../../unzip/zips.ts'
import { placeOf } from './place.ts'

const A = 'data/sales/a.csv'
const Z = 'landing/sales/z.zip'
const member = (name: string) => `${memberFolderOf('sales', Z)}${name}`
const sourceOf = (key: string) => ({ dataset: 'sales', sourceId: sourceIdOf(key) })

/** A CSV, and a zip of two. */
async function landed() {
  const place = placeOf()
  place.world.land(A, csv('Chad,1', 'Peru,2'))
  place.world.land(Z, await zipOf({ 'm.csv': csv('Chad,3'), 'n.csv': csv('Togo,4') }))
  await place.world.untilQuiet()
  expect(place.world.rows()).toEqual(['Chad,1', 'Chad,3', 'Peru,2', 'Togo,4'])
  return place
}

describe('what a person means to withdraw', () => {
  it('is a CSV, with its rows and objects, by its key, URI, id, or the start of the id of one of its runs', async () => {
    const { find, world } = await landed()
    const run = world.runs().find(({ key }) => key === A)
    const source = { key: A, kind: 'csv', rows: 2, objects: { processing: 1, delivery: 2 }, open: 0 }
    for (const text of [A, `s3://${RAW}/${A}`, sourceIdOf(A), run?.runId.slice(0, 8) ?? ''])
      expect(await find(text), text).toMatchObject({ dataset: 'sales', sources: [source] })
  })

  it('is a zip with all its members, wherever the zip is kept', async () => {
    const { find } = await landed()
    for (const text of [Z, 'old-data/sales/z.zip'])
      expect(await find(text)).toMatchObject({
        sources: [
          { key: Z, kind: 'zip', rows: 0 },
          { key: member('m.csv'), rows: 1, zipKey: Z },
          { key: member('n.csv'), rows: 1, zipKey: Z },
        ],
      })
  })

  it('is of a zip also what only an older version of it had, whose rows are still in old versions', async () => {
    const { find, world } = await landed()
    world.land(Z, await zipOf({ 'n.csv': csv('Togo,4') }))
    await world.untilQuiet()
    expect((await find(Z)).sources.map(({ key, rows }) => [key, rows])).toEqual([
      [Z, 0],
      [member('m.csv'), 0],
      [member('n.csv'), 1],
    ])
  })

  it('is of one member only that', async () => {
    const { find } = await landed()
    expect((await find(member('m.csv'))).sources.map(({ key }) => key)).toEqual([member('m.csv')])
  })
})

describe('withdrawn', () => {
  it('is out of the table when the wait ends, and of the catalog where a partition has nothing else', async () => {
    const { withdraw, world } = await landed()
    expect((await withdraw(A)).taken).toMatchObject([{ key: A, outcome: 'withdrawn', rows: 2 }])
    expect(world.rows()).toEqual(['Chad,3', 'Togo,4'])
    expect([...world.glue.catalog.keys()].sort()).toEqual(['Chad', 'Togo'])
    for (const bucket of [DELIVERY, PROCESSING])
      expect(world.objects.keys(bucket).filter((key) => key.includes(sourceIdOf(A)))).toEqual([])
    expect(world.objects.keys(RAW)).not.toContain(A)
  })

  it('takes a zip out with all its members, and no replay or rerun brings one back', async () => {
    const { withdraw, world } = await landed()
    const { taken } = await withdraw(Z)
    expect(taken.map(({ outcome }) => outcome)).toEqual(['withdrawn', 'withdrawn', 'withdrawn'])
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
    const replays = (['unzip', 'convert', 'partition', 'catalog'] as const).map((stage) => world.replay(stage))
    await world.untilQuiet()
    await world.rerun('all')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
    const ended = world.runs().filter(({ key, cause }) => key !== A && replays.includes(cause))
    expect(ended.length).toBeGreaterThan(0)
    expect(new Set(ended.map(({ state, problem }) => `${state} ${problem?.code}`))).toEqual(
      new Set(['superseded withdrawn']),
    )
  })

  it('stays out alone of a zip that is replayed, and comes back with a zip that lands again', async () => {
    const { withdraw, world } = await landed()
    await withdraw(member('m.csv'))
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2', 'Togo,4'])
    world.replay('unzip')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2', 'Togo,4'])
    world.land(Z, await zipOf({ 'm.csv': csv('Chad,3'), 'n.csv': csv('Togo,4') }))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Chad,3', 'Peru,2', 'Togo,4'])
  })

  it('comes back when its key lands again', async () => {
    const { withdraw, world, landfall } = await landed()
    await withdraw(A)
    expect((await show(landfall, A)).withdrawnAt).toMatch(/^2026-01-01T/)
    world.land(A, csv('Mali,9'))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,3', 'Mali,9', 'Togo,4'])
    expect(await show(landfall, A)).not.toHaveProperty('withdrawnAt')
  })

  it('twice is withdrawn once: the first instant stays', async () => {
    const { withdraw, world, find } = await landed()
    await withdraw(A)
    const [before] = (await find(A)).sources
    world.clock.advance(60_000)
    expect((await withdraw(A)).taken).toMatchObject([{ outcome: 'withdrawn', rows: 0 }])
    expect((await find(A)).sources).toEqual([before])
  })

  it('while a job has it, is waited for until its run has ended, and nothing of it is delivered', async () => {
    const place = placeOf()
    place.world.land(A, csv('Chad,1'))
    await place.world.pump()
    expect(place.world.glue.running).toHaveLength(1)
    const { waited } = await place.withdraw(A)
    expect(waited[0]).toMatchObject({ runs: [{ key: A, state: 'queued' }] })
    expect(place.world.runs()).toMatchObject([{ state: 'superseded' }])
    expect(place.world.rows()).toEqual([])
  })
})

describe('the catalog', () => {
  it('is told even where every event of what was taken out is lost', async () => {
    const { withdraw, world } = await landed()
    world.objects.onEvent = () => {}
    const before = (await catalogState(world.books, 'sales')).dirty
    const { waited } = await withdraw(A)
    expect((await catalogState(world.books, 'sales')).crawled).toBeGreaterThan(before)
    expect(waited).toEqual([{ runs: [], catalog: true }])
    expect([...world.glue.catalog.keys()].sort()).toEqual(['Chad', 'Togo'])
  })
})

describe('while someone else is at work on a source', () => {
  const lock = async ({ world }: ReturnType<typeof placeOf>, key: string, ms: number) =>
    world.table.write([
      { update: headKey(sourceOf(key)), set: { lockOwner: 'else', lockUntil: world.clock.now().getTime() + ms } },
    ])

  it('it is tried again until they have finished, and said once what for', async () => {
    const place = await landed()
    await lock(place, A, 20_000)
    const news: string[] = []
    const taken = await place.takeOut(A, { onProgress: (_, words) => news.push(words) })
    expect(taken).toMatchObject([{ outcome: 'withdrawn' }])
    expect(news).toEqual([`Another publisher holds ${sourceIdOf(A)}.`, 'withdrawn'])
  })

  it('for more than two minutes, it is left, with the words why and until when; the others are taken out', async () => {
    const place = await landed()
    await lock(place, member('m.csv'), 300_000)
    const until = new Date(place.world.clock.ms + 300_000).toISOString()
    const taken = await place.takeOut(Z)
    expect(taken.map(({ outcome }) => outcome)).toEqual(['withdrawn', 'busy', 'withdrawn'])
    expect(taken[1]?.why).toBe(
      `Another publisher holds ${sourceIdOf(member('m.csv'))}. Its lock ends at ${until} at the latest.`,
    )
    expect(place.world.objects.texts(DELIVERY, 'data/').size).toBe(3)
  })

  it('a zip that nobody could lock keeps its members', async () => {
    const place = await landed()
    await lock(place, Z, 300_000)
    const taken = await place.takeOut(Z)
    expect(taken.map(({ outcome }) => outcome)).toEqual(['busy', 'not_begun', 'not_begun'])
    expect(place.world.rows()).toHaveLength(4)
  })
})

describe('what lands again meanwhile', () => {
  it('stays, of a zip with all its members', async () => {
    const { takeOut, world } = await landed()
    const body = await zipOf({ 'm.csv': csv('Chad,30'), 'n.csv': csv('Togo,40') })
    const taken = await takeOut(Z, {
      onProgress: ({ kind }) => {
        if (kind === 'zip') world.land(Z, body)
      },
    })
    // The first member finds a zip that waits to be extracted; when it has been, both are of the newer one.
    expect(taken.map(({ outcome }) => outcome)).toEqual(['withdrawn', 'landed_again', 'landed_again'])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Chad,30', 'Peru,2', 'Togo,40'])
  })
})

describe('an interrupt', () => {
  it('is heard between two sources; the same again does what is left', async () => {
    const { takeOut, world } = await landed()
    const stop = new AbortController()
    const taken = await takeOut(Z, { signal: stop.signal, onProgress: ({ kind }) => kind === 'csv' && stop.abort() })
    expect(taken.map(({ outcome }) => outcome)).toEqual(['withdrawn', 'withdrawn', 'not_begun'])
    await takeOut(Z)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
  })
})

it('an error that no retry mends ends it, and says what is left', async () => {
  const { takeOut, world } = await landed()
  const remove = world.objects.remove
  world.objects.remove = async (bucket, keys) => {
    if (keys.some((key) => key.endsWith('m.csv'))) throw Object.assign(new Error('no'), { name: 'AccessDenied' })
    await remove.call(world.objects, bucket, keys)
  }
  const taken = await takeOut(Z)
  expect(taken.map(({ outcome, why }) => [outcome, why])).toEqual([
    ['withdrawn', undefined],
    ['failed', 'AccessDenied: no'],
    ['not_begun', undefined],
  ])
})

it('a member that landed by itself is waited for while its zip has yet to be extracted, and would bring it back', async () => {
  const place = placeOf()
  place.world.land(member('m.csv'), csv('Chad,3'))
  await place.world.untilQuiet()
  place.world.land(Z, await zipOf({ 'm.csv': csv('Chad,4'), 'n.csv': csv('Togo,5') }))
  const news: string[] = []
  const taken = await place.takeOut(member('m.csv'), { onProgress: (_, words) => news.push(words) })
  expect(taken).toMatchObject([{ outcome: 'withdrawn' }])
  expect(news[0]).toBe(`${Z} has landed again and is not extracted yet. Try again in a moment.`)
  await place.world.untilQuiet()
  expect(place.world.rows()).toEqual(['Togo,5'])
})

it('a zip that a replay takes in at the very moment has not landed again: it is withdrawn all the same', async () => {
  const { takeOut, world } = await landed()
  const { objects } = world
  const head = objects.head
  objects.head = async (bucket, key) => {
    objects.head = head
    world.replay('unzip')
    for (const message of world.messages.splice(0)) await world.handle(message)
    return await head.call(objects, bucket, key)
  }
  const news: string[] = []
  const taken = await takeOut(Z, { onProgress: (_, words) => news.push(words) })
  expect(news[0]).toBe(`${Z} was being withdrawn while a replay or rerun took it in.`)
  expect(taken.map(({ outcome }) => outcome)).toEqual(['withdrawn', 'withdrawn', 'withdrawn'])
  await world.untilQuiet()
  expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
})

it('a zip that was extracted after a person was asked goes with the members that it has by then', async () => {
  const { world, find, deps } = placeOf()
  const { send } = deps.s3
  world.deps.s3.send = async () => {
    throw new Error('S3 is away')
  }
  world.land(Z, await zipOf({ 'm.csv': csv('Chad,3'), 'n.csv': csv('Togo,4') }))
  const [landed] = world.messages.splice(0)
  if (landed) await world.handle(landed)
  world.deps.s3.send = send
  const { sources } = await find(Z)
  expect(sources.map(({ key }) => key)).toEqual([Z])
  await world.untilQuiet()
  const taken = await takeOut(deps, sources, { processing: PROCESSING, delivery: DELIVERY })
  expect(taken.map(({ key, outcome, rows }) => [key, outcome, rows])).toEqual([
    [Z, 'withdrawn', 0],
    [member('m.csv'), 'withdrawn', 1],
    [member('n.csv'), 'withdrawn', 1],
  ])
  await world.untilQuiet()
  expect(world.rows()).toEqual([])
})
