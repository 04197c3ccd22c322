import { describe, expect, it } from 'vitest'
import type { Objects } from '../../../services/jobs/objects.ts'
import { LOCK_MS, type Publication, publish, withdraw } from '../../../services/jobs/publish.ts'
import { Ledger } from '../../../services/ledger/ledger.ts'
import { headKey, type Run, sourcePk } from '../../../services/ledger/run.ts'
import { hearing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { DELIVERY, PROCESSING, RAW, STAGING, World } from '../memory/world.ts'

const KEY = 'data/sales/a.csv'

/** A run of the source's current version, and what a job staged for it: a file for each name. */
async function registered(world: World, cause = 'live'): Promise<Run> {
  const head = await world.objects.head(RAW, KEY)
  if (!head) throw new Error('Land it first')
  const { versionId, etag, bytes } = head
  const landed = { bucket: RAW, key: KEY, versionId, etag, bytes, landedAt: '2026-01-01T00:00:00.000Z' }
  return (await world.books.register('csv', 'sales', landed, cause)).run
}

function publication(world: World, run: Run, ...names: string[]): Publication {
  const objects = names.map((name) => {
    const key = `partition/${run.runId}/${name}`
    const { etag } = world.objects.put(STAGING, key, `${name},${run.seq}`)
    return { staged: { uri: `s3://${STAGING}/${key}`, etag, rows: 1, bytes: 1 }, key: `data/sales/${name}/a.parquet` }
  })
  return { zone: 'delivery', bucket: DELIVERY, objects, effects: () => ({ run: { state: 'published' }, more: [] }) }
}

async function withRun(...causes: string[]) {
  const world = new World()
  world.land(KEY, csv('x,1'))
  const runs: Run[] = []
  for (const cause of ['live', ...causes]) runs.push(await registered(world, cause))
  const [run, next] = runs
  if (!run) throw new Error('no run')
  return { world, run, next: next ?? run }
}
const delivered = (world: World) => Object.fromEntries(world.objects.texts(DELIVERY))
const head = (world: World, run: Run) => world.books.head(run)

const withCopy = (world: World, copy: Objects['copy']): Objects =>
  new Proxy<Objects>(world.objects, {
    get: (objects, name: keyof Objects) => (name === 'copy' ? copy : objects[name].bind(objects)),
  })

/** Dies at the nth copy, as a process does: its lock stays. */
async function dies(world: World, run: Run, what: Publication, nth: number) {
  let copies = 0
  const objects = withCopy(world, async (from, to) => {
    if (++copies >= nth) throw new Error('died')
    return await world.objects.copy(from, to)
  })
  await expect(publish({ ...world.deps, objects }, run, what)).rejects.toThrow('died')
}

describe('publishing', () => {
  it('is superseded when a newer version landed since', async () => {
    const { world, run } = await withRun()
    world.land(KEY, csv('x,2'))
    expect(await publish(world.deps, run, publication(world, run, 'x'))).toEqual({
      outcome: 'superseded',
      why: 'A newer version of data/sales/a.csv landed.',
    })
    expect(delivered(world)).toEqual({})
  })

  it('is superseded when the raw object is gone', async () => {
    const { world, run } = await withRun()
    await world.objects.remove(RAW, [KEY])
    expect(await publish(world.deps, run, publication(world, run, 'x'))).toMatchObject({
      why: 'data/sales/a.csv is gone from the raw zone.',
    })
  })

  it.each([
    ['first', [0, 1]],
    ['last', [1, 0]],
  ])('lets the run registered last win among those of one version, when that is published %s', async (_, order) => {
    const { world, run, next } = await withRun('convert-1')
    const outcomes = []
    for (const i of order.reverse()) {
      const it = i === 1 ? next : run
      outcomes.push((await publish(world.deps, it, publication(world, it, 'x', `only${it.seq}`))).outcome)
    }
    expect(delivered(world)).toEqual({ 'data/sales/x/a.parquet': 'x,2', 'data/sales/only2/a.parquet': 'only2,2' })
    expect(await head(world, run)).toMatchObject({ deliverySeq: 2, deliveryRun: next.runId })
    expect(outcomes.at(order[0] === 1 ? 1 : 0)).toBe(order[0] === 1 ? 'superseded' : 'published')
  })

  it('takes out only what the ledger lists for the predecessor', async () => {
    const { world, run } = await withRun()
    await publish(world.deps, run, publication(world, run, 'x', 'y'))
    world.objects.put(DELIVERY, 'data/sales/y/a-neighbour.parquet', 'not ours')
    world.land(KEY, csv('x,2'))
    const newer = await registered(world)
    const published = await publish(world.deps, newer, publication(world, newer, 'x', 'z'))
    expect(published).toEqual({ outcome: 'published', changed: 3 })
    expect(delivered(world)).toEqual({
      'data/sales/x/a.parquet': 'x,2',
      'data/sales/y/a-neighbour.parquet': 'not ours',
      'data/sales/z/a.parquet': 'z,2',
    })
  })

  it('changes nothing when a staged object is not the one that was checked', async () => {
    const { world, run } = await withRun()
    const what = publication(world, run, 'x')
    world.objects.put(STAGING, `partition/${run.runId}/x`, 'another')
    await expect(publish(world.deps, run, what)).rejects.toMatchObject({
      code: 'object_changed',
      retryable: false,
      message: expect.stringMatching(/^staging\/partition\/\w+\/x is gone or is not \w+ any more\.$/),
    })
    expect(delivered(world)).toEqual({})
    expect(await head(world, run)).not.toHaveProperty('lockOwner')
  })

  it('waits for another publisher of the source, and no longer than its lease', async () => {
    const { world, run } = await withRun()
    await world.table.write([
      { update: headKey(run), set: { lockOwner: 'another', lockUntil: world.clock.ms + LOCK_MS } },
    ])
    await expect(publish(world.deps, run, publication(world, run, 'x'))).rejects.toMatchObject({
      retryable: true,
      message: `Another publisher holds ${run.sourceId}.`,
    })
    world.clock.advance(LOCK_MS + 1)
    expect(await publish(world.deps, run, publication(world, run, 'x'))).toMatchObject({ outcome: 'published' })
  })

  it('changes no ledger when another took over whose clock is far ahead', async () => {
    const { world, run, next } = await withRun('convert-1')
    const ahead = new Ledger(world.table, () => new Date(world.clock.ms + LOCK_MS + 1))
    const objects = withCopy(world, async (from, to) => {
      await publish({ ...world.deps, ledger: ahead }, next, publication(world, next, 'x'))
      return await world.objects.copy(from, to)
    })
    await expect(publish({ ...world.deps, objects }, run, publication(world, run, 'x'))).rejects.toMatchObject({
      code: 'publish_contended',
      retryable: true,
    })
    expect(await head(world, run)).toMatchObject({ deliverySeq: 2, deliveryRun: next.runId })
    expect(world.runs()[0]).toMatchObject({ cause: 'live', state: 'queued' })
  })

  it('takes out what a publisher copied that died, though the ledger never heard that it was published', async () => {
    const { world, run } = await withRun()
    await dies(world, run, publication(world, run, 'x', 'y', 'z'), 3)
    world.land(KEY, csv('x,2'))
    const newer = await registered(world)
    await publish(world.deps, newer, publication(world, newer, 'x'))
    expect(delivered(world)).toEqual({ 'data/sales/x/a.parquet': 'x,2' })
    const lists = await world.table.query(sourcePk(run), 'OBJECTS#delivery#')
    expect(lists.map(({ keys }) => keys)).toEqual([['data/sales/x/a.parquet']])
  })

  it('finishes what it began, also when a newer version landed: that one may be refused', async () => {
    const { world, run } = await withRun()
    await publish(world.deps, run, publication(world, run, 'x', 'y'))
    world.land(KEY, csv('x,2'))
    const second = await registered(world)
    const what = publication(world, second, 'x', 'y')
    await dies(world, second, what, 2)
    world.land(KEY, 'WRONG')
    expect(await publish(world.deps, second, what)).toMatchObject({ outcome: 'published' })
    expect(delivered(world)).toEqual({ 'data/sales/x/a.parquet': 'x,2', 'data/sales/y/a.parquet': 'y,2' })
  })

  it('keeps lists of more keys than one ledger item can hold', async () => {
    const { world, run } = await withRun()
    const names = Array.from({ length: 1_500 }, (_, i) => `P=${i}`)
    await publish(world.deps, run, publication(world, run, ...names))
    expect(await world.table.query(sourcePk(run), 'OBJECTS#delivery#')).toHaveLength(2)
    world.land(KEY, csv('x,2'))
    const newer = await registered(world)
    await publish(world.deps, newer, publication(world, newer, 'P=7'))
    expect(world.objects.keys(DELIVERY)).toEqual(['data/sales/P=7/a.parquet'])
  })
})

describe('withdrawal', () => {
  const buckets = { processing: PROCESSING, delivery: DELIVERY }

  it('takes a source out of both zones, and no run registered before may publish any more', async () => {
    const world = new World()
    world.land(KEY, csv('Chad,1'))
    world.land('data/sales/b.csv', csv('Chad,2'))
    await world.untilQuiet()
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    await world.objects.remove(RAW, [KEY])
    await withdraw(world.deps, run, buckets)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2'])
    expect(world.objects.keys(PROCESSING).every((key) => key.includes('/b-'))).toBe(true)
    expect(await publish(world.deps, run, publication(world, run, 'x'))).toMatchObject({ outcome: 'superseded' })
  })

  it('lets the source land again', async () => {
    const world = new World()
    world.land(KEY, csv('Chad,1'))
    await world.untilQuiet()
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    await world.objects.remove(RAW, [KEY])
    await withdraw(world.deps, run, buckets)
    world.land(KEY, csv('Chad,3'))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,3'])
  })

  it.each([
    ['ends a run that waits for the catalog as superseded', false],
    ['that breaks off half-way, and lets its lock go, does so too', true],
  ])('%s', async (_, breaksOff) => {
    const world = new World()
    world.land(KEY, csv('Chad,1'))
    for (let stage = 0; stage < 2; stage++) {
      await world.pump()
      world.endJobs()
    }
    await world.pump()
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    expect(run.state).toBe('published')
    await world.objects.remove(RAW, [KEY])
    const lost = hearing(async ({ name, make }) => {
      const answer = await make()
      if (name === 'remove') throw new Error('the connection was lost')
      return answer
    })
    if (breaksOff) {
      const withdrawing = withdraw({ ...world.deps, objects: lost(world.objects) }, run, buckets)
      await expect(withdrawing).rejects.toThrow('lost')
      expect(await head(world, run)).not.toHaveProperty('lockOwner')
    } else await withdraw(world.deps, run, buckets)
    await world.untilQuiet()
    expect(world.runs()[0]).toMatchObject({
      state: 'superseded',
      problem: {
        message: 'The rows of this version of data/sales/a.csv were replaced or withdrawn before they were queryable.',
      },
    })
  })

  it('of a source that never came is nothing', async () => {
    const world = new World()
    await withdraw(world.deps, { dataset: 'sales', sourceId: 'none' }, buckets)
    expect(world.table.items.size).toBe(0)
  })
})
