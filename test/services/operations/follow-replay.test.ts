import { describe, expect, it } from 'vitest'
import type { Stage } from '../../../events/replay.ts'
import type { Replay } from '../../../services/jobs/archives.ts'
import { followReplay, type ReplayOutcome } from '../../../services/operations/follow-replay.ts'
import { planReplay, type ReplayAsked, startReplay } from '../../../services/operations/replay.ts'
import { listReplays } from '../../../services/operations/replays.ts'
import { replayable } from '../memory/archives.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const quick = { poll: 1 }

/** A zip of two, and a CSV, all delivered a good while ago. */
async function landed() {
  const world = new World()
  world.land('landing/sales/z.zip', await zipOf({ 'x.csv': csv('Chad,1'), 'y.csv': csv('Mali,2') }))
  world.land('data/sales/a.csv', csv('Peru,3', 'Peru,4', 'Peru,5', 'Peru,6', 'BAD,7'))
  await world.untilQuiet()
  world.clock.advance(3_600_000)
  return { world, landfall: replayable(world), from: new Date('2026-01-01') }
}
type Place = Awaited<ReturnType<typeof landed>>

async function replayed({ world, landfall, from }: Place, asked: Partial<ReplayAsked>): Promise<ReplayOutcome> {
  const name = await startReplay(landfall, await planReplay(landfall, { from, ...asked }))
  const outcome = followReplay(landfall, name, quick)
  let done = false
  outcome
    .finally(() => {
      done = true
    })
    .catch(() => {})
  while (!done) {
    await world.untilQuiet()
    await new Promise<void>((resolve) => setTimeout(resolve, 1))
  }
  return await outcome
}

const keysOf = (runs: ReplayOutcome['runs']) => runs.map(({ key, state }) => `${key.replace(/~\w+/, '')} ${state}`)

describe('a replay that is followed', () => {
  it.each<[Stage, string[], string[]]>([
    ['unzip', ['landing/sales/z.zip extracted'], ['data/sales/z/x.csv delivered', 'data/sales/z/y.csv delivered']],
    ['convert', ['data/sales/a.csv delivered', 'data/sales/z/x.csv delivered', 'data/sales/z/y.csv delivered'], []],
    ['partition', ['data/sales/a.csv delivered', 'data/sales/z/x.csv delivered', 'data/sales/z/y.csv delivered'], []],
    ['catalog', [], []],
  ])('of %s ends when all that came of it has, in the same rows', async (stage, runs, members) => {
    const place = await landed()
    const before = place.world.rows()
    const outcome = await replayed(place, { stage })
    expect(outcome.replay).toMatchObject({ state: 'completed' })
    expect([keysOf(outcome.runs), keysOf(outcome.members)]).toEqual([runs, members])
    expect(outcome).toMatchObject({ skipped: [], changes: [] })
    expect(outcome.tables).toEqual(stage === 'catalog' ? [{ dataset: 'sales', events: 3, compared: true }] : [])
    expect(place.world.rows()).toEqual(before)
    expect(place.world.errors).toEqual([])
  })

  it('of one source counts the events of the others as not meant', async () => {
    const { runs, skipped } = await replayed(await landed(), { stage: 'partition', source: 'data/sales/a.csv' })
    expect(keysOf(runs)).toEqual(['data/sales/a.csv delivered'])
    expect(skipped.map(({ reason }) => reason)).toEqual(['not_meant', 'not_meant'])
  })

  it('says where the contract takes another number of rows than before', async () => {
    const place = await landed()
    place.world.job.rejects = () => false
    const { changes } = await replayed(place, { stage: 'convert' })
    expect(changes).toMatchObject([
      { run: { key: 'data/sales/a.csv' }, before: { accepted: 4, rejected: 1 }, after: { accepted: 5, rejected: 0 } },
    ])
  })

  it('says so of the members of a zip, too', async () => {
    const place = await landed()
    place.world.job.rejects = (row) => row === 'Chad,1'
    const contract = place.world.contracts.get('sales')
    place.world.contracts.set('sales', { ...contract, maxRejectShare: 1 } as NonNullable<typeof contract>)
    const { changes } = await replayed(place, { stage: 'unzip' })
    expect(changes).toMatchObject([
      { run: { key: expect.stringMatching(/x\.csv$/) }, before: { accepted: 1 }, after: { accepted: 0, rejected: 1 } },
    ])
  })

  it('tells how far EventBridge is, and each run as it goes on', async () => {
    const { world, landfall, from } = await landed()
    landfall.archives.pace = 1
    const name = await startReplay(landfall, await planReplay(landfall, { from, stage: 'convert' }))
    const progress: Replay[] = []
    const states: string[] = []
    const outcome = followReplay(landfall, name, {
      ...quick,
      onProgress: (replay) => progress.push(replay),
      onChange: ({ state }) => states.push(state),
    })
    while (progress.at(-1)?.state !== 'completed') await new Promise<void>((resolve) => setTimeout(resolve, 1))
    await world.untilQuiet()
    await outcome
    // The second and the third event are of one instant: that is no news.
    expect(progress.map(({ state }) => state)).toEqual(['starting', 'running', 'completed'])
    expect(progress.at(-1)?.lastReplayed).toMatch(/^2026-01-01T/)
    expect(states.filter((state) => state === 'delivered')).toHaveLength(3)
  })

  it('waits for messages that are still on their way when EventBridge has done its part', async () => {
    const { world, landfall, from } = await landed()
    const name = await startReplay(landfall, await planReplay(landfall, { from, stage: 'convert' }))
    await landfall.archives.run(name)
    const late = world.messages.splice(0)
    let done = false
    const outcome = followReplay(landfall, name, { ...quick, quiet: 250 }).finally(() => {
      done = true
    })
    await new Promise<void>((resolve) => setTimeout(resolve, 100))
    expect(done).toBe(false)
    world.messages.push(...late)
    await world.untilQuiet()
    expect((await outcome).runs).toHaveLength(3)
  })

  it('ends also where the queue never runs empty, when nothing new has come for longer than a message is tried', async () => {
    const { landfall, from } = await landed()
    const name = await startReplay(
      landfall,
      await planReplay(landfall, { from: new Date(from.getTime() + 1_800_000), stage: 'convert' }),
    )
    const busy = { ...landfall, depth: async () => ({ waiting: 1, inFlight: 0 }) }
    const began = performance.now()
    expect(await followReplay(busy, name, { ...quick, patience: 100 })).toMatchObject({ runs: [] })
    expect(performance.now() - began).toBeGreaterThanOrEqual(100)
  })

  it('that EventBridge does not know is refused in words', async () => {
    const { landfall } = await landed()
    await expect(followReplay(landfall, 'convert-none')).rejects.toThrow(
      'EventBridge knows no replay "convert-none" of this archive. landfall replays lists them.',
    )
  })
})

describe('replays', () => {
  it('are listed newest first, with what came of each, and those that no stage hears', async () => {
    const place = await landed()
    const { world, landfall } = place
    await replayed(place, { source: 'data/sales/a.csv' })
    world.land('data/sales/b.csv', csv('POISON,1'))
    await world.untilQuiet()
    world.clock.advance(60_000)
    await replayed(place, { stage: 'convert' })
    world.clock.advance(60_000)
    await replayed(place, { stage: 'catalog' })
    landfall.archives.byHand('once-more')
    const listed = await listReplays(landfall, 10)
    expect(listed.map(({ name: _, from: __, to: ___, startedAt: ____, lastReplayed: _____, ...rest }) => rest)).toEqual(
      [
        { state: 'starting', filter: {}, runs: {}, skipped: 0, tables: [] },
        { state: 'completed', stage: 'catalog', filter: {}, runs: {}, skipped: 0, tables: ['sales'] },
        {
          state: 'completed',
          stage: 'convert',
          filter: {},
          runs: { delivered: 2, 'delivered with rejects': 1, failed: 1 },
          skipped: 0,
          tables: [],
        },
        {
          state: 'completed',
          stage: 'convert',
          filter: { dataset: 'sales', sourceId: expect.stringMatching(/^a-/) },
          runs: { 'delivered with rejects': 1 },
          skipped: 2,
          tables: [],
        },
      ],
    )
    expect(await listReplays(landfall, 1)).toHaveLength(1)
  })
})
