import { describe, expect, it } from 'vitest'
import { refusing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { DELIVERY, World } from '../memory/world.ts'

describe('a version that is half in the table', () => {
  /** Peru's copies into the delivery zone, and convert's last word of a run. */
  function denied() {
    const isDenied = { copies: true, word: false }
    const world = new World(
      refusing(({ name, args }) => {
        const { bucket, key } = (args[1] ?? {}) as { bucket?: string; key?: string }
        const isWord = name === 'write' && JSON.stringify(args[0]).includes('"converted"')
        if (isDenied.word && isWord) return new Error('the ledger is away')
        return isDenied.copies && name === 'copy' && bucket === DELIVERY && key?.includes('Peru')
          ? new Error('no s3:PutObject')
          : undefined
      }),
    )
    return { world, isDenied }
  }

  async function half() {
    const { world, isDenied } = denied()
    world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2'))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    return { world, isDenied }
  }

  const anHourLater = async (world: World) => {
    world.clock.advance(61 * 60_000)
    await world.sweep()
    await world.untilQuiet()
  }

  it('is finished, though a rerun has typed it again and died of that, and what has landed since is refused', async () => {
    const { world, isDenied } = await half()
    isDenied.word = true
    await world.rerun('again')
    await world.untilQuiet()
    expect(world.runs().map(({ problem }) => problem?.code)).toEqual(['partition_unfinished', 'convert_not_published'])
    world.land('data/sales/a.csv', 'WRONG,HEADER')
    await world.untilQuiet()
    Object.assign(isDenied, { copies: false, word: false })
    await anHourLater(world)
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'failed', 'refused'])
  })

  it('is finished, though a rerun has typed it again and was too late to publish it', async () => {
    const { world, isDenied } = await half()
    await world.rerun('again')
    await world.pump()
    world.endJobs()
    await world.pump()
    world.land('data/sales/a.csv', 'WRONG,HEADER')
    isDenied.copies = false
    await world.untilQuiet()
    expect(world.runs().map(({ state }) => state)).toEqual(['failed', 'superseded', 'refused'])
    await anHourLater(world)
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
  })

  it('needs no job any more when a later run has put all of it in its place', async () => {
    const { world, isDenied } = await half()
    isDenied.copies = false
    world.land('data/sales/a.csv', csv('Chad,3', 'Peru,4'))
    await world.untilQuiet()
    const jobs = world.glue.jobs.length
    await anHourLater(world)
    expect(world.glue.jobs).toHaveLength(jobs)
    expect(world.rows()).toEqual(['Chad,3', 'Peru,4'])
    expect(world.runs().map(({ state }) => state)).toEqual(['superseded', 'delivered'])
  })

  it('does not come of a run whose typed rows another run has taken away', async () => {
    const { world, isDenied } = denied()
    world.land('data/sales/a.csv', csv('Chad,1', 'Peru,2'))
    await world.pump()
    world.endJobs()
    await world.pump()
    const [partition] = world.glue.running
    world.job.run(partition?.manifest ?? '')
    isDenied.word = true
    await world.rerun('again')
    await world.pump()
    const convert = world.glue.running.find(({ id }) => id !== partition?.id) ?? expect.fail('no second job')
    world.job.run(convert.manifest)
    world.endJob(convert.id, 'convert', 'SUCCEEDED')
    await world.handle(world.messages.shift() ?? expect.fail('no end of convert'))
    world.endJob(partition?.id ?? '', 'partition', 'SUCCEEDED')
    await world.handle(world.messages.pop() ?? expect.fail('no end of partition'))
    expect(world.objects.keys(DELIVERY)).toEqual([])
    expect(world.runs()[0]?.problem?.message).toBe(
      'The typed rows of this version of data/sales/a.csv were replaced or withdrawn before they were partitioned.',
    )
    Object.assign(isDenied, { copies: false, word: false })
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
  })
})
