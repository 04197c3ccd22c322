import { describe, expect, it } from 'vitest'
import { openKey, openRerun } from '../../../services/ledger/reruns.ts'
import { followRerun, RerunBroken, type RerunProgress } from '../../../services/operations/follow-rerun.ts'
import { beginRerun, extentOf, NotRerunnable, rerunName, rerunPrefix } from '../../../services/operations/rerun.ts'
import { listReruns } from '../../../services/operations/reruns.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { World } from '../memory/world.ts'

const INPUT = { dataset: 'sales', prefix: 'data/sales/' }
const A = 'data/sales/a.csv'
const B = 'data/sales/b.csv'

async function place(files: Record<string, string> = { [A]: csv('Chad,1'), [B]: 'WRONG\n1' }) {
  const world = new World()
  for (const [key, text] of Object.entries(files)) world.land(key, text)
  await world.untilQuiet()
  const landfall = landfallOf(world)
  return { world, landfall }
}

describe('the prefix of a rerun', () => {
  it.each([
    [undefined, 'data/sales/'],
    ['', 'data/sales/'],
    ['data/sales/2026/', 'data/sales/2026/'],
    ['landing/sales/', 'landing/sales/'],
    ['2026/a', 'data/sales/2026/a'],
    ['/2026/', 'data/sales/2026/'],
  ])('%j is %s', (given, prefix) => {
    expect(rerunPrefix('sales', given)).toBe(prefix)
  })

  it.each(['data/costs/', 'data/sales-old/', 'landing/', 'old-data/sales/', 'data'])(
    '%s is refused: it is not of the dataset, or of a zone without sources',
    (given) => {
      expect(() => rerunPrefix('sales', given)).toThrow(
        new NotRerunnable(
          `The prefix ${given} is not of sales: expected one at or below data/sales/ or landing/sales/, or what follows data/sales/.`,
        ),
      )
    },
  )
})

it('the name of a rerun is readable, never the same twice, and no longer than Step Functions takes it', () => {
  const now = new Date('2026-11-24T13:05:06.789Z')
  expect(rerunName('sales', now)).toMatch(/^sales-20261124T130506-[0-9a-f]{4}$/)
  expect(rerunName('d'.repeat(100), now).length).toBeLessThanOrEqual(80)
  expect(new Set(Array.from({ length: 20 }, () => rerunName('sales', now))).size).toBeGreaterThan(15)
})

describe('what a rerun is for', () => {
  it('is counted over all pages of the listing, folders left out', async () => {
    const { world, landfall } = await place(
      Object.fromEntries(Array.from({ length: 45 }, (_, i) => [`data/sales/${i}.csv`, '12345'])),
    )
    world.land('data/sales/folder/', '')
    expect(await extentOf(landfall, INPUT)).toEqual({ files: 45, bytes: 225, landed: 45, fitting: 45 })
    expect(await extentOf(landfall, { ...INPUT, prefix: 'data/sales/4' })).toMatchObject({ files: 6 })
  })

  it('is of them what landed since, and what ended so', async () => {
    const { world, landfall } = await place()
    world.clock.advance(60_000)
    const since = world.books.instant()
    world.land('data/sales/c.csv', 'WRONG\n1')
    await world.untilQuiet()
    expect(await extentOf(landfall, { ...INPUT, since })).toEqual({ files: 3, bytes: 7, landed: 1, fitting: 1 })
    expect(await extentOf(landfall, { ...INPUT, only: ['refused'] })).toEqual({
      files: 3,
      bytes: 14,
      landed: 3,
      fitting: 2,
    })
    expect(await extentOf(landfall, { ...INPUT, only: ['failed'] })).toMatchObject({ fitting: 0 })
  })
})

describe('a rerun that is at work', () => {
  it('is joined by one for the same', async () => {
    const { landfall } = await place()
    const first = await beginRerun(landfall, { ...INPUT, only: ['refused', 'failed'] })
    expect(first).toMatchObject({ joined: false })
    const second = await beginRerun(landfall, { ...INPUT, only: ['failed', 'refused'] })
    expect(second).toEqual({ ...first, joined: true })
    expect(landfall.machine.started).toHaveLength(1)
  })

  it('keeps one for something else from starting, and is named', async () => {
    const { landfall } = await place()
    const { execution } = await beginRerun(landfall, { ...INPUT, since: '2026-01-01T00:00:00.000Z' })
    await expect(beginRerun(landfall, INPUT)).rejects.toThrow(
      new NotRerunnable(
        `The rerun ${execution} of sales is at work (data/sales/, all, since 2026-01-01T00:00:00.000Z), and a dataset has one at a time. Wait for its end: landfall rerun --list.`,
      ),
    )
    expect(landfall.machine.started).toHaveLength(1)
  })
})

describe('a rerun that is followed', () => {
  it('is told as it goes, and ends with what became of each source', async () => {
    const { world, landfall } = await place()
    const begun = await beginRerun(landfall, INPUT)
    const told: RerunProgress[] = []
    const following = followRerun(landfall, { ...INPUT, ...begun }, { onProgress: (p) => told.push(p), poll: 1 })
    await expect.poll(() => told.length).toBeGreaterThan(1)
    expect(told[0]).toEqual({ phase: 'at work', listed: 2, pending: 2, totals: {} })
    await world.untilQuiet()
    const { state, rows } = await following
    expect(state).toMatchObject({ listed: 2, totals: { delivered: 1, refused: 1 }, failures: 1 })
    expect(rows.map(({ key, state, accepted, before }) => [key, state, accepted, before?.accepted])).toEqual([
      [A, 'delivered', 1, 1],
      [B, 'refused', undefined, undefined],
    ])
  })

  it('is followed to its end though its machine is stopped, once all is listed', async () => {
    const { world, landfall } = await place()
    const begun = await beginRerun(landfall, INPUT)
    landfall.machine.stop(begun.execution)
    const following = followRerun(landfall, { ...INPUT, ...begun }, { poll: 1 })
    await world.untilQuiet()
    expect((await following).state.listed).toBe(2)
  })

  it('has no end to wait for where its machine is stopped while it lists', async () => {
    const { world, landfall } = await place()
    const begun = await beginRerun(landfall, INPUT)
    await world.table.write([{ update: openKey('sales'), remove: ['listed'] }])
    landfall.machine.stop(begun.execution)
    await expect(followRerun(landfall, { ...INPUT, ...begun }, { poll: 1 })).rejects.toThrow(
      `The machine of ${begun.rerun} has ended as stopped while it listed. What it had asked for until then is run, and summed up within 15 minutes: landfall rerun --list. Start it again for all.`,
    )
  })

  it('that its machine refuses is refused in its words', async () => {
    const { world, landfall } = await place()
    await world.rerun('other')
    const execution = await landfall.machine.start('mine', INPUT)
    const error = await followRerun(landfall, { ...INPUT, rerun: 'rerun-mine', execution }, { poll: 1 }).catch(
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(RerunBroken)
    expect(error).toMatchObject({
      refused: true,
      message: 'RerunAtWork: A rerun of sales is at work, and a dataset has one at a time.',
    })
  })

  it('is left at work by who does not want to follow it any more', async () => {
    const { world, landfall } = await place()
    const begun = await beginRerun(landfall, INPUT)
    const enough = new AbortController()
    const options = { poll: 1, signal: enough.signal, onProgress: () => enough.abort(new Error('enough')) }
    await expect(followRerun(landfall, { ...INPUT, ...begun }, options)).rejects.toThrow('enough')
    expect(await openRerun(world.books, 'sales')).toMatchObject({ rerun: begun.rerun })
    await world.untilQuiet()
    expect((await followRerun(landfall, { ...INPUT, ...begun }, { poll: 1 })).state.listed).toBe(2)
  })
})

describe('reruns that are listed', () => {
  it('are those at work, those that ended and how, and those that never began, newest first', async () => {
    const { world, landfall } = await place()
    expect(await listReruns(landfall)).toEqual([])
    await landfall.machine.start('failed', INPUT)
    await world.untilQuiet()
    world.clock.advance(60_000)
    await landfall.machine.start('good', { ...INPUT, prefix: A })
    await world.untilQuiet()
    world.clock.advance(60_000)
    await landfall.machine.start('open', { ...INPUT, only: ['refused'] })
    const [message] = world.messages.splice(0, 1)
    if (message) await world.handle(message)
    world.clock.advance(60_000)
    await landfall.machine.start('never', INPUT)
    const lines = await listReruns(landfall, { dataset: 'sales' })
    expect(lines.map(({ name, state, listed, pending, totals }) => [name, state, listed, pending, totals])).toEqual([
      ['never', 'refused', undefined, undefined, {}],
      ['open', 'at work', 2, 1, { skipped: 1 }],
      ['good', 'succeeded', 1, undefined, { delivered: 1 }],
      ['failed', 'failed', 2, undefined, { delivered: 1, refused: 1 }],
    ])
    expect(lines.map(({ words }) => words?.split('\n')[0])).toEqual([
      'RerunAtWork: A rerun of sales is at work, and a dataset has one at a time.',
      undefined,
      undefined,
      '1 of 2 sources are not current:',
    ])
    expect(await listReruns(landfall, { dataset: 'costs' })).toEqual([])
    expect((await listReruns(landfall, { limit: 2 })).map(({ name }) => name)).toEqual(['never', 'open'])
  })
})
