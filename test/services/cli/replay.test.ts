import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WrongUsage } from '../../../services/cli/exit.ts'
import { outcomeText, planText, type ReplayOptions, replayOn } from '../../../services/cli/replay.ts'
import { replaysOn } from '../../../services/cli/replays.ts'
import { NoReplay, planReplay } from '../../../services/operations/replay.ts'
import { replayable } from '../memory/archives.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'
import { landfall } from './landfall.ts'

const said = { out: '', err: '' }
beforeEach(() => {
  Object.assign(said, { out: '', err: '' })
  for (const [stream, to] of [
    [process.stdout, 'out'],
    [process.stderr, 'err'],
  ] as const)
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said[to] += stripVTControlCharacters(String(text))
      return true
    })
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(Object.assign(process.stdin, { isTTY: false }))
})
afterEach(() => vi.restoreAllMocks())

const from = new Date('2026-01-01')

/** Two files, delivered an hour and half a minute ago. */
async function landed() {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  world.land('data/sales/b.csv', csv('Peru,2'))
  await world.untilQuiet()
  world.clock.ms = Date.parse('2026-01-01T01:00:30.500Z')
  return { world, landfall: replayable(world) }
}
type Place = Awaited<ReturnType<typeof landed>>

/** With all that comes of it. */
async function waited({ world, landfall }: Place, options: Partial<ReplayOptions>): Promise<number> {
  const code = replayOn(landfall, { from, yes: true, wait: true, ...options })
  let done = false
  const end = () => {
    done = true
  }
  code.then(end, end)
  while (!done) {
    await world.untilQuiet()
    await new Promise<void>((resolve) => setTimeout(resolve, 1))
  }
  return await code
}

describe('what replay shows before it asks', () => {
  it('is the stage, the window as EventBridge takes it, what it is for, and what may be missing', async () => {
    const { landfall } = await landed()
    const asked = { from: new Date('2026-01-01T00:00:30Z'), source: 'data/sales/a.csv' }
    expect(stripVTControlCharacters(planText(await planReplay(landfall, asked)))).toBe(
      [
        'Replay at convert: CSVs are typed again.',
        '  events of  2026-01-01 00:00:00 to 2026-01-01 01:00:30 UTC, minute by minute, those of a minute in no order',
        '  only       dataset sales, source data/sales/a.csv',
        'Warning: AWS may take ten minutes to archive an event: of those after 2026-01-01 00:50:30 UTC some may be',
        '  missing. Replay them from 2026-01-01 01:10:30 UTC on to be sure of all.',
      ].join('\n'),
    )
    const all = await planReplay(landfall, { from, to: new Date('2026-01-01T00:30:00Z'), stage: 'catalog' })
    expect(stripVTControlCharacters(planText(all))).toMatch(/^Replay at catalog: .+\n.+\n {2}only {7}all of them$/)
  })
})

describe('replay', () => {
  it('is refused where no one can be asked, after it has shown what it would do, and starts nothing', async () => {
    const place = await landed()
    await expect(replayOn(place.landfall, { from, stage: 'convert' })).rejects.toThrow(
      new WrongUsage(
        '"Replay these events at convert?" is asked on a terminal, and there is none. Nothing was done; --yes answers it beforehand.',
      ),
    )
    expect(said.err).toContain('Replay at convert: CSVs are typed again.')
    expect(place.landfall.archives.started).toEqual([])
  })

  it('with --yes starts it, and says where to look', async () => {
    const { landfall } = await landed()
    expect(await replayOn(landfall, { from, stage: 'convert', yes: true })).toBe(0)
    const [{ name } = { name: '' }] = landfall.archives.started
    expect(said.out).toBe(
      `Started ${name}.\nHow far it is: landfall replays. What comes of it: landfall runs --cause ${name}\n`,
    )
  })

  it('with --wait says how far it is, what it has caused, and ends with 0', async () => {
    const place = await landed()
    expect(await waited(place, { stage: 'convert' })).toBe(0)
    expect(said.err).toMatch(/replay {5}starting\n/)
    expect(said.err).toMatch(/replay {5}completed, up to 2026-01-01 00:00:00 UTC; now what is on its way\n/)
    expect(said.out).toMatch(
      /^\nconvert-20260101T010030Z-[0-9a-f]{4}: completed\n {2}caused {9}2 runs: 2 delivered\n\n/,
    )
    // They landed an hour ago: that is no time of theirs.
    expect(said.out).toMatch(/^sales\/a\.csv +1 +1 +0 +1 +- +delivered$/m)
  })

  it('of files that a newer version has replaced ends with 0, and counts them without a line for each', async () => {
    const place = await landed()
    place.world.land('data/sales/a.csv', csv('Chad,3'))
    await place.world.untilQuiet()
    said.out = ''
    expect(await waited(place, { stage: 'convert' })).toBe(0)
    expect(said.out).toContain('  caused         3 runs: 2 delivered, 1 superseded (a newer version)\n')
    expect(said.out.match(/sales\/a\.csv/g)).toHaveLength(1)
    expect(place.world.rows()).toEqual(['Chad,3', 'Peru,2'])
  })

  it('of what was withdrawn says so, and brings nothing back', async () => {
    const place = await landed()
    await place.world.withdraw('data/sales/a.csv')
    await place.world.untilQuiet()
    expect(await waited(place, { source: 'data/sales/a.csv' })).toBe(0)
    expect(said.out).toContain(
      '  caused         1 run: 1 superseded (withdrawn)\n  skipped        1 event: 1 not for it\n',
    )
    expect(place.world.rows()).toEqual(['Peru,2'])
  })

  it('ends with 1 where a run of it fails', async () => {
    const place = await landed()
    place.world.job.run = () => false
    expect(await waited(place, { source: 'data/sales/a.csv' })).toBe(1)
    expect(said.out).toContain('1 run: 1 failed')
  })

  it('ends with 1 where it was cancelled', async () => {
    const place = await landed()
    const { archives } = place.landfall
    const start = archives.start.bind(archives)
    archives.start = async (replay) => (await start(replay)) && (await archives.cancel(replay.name))
    expect(await waited(place, { stage: 'convert' })).toBe(1)
    expect(said.out).toMatch(/: cancelled\n {2}caused {9}no run\n/)
  })

  it('of catalog names the tables that were compared', async () => {
    expect(await waited(await landed(), { stage: 'catalog' })).toBe(0)
    expect(said.out).toContain(
      '  caused         no run\n  table          sales: catalog and delivery zone were compared, after 2 events\n',
    )
  })

  it('with --json prints one object', async () => {
    expect(await waited(await landed(), { source: 'data/sales/a.csv', json: true })).toBe(0)
    expect(JSON.parse(said.out)).toMatchObject({
      name: expect.stringMatching(/^convert-/),
      stage: 'convert',
      replay: { state: 'completed' },
      runs: [{ key: 'data/sales/a.csv', state: 'delivered', replaces: { accepted: 1 } }],
      members: [],
      skipped: [{ key: 'data/sales/b.csv', reason: 'not_meant' }],
      changes: [],
    })
  })

  it('tells of each source that now has another number of rows', async () => {
    const { world, landfall } = await landed()
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    const change = { run, before: { accepted: 5, rejected: 1 }, after: { accepted: 6, rejected: 0 } }
    const replay = { name: 'convert-x', state: 'completed', from: '', to: '' } as const
    const outcome = { replay, runs: [], members: [], skipped: [], tables: [], changes: [change] }
    expect(stripVTControlCharacters(outcomeText(outcome))).toContain(
      `changed   accepted before  now  rejected before  now  key\n${run.runId.slice(0, 8)}                5    6                1    0  data/sales/a.csv`,
    )
    expect(landfall.archives.started).toEqual([])
  })

  it.each([
    [['replay', '--from', 'yesterday'], 'Expected an age as 2h or 3d, or an ISO 8601 instant'],
    [['replay', '--from', '2h', '--json'], '--json is for programs, which cannot be asked: it needs --yes.'],
  ])('ends with 2 as a command for %j', async (args, words) => {
    vi.restoreAllMocks()
    const { code, out, err } = await landfall(args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(words)
  })
})

describe('replays', () => {
  it('are listed with what came of each, and with what one does about a name that no stage hears', async () => {
    const place = await landed()
    await waited(place, { source: 'data/sales/a.csv' })
    place.world.clock.advance(60_000)
    place.landfall.archives.byHand('once-more')
    said.out = ''
    expect(await replaysOn(place.landfall, { limit: 20 })).toBe(0)
    const [heading, first, second, , ...words] = said.out.split('\n')
    expect(heading).toMatch(
      /^replay +stage +state +events of \(UTC\) +started \(UTC\) +last replayed \(UTC\) +came of it$/,
    )
    expect(first).toMatch(/^once-more +no stage hears it +starting .+ 2026-01-01 01:\d\d:\d\d +- +nothing$/)
    expect(second).toMatch(
      /^convert-\S+ +convert +completed +2026-01-01 00:00:00 to 2026-01-01 01:00:30 +2026-01-01 01:00:30 +2026-01-01 00:00:00 +1 run: 1 delivered; 1 event skipped \(only a-\w+\)$/,
    )
    expect(words.join(' ').replaceAll(/ +/g, ' ')).toContain(
      'The replay "once-more" is heard by no stage, so nothing comes of it: its name must begin with the stage that it is for, unzip-, convert-, partition-, catalog-.',
    )
  })

  it('are none where there are none', async () => {
    expect(await replaysOn((await landed()).landfall, { limit: 20 })).toBe(0)
    expect(said.out).toBe('No replays.\n')
  })

  it('are cancelled by name; one that has ended stays as it is, and one that is none is refused', async () => {
    const { landfall } = await landed()
    landfall.archives.pace = 1
    await replayOn(landfall, { from, stage: 'convert', yes: true, json: true })
    const { name } = JSON.parse(said.out)
    said.out = ''
    await replaysOn(landfall, { limit: 20, cancel: name })
    await landfall.archives.run(name)
    await replaysOn(landfall, { limit: 20, cancel: name })
    expect(said.out).toBe(
      `${name} replays no more. What it has replayed goes on: landfall runs --cause ${name}\n${name} has ended already: there is nothing to cancel.\n`,
    )
    expect((await landfall.archives.replay(name))?.state).toBe('cancelled')
    await expect(replaysOn(landfall, { limit: 20, cancel: 'convert-none' })).rejects.toThrow(
      new NoReplay('EventBridge knows no replay "convert-none" of this archive. landfall replays lists them.'),
    )
  })
})
