import { describe, expect, it } from 'vitest'
import { onItsWayMs } from '../../../services/lambda/receives.ts'
import { csv } from '../memory/engine.ts'
import { PROCESSING, RAW, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const DAY_MS = 24 * 3_600_000
const TOOK = 'took in a file whose event did not come'
const SENT = 'sent unzip a file whose event did not come, or was lost before its end'

/** The next sweep, a minute later, and what it did about landings. */
async function next(world: World, ms = 60_000): Promise<string[]> {
  world.clock.advance(ms)
  const swept = await world.sweep()
  return swept.filter(({ did }) => did === TOOK || did === SENT).map(({ key, did }) => `${key} ${did}`)
}

/** Lands without anyone being told. */
function landUntold(world: World, key: string, body: string | Buffer) {
  const before = world.messages.length
  world.land(key, body)
  world.messages.length = before
}

/** How many sources the ledger is asked about by a sweep. */
async function asked(world: World, ms?: number): Promise<number> {
  const query = world.table.query.bind(world.table)
  let sources = 0
  world.table.query = async (pk, prefix, limit) => {
    if (pk.startsWith('SOURCE#') && prefix === 'RUN#') sources++
    return await query(pk, prefix, limit)
  }
  await next(world, ms)
  world.table.query = query
  return sources
}

describe('a landing whose event never came', () => {
  it('is taken in when the event cannot be on its way any more, with the cause live', async () => {
    const world = new World()
    landUntold(world, 'data/sales/a.csv', csv('Chad,1'))
    expect(await next(world, onItsWayMs() - 1)).toEqual([])
    const swept = await next(world, 1)
    expect(swept).toEqual([`data/sales/a.csv ${TOOK}`])
    expect(world.runs()).toMatchObject([{ key: 'data/sales/a.csv', cause: 'live', state: 'queued' }])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    expect(await next(world)).toEqual([])
  })

  it('of a zip, is given to unzip as its event, and its members go on', async () => {
    const world = new World()
    landUntold(world, 'landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,2') }))
    expect(await next(world, onItsWayMs())).toEqual([`landing/sales/z.zip ${SENT}`])
    expect(world.messages).toMatchObject([
      { to: 'unzip', event: { detail: { bucket: { name: RAW }, object: { key: 'landing/sales/z.zip' } } } },
    ])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
    expect(world.objects.keys(RAW, 'landing/')).toEqual([])
  })

  it('is refused where its name or folder is no landing', async () => {
    const world = new World()
    for (const key of ['data/sales/a.txt', 'data/nobody/a.csv', 'landing/nobody/z.zip', 'data/sales/folder/'])
      landUntold(world, key, 'x')
    expect(await next(world, onItsWayMs())).toHaveLength(3)
    await world.untilQuiet()
    expect(world.runs().map(({ key, state }) => `${key} ${state}`)).toEqual([
      'data/nobody/a.csv refused',
      'data/sales/a.txt refused',
      'landing/nobody/z.zip refused',
    ])
  })

  it('of a newer version of a file replaces the rows of the one before, also with the same bytes', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    for (const rows of [csv('Chad,2'), csv('Chad,2')]) {
      world.clock.advance(60_000)
      landUntold(world, 'data/sales/a.csv', rows)
      expect(await next(world, onItsWayMs())).toHaveLength(1)
      await world.untilQuiet()
      expect(world.rows()).toEqual(['Chad,2'])
    }
    expect(world.runs()).toHaveLength(3)
  })

  it('of an older version of a zip, which the newer one uncovered when it was archived, brings nothing back', async () => {
    const world = new World()
    landUntold(world, 'landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
    world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,2') }))
    await world.untilQuiet()
    expect(await next(world, onItsWayMs())).toEqual([`landing/sales/z.zip ${SENT}`])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2'])
    expect(world.runs().filter(({ kind }) => kind === 'zip')).toMatchObject([
      { state: 'extracted' },
      { state: 'superseded' },
    ])
  })

  it('of a file that was days on its way into the bucket is found by the pass of the day', async () => {
    const world = new World()
    world.clock.advance(3 * DAY_MS)
    await next(world)
    world.clock.advance(-DAY_MS)
    landUntold(world, 'data/sales/slow.csv', csv('Chad,1'))
    expect(await next(world, DAY_MS + 60_000)).toEqual([])
    expect(await next(world, DAY_MS)).toEqual([`data/sales/slow.csv ${TOOK}`])
  })

  it('is left to a rerun that has taken it in', async () => {
    const world = new World()
    landUntold(world, 'data/sales/a.csv', csv('Chad,1'))
    await world.rerun('r')
    await world.untilQuiet()
    expect(await next(world, onItsWayMs())).toEqual([])
    expect(world.runs().map(({ cause }) => cause)).toEqual(['rerun-r'])
  })

  it('is tried again by the next pass where it could not be looked at', async () => {
    const world = new World()
    for (const name of ['a', 'b']) landUntold(world, `data/sales/${name}.csv`, csv(`Chad,${name}`))
    const { head } = world.objects
    world.objects.head = async (bucket, key) => {
      if (key.endsWith('a.csv')) throw new Error('S3 is away')
      return await head.call(world.objects, bucket, key)
    }
    expect(await next(world, onItsWayMs())).toEqual([`data/sales/b.csv ${TOOK}`])
    expect(world.errors).toMatchObject([{ message: 'S3 is away' }])
    world.objects.head = head
    expect(await next(world)).toEqual([`data/sales/a.csv ${TOOK}`])
  })
})

describe('a zip that unzip has been sent', () => {
  it('is sent at most once an hour, for it may wait behind many others', async () => {
    const world = new World()
    landUntold(world, 'landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
    await next(world, onItsWayMs())
    for (let minute = 0; minute < 59; minute++) expect(await next(world)).toEqual([])
    expect(world.messages).toHaveLength(1)
  })

  it('and whose message was purged, is sent again in an hour', async () => {
    const world = new World()
    landUntold(world, 'landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
    await next(world, onItsWayMs())
    world.messages.length = 0
    expect(await next(world, 3_599_999)).toEqual([])
    expect(await next(world, 1)).toEqual([`landing/sales/z.zip ${SENT}`])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    await next(world, 3_600_000)
    expect(await world.table.query('SWEEP', 'SENT#')).toEqual([])
  })

  it('and whose message was purged when its extraction had begun, is sent again within a day', async () => {
    const world = new World()
    world.land('landing/sales/z.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
    const { send } = world.deps.s3
    world.deps.s3.send = async () => {
      throw new Error('S3 is away')
    }
    await world.handle(world.messages.shift() ?? expect.fail('no message'))
    world.deps.s3.send = send
    world.messages.length = 0
    await next(world, onItsWayMs())
    expect(world.runs()).toMatchObject([{ state: 'extracting' }])
    expect(await next(world, DAY_MS)).toEqual([`landing/sales/z.zip ${SENT}`])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
  })
})

describe('what looking for landings costs', () => {
  it('is a question for each file that is new since the pass before, however many there are', async () => {
    const world = new World()
    world.objects.pageSize = 1000
    for (let i = 0; i < 40; i++) world.land(`data/sales/${i}.csv`, csv(`Chad,${i}`))
    await world.untilQuiet()
    expect(await asked(world, onItsWayMs())).toBe(40)
    expect(await asked(world, onItsWayMs())).toBeLessThanOrEqual(40)
    for (let i = 0; i < 3; i++) expect(await asked(world, onItsWayMs())).toBe(0)
  })

  it('is one page of each place a minute, and a pass goes on where the page before ended', async () => {
    const world = new World()
    world.objects.pageSize = 3
    for (let i = 0; i < 7; i++) landUntold(world, `data/sales/${i}.csv`, csv(`Chad,${i}`))
    expect(await next(world, onItsWayMs())).toHaveLength(3)
    // Behind where the pass is: the next one finds it.
    landUntold(world, 'data/sales/00.csv', csv('Chad,7'))
    expect(await next(world)).toHaveLength(3)
    expect(await next(world)).toHaveLength(1)
    world.clock.advance(onItsWayMs())
    expect(await next(world)).toEqual([`data/sales/00.csv ${TOOK}`])
    await world.untilQuiet()
    expect(world.rows()).toHaveLength(8)
  })
})

describe('typed files whose event never came', () => {
  it('are queued by the sweep, from what the ledger has of them', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    world.endJobs()
    await world.handle(world.messages.shift() ?? expect.fail('no job ended'))
    expect(world.objects.keys(PROCESSING)).toHaveLength(1)
    world.messages.length = 0
    world.clock.advance(onItsWayMs())
    expect((await world.sweep()).map(({ did }) => did)).toContain('queued 1 runs whose events did not come')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
  })
})
