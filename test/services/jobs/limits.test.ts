import { describe, expect, it } from 'vitest'
import { Failed, TryAgain } from '../../../services/lambda/errors.ts'
import { patienceMs } from '../../../services/lambda/receives.ts'
import { refusing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { type Message, STAGING, World } from '../memory/world.ts'

const MINUTE = 60_000
const refusal = new Failed('glue_refused', 'Glue refuses to start a run of convert: AccessDeniedException: no.')
const denied = (what: string) =>
  Object.assign(new Error(`not authorized to perform: ${what}`), {
    name: 'AccessDeniedException',
    $metadata: { httpStatusCode: 400 },
  })

function landed(...names: string[]) {
  const world = new World()
  for (const name of names) world.land(`data/sales/${name}.csv`, csv(`Chad,${names.indexOf(name)}`))
  return world
}
const states = (world: World) => world.runs().map(({ state }) => state)
const problems = (world: World) => world.runs().map(({ problem }) => problem?.message)
async function sweepFor(world: World, minutes: number) {
  for (let minute = 0; minute < minutes; minute++) {
    world.clock.advance(MINUTE)
    await world.sweep()
    await world.pump()
  }
}

describe('a start for which Glue has no room', () => {
  it.each([
    ['its limit of concurrent runs', 'ConcurrentRunsExceededException'],
    ['throttling', 'ThrottlingException'],
  ])('for %s waits for hours if need be, and fails nothing', async (_, name) => {
    const world = landed('a', 'b')
    world.glue.trouble.set('startJob', new TryAgain('glue_busy', `Glue would not start it now: ${name}.`))
    await world.pump()
    await sweepFor(world, 180)
    expect(states(world)).toEqual(['queued', 'queued'])
    expect([world.deadLetters, world.errors]).toEqual([[], []])
    world.glue.trouble.clear()
    await world.untilQuiet()
    expect(states(world)).toEqual(['delivered', 'delivered'])
  })

  it('because the run before holds its slot a little longer is made up for by the sweep', async () => {
    const world = landed('a')
    world.glue.maxConcurrentRuns = 1
    await world.pump()
    world.land('data/sales/b.csv', csv('Peru,1'))
    await world.pump()
    const [{ id, manifest } = { id: '', manifest: '' }] = world.glue.running
    world.job.run(manifest)
    world.glue.end(id, 'SUCCEEDED', undefined, 'held')
    world.messages.push({ to: 'convert', kind: 'job', id, receives: 0 })
    await world.pump()
    expect(world.runs().map(({ state }) => state)).toEqual(['converted', 'queued'])
    expect(world.glue.running.filter(({ job }) => job === 'convert')).toEqual([])
    world.glue.end(id)
    await sweepFor(world, 1)
    expect(world.glue.running.filter(({ job }) => job === 'convert')).toHaveLength(1)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,0', 'Peru,1'])
  })
})

describe('a start that is refused', () => {
  it('fails the runs that wait, in words, when a message would have been given up too', async () => {
    const world = landed('a')
    world.glue.trouble.set('startJob', refusal)
    await world.pump()
    expect(states(world)).toEqual(['failed'])
    expect(problems(world)).toEqual([
      'No convert job could be started for data/sales/a.csv: Glue refuses to start a run of convert: AccessDeniedException: no. It is tried again each minute, and needs no landing when the cause is mended.',
    ])
    expect(world.deadLetters).toHaveLength(1)
  })

  it.each(['the sweep', 'its redriven message'])('is made by %s as soon as it may be', async (by) => {
    const world = landed('a')
    world.glue.trouble.set('startJob', refusal)
    await world.pump()
    await sweepFor(world, 3)
    expect(states(world)).toEqual(['failed'])
    world.glue.trouble.clear()
    if (by === 'the sweep') await world.sweep()
    else world.redrive()
    await world.untilQuiet()
    expect(states(world)).toEqual(['delivered'])
    expect(world.runs()[0]).not.toHaveProperty('problem')
    expect(world.idle()).toBe(true)
    expect(world.rows()).toHaveLength(1)
  })

  it('that a newer version has overtaken meanwhile is not made', async () => {
    const world = landed('a')
    world.glue.trouble.set('startJob', refusal)
    await world.pump()
    world.land('data/sales/a.csv', csv('Togo,9'))
    world.glue.trouble.clear()
    await world.untilQuiet()
    expect(states(world)).toEqual(['superseded', 'delivered'])
    expect(world.rows()).toEqual(['Togo,9'])
  })

  it('fails no run while it may be a right on its way, and delivers it when it comes', async () => {
    const world = landed('a')
    world.glue.trouble.set('startJob', refusal)
    const [message] = world.messages.splice(0)
    await world.handle(message as Message)
    world.messages.length = 0
    await sweepFor(world, Math.floor(patienceMs() / MINUTE))
    expect(states(world)).toEqual(['queued'])
    world.glue.trouble.clear()
    await world.untilQuiet()
    expect(states(world)).toEqual(['delivered'])
  })

  it('is found out by the sweep alone, where no message is left', async () => {
    const world = landed('a')
    world.glue.maxConcurrentRuns = 0
    await world.pump()
    world.glue.trouble.set('startJob', refusal)
    await sweepFor(world, 10)
    expect(states(world)).toEqual(['failed'])
    expect(world.errors).toContain(refusal)
  })
})

describe('a job', () => {
  it.each([
    ['TIMEOUT', 'ran out of time'],
    ['STOPPED', 'was stopped'],
    ['FAILED', 'failed'],
  ] as const)('that ends as %s twice fails its file, and says that it %s', async (end, words) => {
    const world = landed('a')
    await world.pump()
    world.endJob('jr_1', 'convert', end)
    await world.pump()
    expect(states(world)).toEqual(['queued'])
    world.endJob('jr_2', 'convert', end)
    await world.pump()
    expect(states(world)).toEqual(['failed'])
    expect(problems(world)[0]).toBe(
      `The convert job ${words} for data/sales/a.csv, the last time alone: Out of memory (job run jr_2)`,
    )
    expect(world.idle()).toBe(true)
  })

  it('that is stopped after its report is settled by the report', async () => {
    const world = landed('a')
    await world.pump()
    world.job.run(world.glue.jobs[0]?.manifest ?? '')
    world.endJob('jr_1', 'convert', 'STOPPED')
    await world.untilQuiet()
    expect(states(world)).toEqual(['delivered'])
  })

  it('whose end cannot be looked up, for a right is missing, is settled when the right is there', async () => {
    const world = landed('a')
    await world.pump()
    world.glue.trouble.set('job', denied('glue:GetJobRun'))
    world.job.run(world.glue.jobs[0]?.manifest ?? '')
    world.endJob('jr_1', 'convert', 'SUCCEEDED')
    await world.pump()
    expect(world.deadLetters).toHaveLength(1)
    await sweepFor(world, 15)
    expect(states(world)).toEqual(['queued'])
    expect(world.errors.at(-1)).toMatchObject({ message: 'not authorized to perform: glue:GetJobRun' })
    world.glue.trouble.clear()
    await world.untilQuiet()
    expect(states(world)).toEqual(['delivered'])
  })

  it('whose report may not be read fails its files, in words, and keeps no one waiting', async () => {
    let deny = true
    const wrap = refusing(({ name, args }) =>
      deny && name === 'getText' && args[0] === STAGING ? denied('s3:GetObject') : undefined,
    )
    const world = new World(wrap)
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    world.endJobs()
    await world.pump()
    expect(states(world)).toEqual(['failed'])
    expect(problems(world)[0]).toBe(
      'What the convert job made of data/sales/a.csv could not be published in 5 attempts (AccessDeniedException: not authorized to perform: s3:GetObject). Mend the cause and land it again.',
    )
    deny = false
    world.land('data/sales/b.csv', csv('Chad,2'))
    await world.untilQuiet()
    expect(states(world)).toEqual(['failed', 'delivered'])
  })
})
