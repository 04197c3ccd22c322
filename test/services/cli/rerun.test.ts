import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WrongUsage } from '../../../services/cli/exit.ts'
import { liveLine } from '../../../services/cli/live-line.ts'
import { listen } from '../../../services/cli/process.ts'
import { listOf, type RerunOptions, rerunOn } from '../../../services/cli/rerun.ts'
import { endedText, listText, progressWords, touchesText } from '../../../services/cli/rerun-text.ts'
import { openRerun, type RerunRow, type RerunState } from '../../../services/ledger/reruns.ts'
import { NotRerunnable } from '../../../services/operations/rerun.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { contractOfVersion, World } from '../memory/world.ts'
import { landfall as command } from './landfall.ts'

const said = { out: '', err: '' }
beforeEach(() => {
  Object.assign(said, { out: '', err: '' })
  for (const [stream, to] of [
    [process.stdout, 'out'],
    [process.stderr, 'err'],
  ] as const)
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said[to] += String(text)
      return true
    })
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(Object.assign(process.stdin, { isTTY: false }))
})
afterEach(() => vi.restoreAllMocks())

const STATE: RerunState = {
  kind: 'rerun',
  dataset: 'sales',
  rerun: 'rerun-r1',
  execution: 'r1',
  prefix: 'data/sales/',
  startedAt: '2026-01-01T00:00:00.000Z',
  settledAt: '2026-01-01T00:01:00.000Z',
  listed: 2,
  totals: { delivered: 2 },
  failures: 0,
}
const delivered = (key: string, accepted: number, rejected: number, before: [number, number]): RerunRow => ({
  key,
  state: 'delivered',
  accepted,
  rejected,
  before: { runId: 'b', accepted: before[0], rejected: before[1] },
})

describe('what rerun shows beforehand', () => {
  const input = { dataset: 'sales', prefix: 'data/sales/' }
  const text = (...args: Parameters<typeof touchesText>) => touchesText(...args).replaceAll('\n', ' ')

  it('is how many files, how large, and what is done with them', () => {
    expect(text(input, { files: 1200, bytes: 5_400_000, landed: 1200, fitting: 1200 })).toBe(
      'Below data/sales/ are 1,200 files (5.4 MB). Each is typed and partitioned again by jobs, as if it had just landed, under the contract that is deployed, and its rows in the table are replaced.',
    )
  })

  it('is which of them landed since, and which ended so, if that is known', () => {
    const asked = { ...input, only: ['failed' as const, 'refused' as const], since: '2026-01-01T00:00:00.000Z' }
    expect(text(asked, { files: 50, bytes: 10, landed: 20, fitting: 2 })).toMatch(
      /^Below data\/sales\/ are 50 files, of which 20 landed since 2026-01-01T00:00:00.000Z. 2 of them ended as failed or refused last and run again \(10 bytes\). Each/,
    )
    expect(text(asked, { files: 5000, bytes: 10, landed: 2000 })).toContain(
      'Only those whose last run ended as failed or refused run again.',
    )
  })

  it('is that zips are unzipped again, and that a dry run leaves the table', () => {
    const extent = { files: 1, bytes: 10, landed: 1, fitting: 1 }
    expect(text({ ...input, prefix: 'landing/sales/' }, extent)).toContain(
      'Each is unzipped again, as if it had just landed; its members then are files that have landed.',
    )
    const versions = { served: 1, deployed: 2 }
    expect(text({ ...input, dryRun: true }, extent, versions)).toMatch(
      /beside the table: people go on seeing version 1\.$/,
    )
    expect(text(input, extent, versions)).toMatch(
      /people go on seeing version 1, and are switched to version 2 at the end, if each source of theirs is in it\.$/,
    )
  })
})

describe('the progress of a rerun', () => {
  it('is how many are listed, have not ended, and ended how', () => {
    const progress = { listed: 1203, pending: 1200, totals: { failed: 1, delivered: 2 } }
    expect(progressWords('r1', { phase: 'starting', listed: 0, pending: 0, totals: {} })).toBe('r1: starting')
    expect(progressWords('r1', { phase: 'listing', ...progress })).toBe(
      'r1: 1,203 listed so far, 1,200 not ended, 2 delivered, 1 failed',
    )
    expect(progressWords('r1', { phase: 'at work', ...progress, totals: {} })).toBe('r1: 1,203 listed, 1,200 not ended')
  })

  it('is one line of a terminal, drawn again and no longer than that is wide', () => {
    const written: string[] = []
    const line = liveLine({ isTTY: true, columns: 20, write: (text) => written.push(text) }, () => 0)
    line.show('r1: starting')
    line.show('r1: 1,203 listed, and more')
    line.end()
    line.end()
    expect(written).toEqual(['\r   0.0 s  r1: start\x1b[K', '\r   0.0 s  r1: 1,203\x1b[K', '\n'])
  })

  it('is elsewhere a line now and then, and none without news', () => {
    const written: string[] = []
    let now = 0
    const line = liveLine({ write: (text) => written.push(text) }, () => now)
    const show = (at: number, text: string) => {
      now = at
      line.show(text)
    }
    show(0, 'one')
    show(1000, 'two')
    show(6000, 'three')
    show(12_000, 'three')
    line.end()
    expect(written).toEqual(['   0.0 s  one\n', '   6.0 s  three\n'])
  })
})

describe('how a rerun ended', () => {
  it('is its totals, and per source what is different', () => {
    const rows = [delivered('data/sales/a.csv', 90, 10, [100, 0]), delivered('data/sales/b.csv', 7, 0, [7, 0])]
    expect(endedText(STATE, rows).split('\n')).toEqual([
      'r1 succeeded: 2 files listed: 2 delivered.',
      '',
      'different now     accepted before  after  rejected before  after',
      'data/sales/a.csv              100     90                0     10',
    ])
    expect(endedText(STATE, rows.slice(1))).toContain(
      'As many rows are accepted and rejected of each source as before.',
    )
  })

  it('is which sources are not current, and why, at most 20 of them', () => {
    const bad = Array.from({ length: 21 }, (_, i): RerunRow => {
      const problem = { code: 'header_mismatch', message: `Header ${i} is wrong.` }
      return { key: `data/sales/${i}.csv`, state: 'refused', problem }
    })
    const text = endedText({ ...STATE, listed: 21, totals: { refused: 21 }, failures: 21 }, bad)
    const lines = text.split('\n')
    expect(lines.slice(0, 4)).toEqual([
      'r1 failed: 21 files listed: 21 refused.',
      '',
      'ended    why              not current',
      'refused  header_mismatch  data/sales/0.csv',
    ])
    expect(text).toContain('\n… and 1 more: --json has all.\n')
    expect(text).toContain('data/sales/19.csv  Header 19 is wrong.')
    expect(text).not.toContain('Header 20')
  })

  it('is that not all could be asked for, and which version people see', () => {
    expect(endedText({ ...STATE, listingFailed: 'There are 3 keys or more.' }, [])).toMatch(
      /^r1 failed: .*\n\nThere are 3 keys or more\.$/s,
    )
    expect(endedText({ ...STATE, served: { outcome: 'served', version: 2 } }, [])).toContain(
      'People see version 2 of sales since now.',
    )
    expect(endedText({ ...STATE, served: { outcome: 'unserved', version: 1, sources: 3 } }, [])).toContain(
      'People go on seeing version 1: 3 sources of it are not in the one that is deployed.',
    )
    expect(endedText({ ...STATE, dryRun: true }, [])).toContain(
      'People see what they saw before. landfall rerun sales types all again and switches the table.',
    )
  })

  it('has no control character of what others wrote', () => {
    const problem = { code: 'x', message: 'a\u001b[31m' }
    const text = endedText({ ...STATE, failures: 1 }, [{ key: 'data/sales/\u0007.csv', state: 'failed', problem }])
    expect(text).toContain('data/sales/\\x07.csv')
    expect(text).toContain('a\\x1b[31m')
  })
})

it('the list of reruns is a line each, and why those failed that did', () => {
  expect(listText([])).toBe('No reruns.')
  const line = { execution: 'e', dataset: 'sales', startedAt: '2026-01-01T00:00:00.000Z', prefix: 'data/sales/' }
  const words = '2 of 3 sources are not current:\na\nb'
  expect(
    listText([
      { ...line, name: 'r2', state: 'at work', listed: 50, pending: 20, totals: { delivered: 30 }, failures: 0 },
      { ...line, name: 'r1', state: 'failed', only: ['failed'], totals: { failed: 2 }, failures: 2, words },
    ]).split('\n'),
  ).toEqual([
    'rerun  dataset  started (UTC)        state           ended         of',
    'r2     sales    2026-01-01 00:00:00  30 of 50 ended  30 delivered  data/sales/, all',
    'r1     sales    2026-01-01 00:00:00  failed          2 failed      data/sales/, only failed',
    '',
    'r1',
    '  2 of 3 sources are not current:',
    '  a',
    '  b',
  ])
})

async function place() {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  world.land('data/sales/b.csv', 'WRONG\n1')
  world.land('data/sales/c.csv', csv('Peru,POISON'))
  await world.untilQuiet()
  const landfall = landfallOf(world)
  /** While the world goes on. */
  const rerun = async (options: RerunOptions = {}, dataset?: string) => {
    const following = rerunOn(landfall, dataset, { yes: true, ...options })
    const begun = () => world.books && openRerun(world.books, 'sales')
    await Promise.race([following.catch(() => {}), expect.poll(begun).toBeDefined()])
    await world.untilQuiet()
    return await following
  }
  return { world, landfall, rerun }
}

describe('rerun', () => {
  it('is refused where no one can be asked, after it has shown what it would run, and starts nothing', async () => {
    const { landfall } = await place()
    await expect(rerunOn(landfall, 'sales', {})).rejects.toThrow(
      new WrongUsage(
        '"Run sales again?" is asked on a terminal, and there is none. Nothing was done; --yes answers it beforehand.',
      ),
    )
    expect(said.err).toContain('Below data/sales/ are 3 files (')
    expect(landfall.machine.started).toEqual([])
  })

  it('ends with 1 and the sources that are not current, and with 0 when those that failed are mended', async () => {
    const { world, rerun } = await place()
    expect(await rerun()).toBe(1)
    expect(said.err).toMatch(/Started sales-20260101T\d{6}-[0-9a-f]{4}\.\n/)
    expect(said.out).toMatch(/ failed: 3 files listed: 1 delivered, 1 refused, 1 failed\.\n/)
    expect(said.out).toContain('convert_job_failed  data/sales/c.csv')
    world.job.poison = undefined
    said.out = ''
    expect(await rerun({ only: ['failed'] })).toBe(0)
    expect(said.out).toMatch(/ succeeded: 3 files listed: 1 delivered, 2 skipped\.\n/)
    expect(world.rows()).toEqual(['Chad,1', 'Peru,POISON'])
  })

  it('as JSON is all rows', async () => {
    const { rerun } = await place()
    expect(await rerun({ json: true, prefix: 'a' })).toBe(0)
    const { state, rows, joined } = JSON.parse(said.out)
    expect({ joined, listed: state.listed, rows }).toMatchObject({
      joined: false,
      listed: 1,
      rows: [{ key: 'data/sales/a.csv', state: 'delivered', before: { accepted: 1 } }],
    })
  })

  it('does not wait where it should not, and is followed by the same command later, unasked', async () => {
    const { world, landfall, rerun } = await place()
    expect(await rerunOn(landfall, 'sales', { yes: true, wait: false, prefix: 'a' })).toBe(0)
    expect(said.out).toBe('landfall rerun --list shows how far it is.\n')
    expect(await rerun({ prefix: 'a', yes: false })).toBe(0)
    expect(said.err).toContain('A rerun of sales for the same is at work already: sales-')
    expect(landfall.machine.started).toHaveLength(1)
    expect(world.runs()).toHaveLength(4)
  })

  it('of what nothing fits starts nothing, and of what is not there is refused', async () => {
    const { landfall } = await place()
    expect(await rerunOn(landfall, 'sales', { yes: true, only: ['failed'], prefix: 'a' })).toBe(0)
    expect(said.out).toBe('Nothing to run again: none of the 1 files below data/sales/a, only failed fits.\n')
    await expect(rerunOn(landfall, 'sales', { yes: true, prefix: 'x' })).rejects.toThrow(
      new NotRerunnable('No file of the raw zone is below data/sales/x.'),
    )
    await expect(rerunOn(landfall, 'sale', { yes: true })).rejects.toThrow(
      new WrongUsage('No dataset "sale" is deployed (deployed: sales).'),
    )
    const several = { ...landfall, datasets: ['costs', 'sales'] }
    await expect(rerunOn(several, undefined, { yes: true })).rejects.toThrow(
      new WrongUsage('Name the dataset to run again (deployed: costs, sales).'),
    )
    expect(landfall.machine.started).toEqual([])
  })

  it('of more than one takes is refused before it is started', async () => {
    const { landfall } = await place()
    const s3 = {
      send: async () => ({ Contents: Array.from({ length: 80_000 }, (_, i) => ({ Key: `data/sales/${i}`, Size: 1 })) }),
    }
    await expect(rerunOn({ ...landfall, s3: s3 as never }, 'sales', { yes: true })).rejects.toThrow(
      'There are 80,000 files below data/sales/, and one rerun takes fewer than 80,000. Run them again by several longer --prefix.',
    )
  })

  it('dry is refused where it would change the table, and else is told to the machine', async () => {
    const { world, landfall, rerun } = await place()
    await expect(rerunOn(landfall, 'sales', { yes: true, dryRun: true })).rejects.toThrow(
      /^There is nothing to try: people see the version of the contract of sales that is deployed \(1\), so that a rerun writes to their table\./,
    )
    expect(landfall.machine.started).toEqual([])
    world.deploy(contractOfVersion(2))
    expect(await rerun({ dryRun: true, prefix: 'a' })).toBe(0)
    expect(landfall.machine.started[0]?.input).toMatchObject({ dryRun: true })
    expect(said.out).toContain('People see what they saw before.')
  })

  it('that nothing fits is started all the same where its end has the table to switch', async () => {
    const { world, landfall, rerun } = await place()
    await world.withdraw('data/sales/b.csv')
    await world.withdraw('data/sales/c.csv')
    await world.untilQuiet()
    world.deploy(contractOfVersion(2))
    world.land('data/sales/a.csv', csv('Chad,2'))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    expect(await rerun({ only: ['failed'] })).toBe(0)
    expect(said.out).toContain('People see version 2 of sales since now.')
    expect(world.rows()).toEqual(['Chad,2@v2'])
    expect(landfall.machine.started).toHaveLength(1)
  })

  it('that another has overtaken is refused in the words of its machine', async () => {
    const { world, landfall } = await place()
    const start = landfall.machine.start.bind(landfall.machine)
    landfall.machine.start = async (name, input) => {
      await world.rerun('other')
      return await start(name, input)
    }
    await expect(rerunOn(landfall, 'sales', { yes: true })).rejects.toThrow(
      new NotRerunnable('RerunAtWork: A rerun of sales is at work, and a dataset has one at a time.'),
    )
  })

  it('lists, as text and as JSON', async () => {
    const { landfall, rerun } = await place()
    await rerun()
    said.out = ''
    expect(await listOf(landfall, undefined, {})).toBe(0)
    expect(said.out).toMatch(/^rerun +dataset +started \(UTC\) +state +ended +of\nsales-\S+ +sales .* failed /)
    said.out = ''
    expect(await listOf(landfall, 'sales', { json: true })).toBe(0)
    expect(JSON.parse(said.out)).toMatchObject([{ dataset: 'sales', state: 'failed', failures: 2 }])
  })

  it('as a command ends with 2 where --json has no --yes, and where --list is asked to start one', async () => {
    vi.restoreAllMocks()
    const { code, err } = await command(['rerun', '--json'])
    expect([code, err]).toEqual([2, 'error: --json is for programs, which cannot be asked: it needs --yes.\n'])
    const list = await command(['rerun', '--list', '--only', 'failed'])
    expect([list.code, list.err]).toEqual([
      2,
      'error: --list shows the reruns that there are: of the other options it takes --json and --aws.\n',
    ])
  })

  // The last one: the process stays interrupted.
  it('is left at work by Ctrl-C, which says how it can be seen again', async () => {
    const { world, landfall } = await place()
    listen()
    const following = rerunOn(landfall, 'sales', { yes: true })
    await expect.poll(() => said.err).toContain('3 listed')
    process.emit('SIGINT')
    await expect(following).rejects.toThrow('aborted')
    expect(said.err).toMatch(
      /The rerun sales-\S+ goes on\. See landfall rerun --list; the same command as before follows it again\.\n$/,
    )
    expect(said.err).not.toContain('cleaning up')
    expect(await openRerun(world.books, 'sales')).toBeDefined()
  })
})
