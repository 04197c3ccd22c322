import { afterEach, describe, expect, it, vi } from 'vitest'
import { traceText } from '../../../services/cli/trace.ts'
import { picture } from '../../../services/cli/waterfall-text.ts'
import { NoTrace, readTrace, trace } from '../../../services/operations/trace.ts'
import type { Document } from '../../../services/operations/waterfall.ts'
import { traceIdOf } from '../../../services/trace/ids.ts'
import { seeded } from '../../generator/random.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { World } from '../memory/world.ts'
import { ticking } from '../trace/journeys.ts'
import { zipOf } from '../unzip/zips.ts'
import { landfall } from './landfall.ts'

const printed = async (world: World, text: string, width = 80) =>
  traceText(await trace(landfallOf(world), text), world.clock.now(), width)

/** A world in which a job takes two seconds to start, and the next three. */
async function delivered(): Promise<World> {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  for (const starting of [2_000, 3_000]) {
    await world.pump()
    world.clock.advance(starting)
    world.endJobs()
  }
  await world.untilQuiet()
  return world
}

afterEach(() => vi.unstubAllEnvs())

describe('trace', () => {
  it('draws where the time of a delivered file went, to scale', async () => {
    const world = await delivered()
    const text = await printed(world, 'data/sales/a.csv', 65)
    const [run] = world.runs()
    expect(text.split('\n')).toEqual([
      `data/sales/a.csv  (run ${run?.runId.slice(0, 8)}, delivered)`,
      'landed to queryable 7.00 s: starting 5.0, job 2.0',
      '',
      'stage           from    took',
      'convert       0.00 s  3.00 s  ───────────────',
      '  starting    0.00 s  2.00 s  ▒▒▒▒▒▒▒▒▒▒',
      '  job         0.00 s  3.00 s  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒',
      '    working   2.00 s  0.00 s            █',
      '  publishing  3.00 s  0.00 s                 █',
      'partition     3.00 s  4.00 s                 ────────────────────',
      '  starting    3.00 s  3.00 s                 ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒',
      '  job         3.00 s  4.00 s                 ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒',
      '    working   6.00 s  0.00 s                                █',
      '  publishing  7.00 s  0.00 s                                    █',
      'catalog       7.00 s  0.00 s                                    ─',
      '  crawl       7.00 s  0.00 s                                    █',
      '  comparing   7.00 s  0.00 s                                    █',
    ])
  })

  it('says up to now of a run in work', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    world.clock.advance(4_000)
    const text = await printed(world, 'data/sales/a.csv')
    expect(text).toContain('queued, landed 4.00 s ago: job 4.0')
    expect(text).toMatch(/^convert .* 4\.00 s… ─+$/m)
    expect(text).toMatch(/^ {2}job .* 4\.00 s… ▒+$/m)
  })

  it('names below a failed stage why', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('POISON,1'))
    await world.untilQuiet()
    const text = await printed(world, 'data/sales/a.csv')
    expect(text).toMatch(/^landed to failed/m)
    expect(text).toMatch(
      /^convert .+\n {2}└ convert_job_failed: The convert job failed for data\/sales\/a\.csv, the last\s+time alone/m,
    )
  })

  it('paints a failed stage red, where there are colours', async () => {
    vi.stubEnv('FORCE_COLOR', '1')
    const rows = [{ name: 'convert', depth: 0, from: 0, to: 10, failed: 'fault' as const, why: 'Denied' }]
    const red = (text: string) => `\u001b[31m${text}\u001b[39m`
    expect(picture(rows, { from: 0, to: 10 }, 38).slice(1)).toEqual([
      `${red('convert')}  0.00 s  0.01 s  ${red('─'.repeat(13))}`,
      red('  └ Denied'),
    ])
  })

  it("has a line for each member of a zip, from when it came out, and says how the last one's end was", async () => {
    const world = ticking(seeded(1))
    const good = csv('Chad,1')
    world.land('landing/sales/z.zip', await zipOf({ 'x.csv': good, 'y.csv': good, 'bad.csv': 'NOPE\n1' }))
    await world.pump()
    expect(await printed(world, 'landing/sales/z.zip')).toMatch(/^x\.csv +queued .+ s… +░+[░▒]*$/m)
    await world.untilQuiet()
    const text = await printed(world, 'landing/sales/z.zip')
    expect(text).toMatch(/^landed to extracted \d\.\d\d s: working 0\.\d/m)
    expect(text).toMatch(/^x\.csv +delivered +0\.\d\d s +\d\.\d\d s +[░▒█ ]+$/m)
    expect(text).toMatch(/^bad\.csv +refused .+\n {2}└ header_mismatch: The header is NOPE/m)
    expect(text).toMatch(/^3 of 3 members ended, the last \d\.\d\d s after the zip landed\.$/m)
  })

  it("begins a member's own with its zip's extraction", async () => {
    const world = ticking(seeded(2))
    world.land('landing/sales/z.zip', await zipOf({ 'x.csv': csv('Chad,1') }))
    await world.untilQuiet()
    const member = world.runs().find(({ kind }) => kind === 'csv')
    const text = await printed(world, member?.key ?? '')
    expect([...text.matchAll(/^(\w+) .*─/gm)].map(([, name]) => name)).toEqual([
      'unzip',
      'convert',
      'partition',
      'catalog',
    ])
  })

  it('says which clocks differed', async () => {
    const world = ticking(seeded(3), 5_000)
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    const text = await printed(world, 'data/sales/a.csv', 400)
    expect(text).toMatch(/^Clocks differed: .*jobEndedAt of partition.* is drawn where it could be\.$/m)
  })

  it.each([64, 80, 132])('fits %i columns, but for keys in words, which stay whole', async (width) => {
    const world = ticking(seeded(4))
    const long = `${'long '.repeat(20)}name.csv`
    world.land('landing/sales/z.zip', await zipOf({ [long]: csv('Chad,1', 'BAD,2'), 'bad.csv': 'NOPE\n1' }))
    await world.untilQuiet()
    for (const { runId } of world.runs()) {
      const [, ...lines] = (await printed(world, runId, width)).split('\n')
      expect(lines.filter((line) => line.length > width && !/^ *data\/\S+$/.test(line))).toEqual([])
    }
  })

  it('is of no run that is not there', async () => {
    await expect(trace(landfallOf(new World()), 'data/sales/none.csv')).rejects.toThrow('Nothing has landed as')
  })
})

describe('trace --xray', () => {
  const xray = (found: Record<string, Document[]>) => ({ documents: async (id: string) => found[id] })

  it('reads the trace of the run', async () => {
    const world = await delivered()
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    const documents = [{ id: '1', name: 'landfall sales', start_time: 1, end_time: 3.5 }]
    const read = await readTrace({ ...landfallOf(world), traces: xray({ [traceIdOf(run)]: documents }) }, run.runId)
    expect(traceText(read, world.clock.now(), 60)).toMatch(/^landed to queryable 2\.50 s: working 2\.5$/m)
  })

  it('says why there may be none', async () => {
    const world = await delivered()
    const books = { ...landfallOf(world), traces: xray({}) }
    const none = readTrace(books, 'data/sales/a.csv')
    await expect(none).rejects.toThrow(NoTrace)
    await expect(none).rejects.toThrow(/X-Ray has no trace 1-[0-9a-f]{8}-[0-9a-f]{24} of run .* was not sampled, or/)
    world.clock.advance(31 * 24 * 3600 * 1000)
    await expect(readTrace(books, 'data/sales/a.csv')).rejects.toThrow('X-Ray keeps traces for 30 days.')
    world.land('data/sales/b.csv', csv('Chad,1'))
    await world.pump()
    await expect(readTrace(books, 'data/sales/b.csv')).rejects.toThrow('sent when the run ends, and this one is queued')
  })
})

describe('landfall trace', () => {
  it('says that nothing is up', async () => {
    const { code, err } = await landfall(['trace', 'abcd'], { LANDFALL_HOME: '/nowhere' })
    expect(code).toBe(2)
    expect(err).toContain('landfall up')
  })
})
