import { describe, expect, it } from 'vitest'
import { replayState } from '../../../services/ledger/causes.ts'
import { NoReplay, planReplay, type ReplayAsked, startReplay } from '../../../services/operations/replay.ts'
import { replayable } from '../memory/archives.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const HOUR = 3_600_000
const at = (text: string) => new Date(`2026-01-01T${text}Z`)

/** A zip and a CSV that landed at midnight, and an hour and 30.5 seconds since. */
async function landed() {
  const world = new World()
  world.land('landing/sales/z.zip', await zipOf({ 'x.csv': csv('Chad,1') }))
  world.land('data/sales/a.csv', csv('Peru,2'))
  await world.untilQuiet()
  world.clock.ms = at('01:00:30.500').getTime()
  return { world, landfall: replayable(world) }
}

async function planned(asked: Partial<ReplayAsked>) {
  const { landfall } = await landed()
  return await planReplay(landfall, { stage: 'convert', from: at('00:00:00'), ...asked })
}

describe('the window of a replay', () => {
  it('is whole minutes, outwards', async () => {
    expect(await planned({ from: at('00:10:59.999'), to: at('00:20:00.001') })).toEqual({
      stage: 'convert',
      from: '2026-01-01T00:10:00.000Z',
      to: '2026-01-01T00:21:00.000Z',
      warnings: [],
    })
  })

  it('ends now where nothing else is said, and where the future is', async () => {
    expect(await planned({})).toMatchObject({ from: '2026-01-01T00:00:00.000Z', to: '2026-01-01T01:00:30.500Z' })
    const { to, warnings } = await planned({ to: at('23:00:00') })
    expect(to).toBe('2026-01-01T01:00:30.500Z')
    expect(warnings[0]).toBe('2026-01-01 23:00:00 UTC is in the future: the window ends now.')
  })

  it('warns of the ten minutes that an event may take into the archive, naming since when', async () => {
    expect((await planned({})).warnings).toEqual([
      'AWS may take ten minutes to archive an event: of those after 2026-01-01 00:50:30 UTC some may be missing. Replay them from 2026-01-01 01:10:30 UTC on to be sure of all.',
    ])
    expect((await planned({ to: at('00:50:00') })).warnings).toEqual([])
    const { warnings } = await planned({ from: at('00:58:00'), to: at('00:59:00') })
    expect(warnings[0]).toContain(
      'after 2026-01-01 00:58:00 UTC some may be missing. Replay them from 2026-01-01 01:09:00',
    )
  })

  it.each<[string, Partial<ReplayAsked>, string]>([
    [
      'begins in the future',
      { from: at('02:00:00') },
      'The window begins at 2026-01-01 02:00:00 UTC, which is in the future: it is 2026-01-01 01:00:30 UTC now.',
    ],
    [
      'ends before it begins',
      { from: at('00:30:00'), to: at('00:20:00') },
      'The window ends at 2026-01-01 00:20:00 UTC, and does not begin before: 2026-01-01 00:30:00 UTC.',
    ],
    [
      'is older than the archive',
      { from: new Date('2025-01-01'), to: new Date('2025-02-01') },
      'The archive keeps events for 90 days, so from 2025-10-03 01:00:30 UTC on: it has nothing of that window. A rerun, which lists the bucket instead, does what lies further back.',
    ],
  ])('is refused where it %s', async (_, asked, words) => {
    await expect(planned(asked)).rejects.toThrow(new NoReplay(words))
  })

  it('warns where it begins before what the archive has: by its retention, or by when it was made', async () => {
    const { world, landfall } = await landed()
    const warnings = async () =>
      (await planReplay(landfall, { stage: 'unzip', from: new Date('2025-01-01'), to: at('00:10:00') })).warnings
    expect(await warnings()).toEqual([
      'The archive keeps events for 90 days, so from 2025-10-03 01:00:30 UTC on: it has nothing from before. A rerun, which lists the bucket instead, does what lies further back.',
    ])
    landfall.archives.retentionDays = undefined
    expect(await warnings()).toEqual([
      'The archive was made at 2025-06-01 00:00:00 UTC: it has nothing from before. A rerun, which lists the bucket instead, does what lies further back.',
    ])
    landfall.archives.createdAt = new Date(world.clock.ms - HOUR * 24 * 900).toISOString()
    expect(await warnings()).toEqual([])
  })
})

describe('the stage and the source of a replay', () => {
  it('are those of a source where it is named by whatever names a run: unzip of a zip, convert of a CSV', async () => {
    const { world, landfall } = await landed()
    const plan = async (source: string) => await planReplay(landfall, { from: at('00:00:00'), source })
    for (const source of ['landing/sales/z.zip', 'old-data/sales/z.zip', 's3://raw/landing/sales/z.zip'])
      expect(await plan(source)).toMatchObject({
        stage: 'unzip',
        dataset: 'sales',
        sourceId: expect.stringMatching(/^z-/),
        key: 'landing/sales/z.zip',
      })
    const run = world.runs().find(({ key }) => key === 'data/sales/a.csv')
    for (const source of ['data/sales/a.csv', run?.sourceId ?? '', run?.runId.slice(0, 8) ?? ''])
      expect(await plan(source)).toMatchObject({ stage: 'convert', sourceId: run?.sourceId })
  })

  it.each<[string, Partial<ReplayAsked>, RegExp]>([
    [
      'neither is named',
      { stage: undefined },
      /^A replay is for one stage\. Name it with --stage: unzip \(.+\), convert \(.+\), partition \(.+\), catalog \(.+\); or name a --source\.$/,
    ],
    [
      'a zip is to be replayed after unzip, naming its members',
      { stage: 'partition', source: 'landing/sales/z.zip' },
      /^landing\/sales\/z\.zip is known to unzip alone: at partition, name one of what came of it:\n {2}data\/sales\/z~\w+\/x\.csv$/,
    ],
    [
      'a CSV is to be replayed at unzip that never heard of it',
      { stage: 'unzip', source: 'data/sales/a.csv' },
      /^data\/sales\/a\.csv did not land in landing\/, so unzip has never heard of it\. Replay it at convert\.$/,
    ],
    ['the dataset is unknown', { dataset: 'nope' }, /^No contract names the dataset "nope"\. Known: sales\.$/],
    ['the source is unknown', { source: 'data/sales/none.csv' }, /^Nothing has landed as data\/sales\/none\.csv/],
  ])('are refused where %s', async (_, asked, words) => {
    await expect(planned(asked)).rejects.toThrow(words)
  })

  it('of a zip is named where its member is to be replayed at unzip', async () => {
    const { world, landfall } = await landed()
    const source = world.runs().find(({ zip }) => zip)?.key ?? ''
    await expect(planReplay(landfall, { from: at('00:00:00'), stage: 'unzip', source })).rejects.toThrow(
      `${source} came in landing/sales/z.zip: unzip knows it by that name.`,
    )
  })
})

describe('a replay', () => {
  it('is started under a name that addresses its stage, for that rule alone, and the ledger has it before', async () => {
    const { world, landfall } = await landed()
    const plan = await planReplay(landfall, { from: at('00:00:00'), to: at('00:30:00'), source: 'data/sales/a.csv' })
    const start = landfall.archives.start.bind(landfall.archives)
    let known: unknown
    landfall.archives.start = async (replay) => {
      known = await replayState(world.books, replay.name)
      return await start(replay)
    }
    const name = await startReplay(landfall, plan, () => 'ab12')
    expect(name).toBe('convert-20260101T010030Z-ab12')
    expect(landfall.archives.started).toEqual([
      {
        name,
        from: at('00:00:00'),
        to: at('00:30:00'),
        rule: 'arn:convert',
        description: 'landfall replay: data/sales/a.csv',
      },
    ])
    expect(known).toMatchObject({
      kind: 'replay',
      stage: 'convert',
      dataset: 'sales',
      sourceId: plan.sourceId,
      from: plan.from,
      to: plan.to,
      startedAt: '2026-01-01T01:00:30.500Z',
    })
    expect(await startReplay(landfall, plan)).toMatch(/^convert-20260101T010030Z-[0-9a-f]{4}$/)
  })

  it('beyond those that AWS runs at once is refused in words', async () => {
    const { landfall } = await landed()
    landfall.archives.most = 1
    const plan = await planReplay(landfall, { stage: 'catalog', from: at('00:00:00') })
    await startReplay(landfall, plan)
    await expect(startReplay(landfall, plan)).rejects.toThrow(
      /^Ten replays are at work in this account and region, and AWS runs no more at once\. Nothing was started/,
    )
  })
})
