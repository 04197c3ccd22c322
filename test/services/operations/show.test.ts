import { describe, expect, it } from 'vitest'
import { showText } from '../../../services/cli/show.ts'
import { show } from '../../../services/operations/show.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const shown = (world: World, text: string) => show(landfallOf(world), text)
const printed = async (world: World, text: string) => showText(await shown(world, text), world.clock.now())

describe('show', () => {
  it('leads from a zip over its members and parts to the partitions', async () => {
    const world = new World()
    const rows = csv('Chad,1', "Cote d'Ivoire,2", 'Chad,3', 'Chad,4', 'BAD,5')
    world.land('landing/sales/z.zip', await zipOf({ 'x.csv': rows, 'note.txt': '?' }))
    await world.untilQuiet()
    const zip = await shown(world, 'landing/sales/z.zip')
    expect(zip.members).toMatchObject([{ name: 'x.csv', run: { state: 'delivered', rowsIn: 5 } }])
    const member = await shown(world, zip.members?.[0]?.key ?? '')
    expect(member.zip?.key).toBe('landing/sales/z.zip')
    expect(member.parts).toEqual([expect.stringMatching(/^data\/sales\/x-\w+\/\w+-00001-of-00001\.parquet$/)])
    expect(member.partitions.map(({ value, keys }) => [value, keys.length])).toEqual([
      ['Chad', 1],
      ["Cote d'Ivoire", 1],
    ])
    expect(member.balance).toEqual({
      rowsIn: 5,
      accepted: 4,
      rejected: 1,
      inProcessing: 4,
      inDelivery: 4,
      holds: true,
    })
    const text = await printed(world, member.run.runId)
    expect(text).toContain('5 rows in = 4 accepted + 1 rejected; 4 in processing; 4 in delivery: it balances')
    expect(text).toMatch(/landing\/sales\/z\.zip .+\n +└─ data\/sales\/z~.+\n +└─ data\/sales\/x-.+\n +└─ 2 objects/)
    expect(await printed(world, 'landing/sales/z.zip')).toContain('note.txt  (skipped: not a CSV)')
  })

  it('says where the time went, and which job runs it was in, also when their batches are long gone', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    for (const starting of [2_000, 3_000]) {
      await world.pump()
      world.clock.advance(starting)
      world.endJobs()
    }
    await world.untilQuiet()
    const { times, jobs } = await shown(world, 'data/sales/a.csv')
    expect(times.map(({ stage }) => stage)).toEqual(['convert', 'partition', 'catalog'])
    // The job of the memory world works in no time, and its run ends a second after.
    expect(times.slice(0, 2)).toEqual([
      { stage: 'convert', waited: 0, starting: 2000, working: 0, job: 3000, took: 3000 },
      { stage: 'partition', waited: 0, starting: 3000, working: 0, job: 4000, took: 4000 },
    ])
    expect(jobs).toEqual([
      { stage: 'convert', batch: expect.stringMatching(/^sales~/), jobRunId: 'jr_1' },
      { stage: 'partition', batch: expect.stringMatching(/^sales~/), jobRunId: 'jr_2' },
    ])
  })

  it('says what a run cost, by part, under which contract and code, and what is not counted', async () => {
    const world = new World()
    world.land('landing/sales/z.zip', await zipOf({ 'x.csv': csv('Chad,1', 'Mali,2') }))
    await world.untilQuiet()
    const zip = await shown(world, 'landing/sales/z.zip')
    const member = await shown(world, zip.members?.[0]?.key ?? '')
    expect(member.cost.parts.map(({ part }) => part)).toEqual([
      'unzip',
      'convert job',
      'partition job',
      'crawl',
      // Publishing costs nothing here: a function of the memory world takes no time.
      'S3 writes',
    ])
    // The whole zip is this one's.
    expect(member.cost.usd).toBeCloseTo(zip.cost.usd + (zip.membersCostUsd ?? 0), 12)
    await world.books.update(member.run, { contractVersion: 3, code: '0.1.0+a', endedCode: '0.1.0+b' })
    const text = showText(await shown(world, member.run.runId), world.clock.now(), 'aws')
    expect(text).toMatch(/^ {2}contract +version 3 of sales$/m)
    expect(text).toMatch(/^ {2}code +0\.1\.0\+a when it was registered, 0\.1\.0\+b when it ended$/m)
    expect(text).toMatch(/^convert job +0\.0\d{3} +at most 8 DPU for \S+ s, billed as 60 s$/m)
    expect(text).toMatch(/^in all +0\.\d{4}$/m)
    const words = text.replaceAll(/\s+/g, ' ')
    expect(words).toContain('An estimate, at list prices as read on 2026-11-24, without regional differences')
    expect(words).toContain('Not counted: reading and listing S3; storage; the ledger (DynamoDB);')
    expect(words).toContain('The part of unzip is its share of what the zip cost.')
    expect(await printed(world, 'landing/sales/z.zip')).toMatch(/Its members cost\s+\$0\.\d{4} beside that\./)
    expect(await printed(world, member.run.runId)).toContain('On a laptop it cost nothing: an estimate of what it')
  })

  it('names the job run of a file that failed, what is wrong and what to do', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('POISON,1'))
    await world.untilQuiet()
    const { jobs, advice } = await shown(world, 'data/sales/a.csv')
    // The second: it was tried again alone.
    expect(jobs).toMatchObject([{ stage: 'convert', jobRunId: 'jr_2' }])
    expect(advice).toContain("Read the job run's log")
    const text = await printed(world, 'data/sales/a.csv')
    expect(text).toMatch(
      /^Problem: convert_job_failed\n {2}The convert job failed for data\/sales\/a\.csv, the last time alone/m,
    )
  })

  it('shows the older and newer runs of a source, and whose rows are in the table', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    world.land('data/sales/a.csv', csv('Chad,2'))
    await world.untilQuiet()
    world.land('data/sales/a.csv', 'NOPE\nx')
    await world.untilQuiet()
    const [first, second, third] = world.runs().map(({ runId }) => runId)
    const refused = await shown(world, 'data/sales/a.csv')
    expect(refused).toMatchObject({ run: { runId: third, state: 'refused' }, inTable: false, inTableInstead: second })
    expect(refused.others.map(({ runId }) => runId)).toEqual([second, first])
    expect(refused.parts).toEqual([])
    expect(await shown(world, second ?? '')).toMatchObject({
      inTable: true,
      others: [{ runId: third }, { runId: first }],
    })
    const text = await printed(world, first ?? '')
    expect(text).toContain(`no: the rows of run ${second?.slice(0, 8)} are there for this source`)
    expect(text).toMatch(new RegExp(`^${third?.slice(0, 8)} +newer .+refused`, 'm'))
  })

  it('names the replay that caused a run, whose typed rows it took, and the run that it was to replace', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1', 'Chad,2', 'Chad,3', 'Chad,4', 'BAD,5'))
    await world.untilQuiet()
    world.clock.advance(3_600_000)
    const name = world.replay('partition')
    await world.untilQuiet()
    const [live, again] = world.runs()
    const { parts, landedToQueryable, balance } = await shown(world, again?.runId ?? '')
    expect(parts).toEqual([expect.stringContaining(`${live?.runId}-00001`)])
    expect(landedToQueryable).toBeUndefined()
    expect(balance.holds).toBe(true)
    const text = await printed(world, again?.runId ?? '')
    expect(text).toContain(`${again?.runId}, by replay ${name}\n`)
    expect(text).toMatch(new RegExp(`^ {2}typed by +run ${live?.runId.slice(0, 8)}$`, 'm'))
    expect(text).toMatch(new RegExp(`^ {2}instead of +run ${live?.runId.slice(0, 8)}, 4 accepted, 1 rejected$`, 'm'))
    expect(text).not.toContain('queryable')
    expect((await shown(world, live?.runId ?? '')).landedToQueryable).toBeGreaterThan(0)
    await world.rerun('full')
    await world.untilQuiet()
    expect(await printed(world, world.runs().at(-1)?.runId ?? '')).toMatch(/, by rerun-full\n/)
  })

  it('waits for no zip since it landed where a replay extracts it', async () => {
    const world = new World()
    world.land('landing/sales/z.zip', await zipOf({ 'x.csv': csv('Chad,1') }))
    await world.untilQuiet()
    world.clock.advance(3_600_000)
    const name = world.replay('unzip')
    await world.untilQuiet()
    const zip = world.runs().find(({ cause }) => cause === name)
    expect((await shown(world, zip?.runId ?? '')).times).toMatchObject([{ stage: 'unzip', waited: 0 }])
  })

  it('says where an open run is: in which job, or waiting for one', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    world.land('data/sales/b.csv', csv('Chad,1'))
    await world.pump()
    world.clock.advance(180_000)
    expect((await shown(world, 'data/sales/a.csv')).now).toMatchObject({
      stage: 'convert',
      doing: 'works',
      jobRunId: 'jr_1',
    })
    expect((await shown(world, 'data/sales/b.csv')).now).toMatchObject({ stage: 'convert', doing: 'waits' })
    expect(await printed(world, 'data/sales/a.csv')).toContain(
      'queued: convert works on it since 3 min, in job run jr_1',
    )
    expect(await printed(world, 'data/sales/b.csv')).toContain('queued: waits for convert since 3 min')
  })

  it('keeps control characters of a key from the terminal', async () => {
    const world = new World()
    world.land('data/sales/\u001b[2Jx.csv', csv('Chad,1'))
    await world.untilQuiet()
    const text = await printed(world, 'data/sales/\u001b[2Jx.csv')
    expect(text).toContain('data/sales/\\x1b[2Jx.csv')
    expect(text).not.toContain('\u001b[2J')
  })

  it('does not say that books balance that do not', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    await world.books.update(run, { deliveredRows: 2 })
    expect((await shown(world, run.runId)).balance.holds).toBe(false)
    expect(await printed(world, run.runId)).toContain('it does not balance')
  })
})
