import { describe, expect, it } from 'vitest'
import type { SourceReport } from '../../../schemas/report.ts'
import { MAX_RECEIVES } from '../../../services/lambda/receives.ts'
import { slotKey } from '../../../services/ledger/queue.ts'
import { type Call, hearing, refusing } from '../memory/calls.ts'
import { csv, HEADER } from '../memory/engine.ts'
import { DELIVERY, PROCESSING, QUARANTINE, World } from '../memory/world.ts'

async function atWork(files: Record<string, string>) {
  const world = new World()
  // The first holds the slot, so that the others go together.
  world.land('data/sales/0.csv', csv('Chad,0'))
  await world.pump()
  for (const [name, text] of Object.entries(files)) world.land(`data/sales/${name}.csv`, text)
  await world.pump()
  world.endJobs()
  await world.pump()
  return world
}
const ends = (world: World) =>
  Object.fromEntries(world.runs().map(({ key, state }) => [key.slice('data/sales/'.length, -'.csv'.length), state]))
const problemOf = (world: World, name: string) =>
  world.runs().find(({ key }) => key === `data/sales/${name}.csv`)?.problem

describe('the balance', () => {
  const lies: [string, (report: SourceReport) => SourceReport, string][] = [
    ['a row that is neither accepted nor rejected', (r) => ({ ...r, rowsIn: r.rowsIn + 1 }), '6 rows in, 4 accepted'],
    ['accepted rows that were not written', (r) => ({ ...r, parts: [] }), '4 accepted (0 written)'],
    [
      'more rows written than accepted',
      (r) => ({ ...r, parts: r.parts.map((part) => ({ ...part, rows: part.rows + 1 })) }),
      '4 accepted (5 written)',
    ],
    ['rejected rows that were not kept', (r) => ({ ...r, rejects: null }), '1 rejected (0 kept)'],
  ]
  it.each(lies)('fails a conversion with %s, and publishes nothing', async (_, lie, words) => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1', 'Chad,2', 'Chad,3', 'Chad,4', 'BAD,5'))
    await world.pump()
    world.endJobs(lie)
    await world.pump()
    expect(ends(world)).toEqual({ a: 'failed' })
    expect(problemOf(world, 'a')).toMatchObject({ code: 'imbalance', message: expect.stringContaining(words) })
    expect(problemOf(world, 'a')?.message).toContain('Nothing of it was published.')
    expect(world.objects.keys(PROCESSING)).toEqual([])
    expect(world.idle()).toBe(true)
  })

  it.each([
    ['rows that were lost on the way', (r: SourceReport) => ({ ...r, rowsIn: r.rowsIn - 1 }), '1 in the processing'],
    ['rows that were not written', (r: SourceReport) => ({ ...r, parts: r.parts.slice(1) }), '1 partitioned'],
  ])('fails a partitioning with %s, and publishes nothing', async (_, lie, words) => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2'))
    await world.pump()
    world.endJobs()
    await world.pump()
    world.endJobs(lie)
    await world.pump()
    expect(problemOf(world, 'a')).toMatchObject({ code: 'imbalance', message: expect.stringContaining(words) })
    expect(world.objects.keys(DELIVERY)).toEqual([])
    expect(world.idle()).toBe(true)
  })

  it('fails a source of which the report says nothing, and delivers its neighbours', async () => {
    const world = await atWork({ a: csv('Chad,1'), b: csv('Chad,2') })
    world.endJobs((report) => (report.sourceId.startsWith('a-') ? { ...report, runId: 'another' } : report))
    await world.untilQuiet()
    expect(ends(world)).toEqual({ 0: 'delivered', a: 'failed', b: 'delivered' })
    expect(problemOf(world, 'a')?.message).toMatch(
      /^The report of batch sales~\S+ says nothing of data\/sales\/a\.csv\.$/,
    )
  })
})

describe('a refused file', () => {
  it('leaves the last good version in the table, and says why', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    world.land('data/sales/a.csv', 'WRONG\nChad,2')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    const message = `The header is WRONG, not ${HEADER}.`
    expect(world.runs()[1]).toMatchObject({ state: 'refused', problem: { code: 'header_mismatch', message } })
    const [words] = world.objects.texts(QUARANTINE, 'refused/').values()
    expect(JSON.parse(words ?? '')).toMatchObject({ key: 'data/sales/a.csv', message })
  })

  it('is one with more rejects than its contract takes: none of it is taken, and the rejects are kept', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1', 'BAD,2'))
    await world.untilQuiet()
    expect(world.runs()[0]).toMatchObject({ state: 'refused', rowsIn: 2, rejected: 1 })
    expect(problemOf(world, 'a')?.message).toBe(
      '1 of 2 rows of data/sales/a.csv are bad (50 %); the contract takes at most 20 %, so none was taken. Mostly: not_an_integer in column "N" (1 rows). Mend the file, or the contract\'s maxRejectShare, and land it again.',
    )
    expect(world.objects.keys(QUARANTINE, 'rejects/')).toHaveLength(1)
    expect(world.rows()).toEqual([])
  })
})

describe('a job without a report', () => {
  it('is repeated by halves, so that the bad one fails alone', async () => {
    const world = await atWork({ a: csv('Chad,1'), bad: csv('POISON,1'), c: csv('Chad,3') })
    await world.untilQuiet()
    expect(ends(world)).toEqual({ 0: 'delivered', a: 'delivered', bad: 'failed', c: 'delivered' })
    expect(problemOf(world, 'bad')?.message).toMatch(
      /^The convert job failed for data\/sales\/bad\.csv, the last time alone: Out of memory \(job run jr_\d+\)$/,
    )
  })

  it('costs some two jobs for each halving, not one for each neighbour', async () => {
    const many = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`f${i}`, csv(`Chad,${i + 10}`)]))
    const world = await atWork({ ...many, f40: csv('POISON,1') })
    const before = world.glue.jobs.length
    await world.untilQuiet()
    expect(Object.entries(ends(world)).filter(([, state]) => state !== 'delivered')).toEqual([['f40', 'failed']])
    const jobs = world.glue.jobs.slice(before).filter(({ job }) => job === 'convert')
    expect(jobs).toHaveLength(2 * Math.log2(64))
  })

  it('gives a source that was alone one more try', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    world.endJob('jr_1', 'convert', 'TIMEOUT')
    await world.untilQuiet()
    expect(ends(world)).toEqual({ a: 'delivered' })
  })

  it('is also one whose report cannot be read', async () => {
    const world = await atWork({ a: csv('Chad,1'), b: csv('Chad,2') })
    const broken = (report: SourceReport) => ({
      ...report,
      rowsIn: report.sourceId.startsWith('a-') ? 0.5 : report.rowsIn,
    })
    for (let round = 0; round < 4; round++) {
      world.endJobs(broken)
      await world.pump()
    }
    await world.untilQuiet()
    expect(ends(world)).toEqual({ 0: 'delivered', a: 'failed', b: 'delivered' })
    expect(problemOf(world, 'a')?.message).toContain('ended without a readable report')
  })
})

describe('a source that cannot be published', () => {
  /** Of `a`, copies into the delivery zone are denied, but for those of one country, until it is mended. */
  function halfDenied(may?: string) {
    let isMended = false
    const denied = refusing(({ name, args }) => {
      const { bucket, key } = (args[1] ?? {}) as { bucket?: string; key?: string }
      const isHit = name === 'copy' && bucket === DELIVERY && key?.includes('/a-') && !(may && key.includes(may))
      return isHit && !isMended ? new Error('no s3:PutObject') : undefined
    })
    return {
      world: new World(denied),
      mend: () => {
        isMended = true
      },
    }
  }

  it('fails after as many attempts as a message has, and keeps no one waiting', async () => {
    const { world } = halfDenied()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    world.land('data/sales/b.csv', csv('Chad,2'))
    await world.untilQuiet()
    expect(ends(world)).toEqual({ a: 'failed', b: 'delivered' })
    expect(problemOf(world, 'a')).toEqual({
      code: 'partition_unfinished',
      message:
        'A part of data/sales/a.csv may be in the table, and the rest is not: What the partition job made of data/sales/a.csv could not be published in 5 attempts (Error: no s3:PutObject). It is tried again each hour, and needs no landing when the cause is mended.',
    })
  })

  it('is finished within the hour when that is mended, though what has landed since is refused', async () => {
    const { world, mend } = halfDenied('Chad')
    world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2'))
    await world.untilQuiet()
    expect(world.rows(), 'the half that nobody may take for all').toEqual(['Chad,1'])
    world.land('data/sales/a.csv', 'WRONG,HEADER')
    await world.untilQuiet()
    const jobs = world.glue.jobs.length
    for (let minute = 0; minute < 30; minute++) {
      world.clock.advance(60_000)
      await world.sweep()
    }
    expect(world.glue.jobs, 'no job is started for it meanwhile').toHaveLength(jobs)
    mend()
    world.clock.advance(40 * 60_000)
    await world.sweep()
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'refused'])
  })
})

describe('a source of which the stage before has yet to tell', () => {
  it('is not failed for that at the last attempt: what convert says later would open it for ever', async () => {
    let isTold = false
    const world = new World(
      refusing(({ name, args }) => {
        const isWord = name === 'write' && JSON.stringify(args[0]).includes('"converted"')
        return isWord && !isTold ? new Error('the ledger is away') : undefined
      }),
    )
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.handle(world.messages.shift() ?? expect.fail('no landing'))
    world.endJobs()
    const convertEnds = world.messages.shift() ?? expect.fail('no end of convert')
    await world.handle(convertEnds)
    // Its objects are published, and their event wakes partition; the word of it did not get through.
    const parquet = world.messages.splice(0).find(({ to }) => to === 'partition') ?? expect.fail('no parquet')
    await world.handle(parquet)
    await world.table.write([
      { update: slotKey({ stage: 'partition', dataset: 'sales' }), set: { settleAttempts: MAX_RECEIVES - 1 } },
    ])
    world.endJobs()
    await world.handle(world.messages.pop() ?? expect.fail('no end of partition'))
    expect(ends(world)).toMatchObject({ a: 'queued' })
    await world.sweep()
    expect(world.glue.running, 'no job after job for what cannot be published yet').toEqual([])
    isTold = true
    world.messages.push(convertEnds)
    await world.untilQuiet()
    expect(ends(world)).toEqual({ a: 'delivered' })
  })
})

describe('a run that was settled', () => {
  const isWord = ({ name, args }: Call) => name === 'write' && JSON.stringify(args[0]).includes('"converted"')
  const isRelease = ({ name, args }: Call) =>
    name === 'write' && JSON.stringify(args[0]).includes('"remove":["lockOwner"')
  const lose = (isHit: (call: Call) => boolean, after: boolean) =>
    hearing(async (call) => {
      const answer = after && (await call.make())
      if (isHit(call)) throw new Error('the connection was lost')
      return after ? answer : await call.make()
    })

  it.each([
    ['though the answer to the ledger’s last word was lost', lose(isWord, true)],
    ['though its lock could not be let go', lose(isRelease, false)],
  ])('is not failed at the last attempt, %s', async (_, wrap) => {
    const world = new World(wrap)
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    const slot = slotKey({ stage: 'convert', dataset: 'sales' })
    await world.table.write([{ update: slot, set: { settleAttempts: MAX_RECEIVES - 1 } }])
    world.endJobs()
    await world.handle(world.messages.shift() ?? expect.fail('no end of convert'))
    expect(world.runs()).toMatchObject([{ state: 'converted' }])
    expect(problemOf(world, 'a')).toBeUndefined()
  })
})
