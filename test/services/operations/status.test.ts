import { describe, expect, it } from 'vitest'
import { parseContract } from '../../../schemas/contract.ts'
import { statusText } from '../../../services/cli/status.ts'
import { lookForOverdue } from '../../../services/expected/overdue.ts'
import { LEASE_MS } from '../../../services/jobs/dispatch.ts'
import { noteMends } from '../../../services/ledger/sweeps.ts'
import { type Status, status } from '../../../services/operations/status.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { MemoryListing } from '../memory/listing.ts'
import { contract, World } from '../memory/world.ts'

const stageOf = (now: Status, stage: string) => now.stages.find((each) => each.stage === stage)

describe('status', () => {
  it('tells what is in a job, with its run and age, from what waits behind it', async () => {
    const world = new World()
    world.land('data/sales/first.csv', csv('Chad,1'))
    await world.pump()
    world.clock.advance(90_000)
    for (const name of ['b', 'c']) world.land(`data/sales/${name}.csv`, csv('Chad,2'))
    await world.pump()
    world.clock.advance(30_000)
    const convert = stageOf(await status(landfallOf(world)), 'convert')
    expect(convert).toMatchObject({ waiting: 2, atWork: 1, work: { runs: 1, jobRunId: 'jr_1', ageMs: 120_000 } })
    expect(convert?.oldest).toBe('2026-01-01T00:01:30.000Z')
    expect(convert?.work?.overdue).toBe(false)
    world.clock.advance(LEASE_MS)
    expect(stageOf(await status(landfallOf(world)), 'convert')?.work?.overdue).toBe(true)
  })

  it('names what is overdue until it comes', async () => {
    const world = new World()
    const expecting = parseContract({ ...contract, expected: { cron: '0 6 * * *' } })
    const look = () => lookForOverdue({ ledger: world.books, listing: new MemoryListing(world.table) }, expecting)
    await look()
    world.clock.advance(8 * 3_600_000)
    await look()
    const words = 'The file of sales that was due at 2026-01-01 06:00 UTC (cron "0 6 * * *") has not come'
    expect(statusText(await status(landfallOf(world)))).toContain(words)
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    await look()
    const now = await status(landfallOf(world))
    expect(now.overdue).toEqual([])
    expect(statusText(now)).not.toContain('was due')
  })

  it('tells what the sweep mended in the last 24 hours, newest first', async () => {
    const world = new World()
    await noteMends(world.books, [{ dataset: 'sales', stage: 'convert', did: 'long ago' }])
    world.clock.advance(24 * 3_600_000 + 1)
    await noteMends(world.books, [{ dataset: 'sales', stage: 'catalog', did: 'started the crawler' }])
    world.clock.advance(60_000)
    const took = { did: 'took in a file whose event did not come', key: 'data/sales/a.csv', runId: 'abcd' }
    await noteMends(world.books, [{ dataset: 'sales', stage: 'convert', ...took }])
    const now = await status(landfallOf(world))
    expect(now.mended).toEqual([
      { at: '2026-01-02T00:01:00.001Z', dataset: 'sales', stage: 'convert', ...took },
      { at: '2026-01-02T00:00:00.001Z', dataset: 'sales', stage: 'catalog', did: 'started the crawler' },
    ])
    expect(statusText(now).split('\n').slice(-3)).toEqual([
      'at (UTC)             stage    dataset  did',
      '2026-01-02 00:01:00  convert  sales    took in a file whose event did not come: data/sales/a.csv',
      '2026-01-02 00:00:00  catalog  sales    started the crawler',
    ])
  })

  it('tells how far the catalog is behind, and of the crawl at work', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2'))
    for (let i = 0; i < 2; i++) {
      await world.pump()
      world.endJobs()
    }
    await world.pump()
    const now = await status(landfallOf(world))
    expect(stageOf(now, 'catalog')).toMatchObject({ waiting: 1, work: { runs: 1, overdue: false } })
    const { dirty, crawled, crawlStartedAt } = now.datasets[0]?.catalog ?? {}
    expect(dirty).toBeGreaterThan(crawled ?? 0)
    expect(crawlStartedAt).toBeDefined()
    expect(statusText(now)).toMatch(/\d changes? behind, a crawl is at work/)
    await world.untilQuiet()
    expect(statusText(await status(landfallOf(world)))).toContain('up to date')
  })

  it('counts what ended in the last 24 hours by stage, and names what was refused or failed', async () => {
    const world = new World()
    world.land('data/sales/old.csv', 'NOPE\nx')
    await world.untilQuiet()
    world.clock.advance(25 * 3_600_000)
    world.land('data/sales/wrong.csv', 'NOPE\nx')
    world.land('landing/sales/no.zip', 'not a zip')
    world.land('data/sales/poison.csv', csv('POISON,1'))
    world.land('data/sales/some.csv', csv('Chad,1', 'Chad,2', 'Chad,3', 'Chad,4', 'BAD,5'))
    await world.untilQuiet()
    const now = await status(landfallOf(world))
    expect(stageOf(now, 'unzip')).toMatchObject({ refused: 1, failed: 0 })
    expect(stageOf(now, 'convert')).toMatchObject({ refused: 1, failed: 1, rejectedRows: 1, waiting: 0, atWork: 0 })
    expect(now.datasets).toMatchObject([
      { dataset: 'sales', runs: { open: 0, delivered: 1, refused: 2, failed: 1 }, withRejects: 1 },
    ])
    expect(now.troubled.map(({ key, problem }) => `${key} ${problem?.code}`).sort()).toEqual([
      'data/sales/poison.csv convert_job_failed',
      'data/sales/wrong.csv header_mismatch',
      'landing/sales/no.zip not_a_zip',
    ])
    const text = statusText(now)
    expect(text).toMatch(/^[0-9a-f]{8} +2026-01-02 .+ convert +failed +convert_job_failed +data\/sales\/poison\.csv$/m)
    expect(text).not.toContain('old.csv')
  })

  it('counts no more runs of a day than it says, and says so', async () => {
    const world = new World()
    for (const name of ['a', 'b', 'c']) world.land(`data/sales/${name}.csv`, csv('Chad,1'))
    await world.untilQuiet()
    const now = await status(landfallOf(world), 2)
    expect(now).toMatchObject({ complete: false, counted: 2, datasets: [{ runs: { delivered: 2 } }] })
    expect(statusText(now)).toContain('More than 2 runs in 24 hours')
    expect((await status(landfallOf(world), 3)).complete).toBe(true)
  })

  it('shows runs whose folder names no dataset that it was deployed with', async () => {
    const world = new World()
    world.land('data/nobody/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    const now = await status(landfallOf(world))
    expect(now.datasets).toContainEqual(
      expect.objectContaining({ dataset: 'nobody', runs: expect.objectContaining({ refused: 1 }) }),
    )
  })

  it('tells the dead letters of a stage from what EventBridge could not hand to it', async () => {
    const depths = {
      unzip: { waiting: 3, inFlight: 2 },
      'unzip-dead': { waiting: 4, inFlight: 1 },
      'convert-rule': { waiting: 6, inFlight: 0 },
    }
    const now = await status(landfallOf(new World(), depths))
    expect(now.queues.slice(0, 2)).toEqual([
      { stage: 'unzip', waiting: 3, inFlight: 2, dead: 5, undelivered: { Landed: 0 } },
      { stage: 'convert', waiting: 0, inFlight: 0, dead: 0, undelivered: { Landed: 6 } },
    ])
    expect(statusText(now)).toMatch(/^unzip +3 +2 +5 +0\nconvert +0 +0 +0 +6$/m)
    expect(statusText(now)).toContain('landfall redrive says what they are')
    expect(statusText(await status(landfallOf(new World())))).not.toContain('landfall redrive')
  })
})
