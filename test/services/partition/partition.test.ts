import { describe, expect, it } from 'vitest'
import { processingKey } from '../../../services/ledger/ids.ts'
import { deliveryObjects, parquetProcessed } from '../../../services/partition/partition.ts'
import { refusing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { type Message, PROCESSING, QUARANTINE, World } from '../memory/world.ts'

/** Converted, its event not yet handled. */
async function converted() {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  await world.pump()
  world.endJobs()
  const job = world.messages.shift()
  if (job) await world.handle(job)
  const [run] = world.runs()
  const message = world.messages.shift()
  if (!run || message?.kind !== 'object') throw new Error('not converted')
  return { world, run, message: message as Message & { kind: 'object' } }
}
const queued = (world: World) => world.table.query('QUEUE#partition#sales', 'ITEM#')

describe('a typed part', () => {
  it('queues its run once all parts are there, whatever the ledger says', async () => {
    const { world, run, message } = await converted()
    const key = (part: number) => processingKey('sales', run.sourceId, run.runId, part, 2)
    await world.objects.remove(PROCESSING, world.objects.keys(PROCESSING))
    await world.books.update(run, { state: 'queued' }, [], ['accepted'])
    world.objects.put(PROCESSING, key(1), 'Chad,1')
    message.event.detail.object.key = key(1)
    expect(await parquetProcessed(world.deps, message.event)).toBeUndefined()
    expect(await queued(world)).toEqual([])
    expect(world.runs()[0]).toMatchObject({ state: 'queued' })
    world.objects.put(PROCESSING, key(2), 'Chad,2')
    expect(await parquetProcessed(world.deps, message.event)).toBe('sales')
    expect(await queued(world)).toMatchObject([{ runId: run.runId }])
  })

  it('queues its run once, however often its event comes', async () => {
    const { world, message } = await converted()
    for (let i = 0; i < 3; i++) await parquetProcessed(world.deps, message.event)
    expect(await queued(world)).toHaveLength(1)
    await world.dispatch('partition')
    await world.untilQuiet()
    await world.handle(message)
    expect(await queued(world)).toEqual([])
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('of a run that was replaced before this stage heard of it ends the run as superseded', async () => {
    const { world, message } = await converted()
    await world.objects.remove(PROCESSING, world.objects.keys(PROCESSING))
    await world.handle(message)
    expect(world.runs()[0]).toMatchObject({
      state: 'superseded',
      problem: {
        message:
          'The typed rows of this version of data/sales/a.csv were replaced or withdrawn before they were partitioned.',
      },
    })
  })

  it('of a run that no ledger knows is an error, not nothing', async () => {
    const { world, message } = await converted()
    message.event.detail.object.key = processingKey('sales', 'x', '0123', 1, 1)
    world.objects.put(PROCESSING, message.event.detail.object.key, '')
    await expect(parquetProcessed(world.deps, message.event)).rejects.toThrow(
      'data/sales/x/0123-00001-of-00001.parquet is of a run that the ledger does not know.',
    )
  })

  it('is no part by another name', async () => {
    const { world, message } = await converted()
    message.event.detail.object.key = 'data/sales/_SUCCESS'
    expect(await parquetProcessed(world.deps, message.event)).toBeUndefined()
  })
})

describe('typed rows of which convert died before it told, and failed', () => {
  it('are not partitioned by a replay, which would wait for their count for ever', async () => {
    const { world, run } = await converted()
    world.messages.length = 0
    const problem = { code: 'convert_not_published', message: '' }
    await world.books.update(run, { state: 'failed', problem }, [], ['accepted'])
    world.replay('partition', 'partition-again')
    await world.untilQuiet()
    expect(world.runs().map(({ cause, state }) => [cause, state])).toEqual([
      ['live', 'failed'],
      ['partition-again', 'superseded'],
    ])
    expect(world.runs()[1]?.problem?.message).toBe(
      'The typed rows of this version of data/sales/a.csv were never counted, for its conversion has failed: they are not partitioned. A rerun types it again: `landfall rerun sales --only failed`.',
    )
  })
})

describe('of two runs of one version that take out each other’s typed rows', () => {
  /** The second was typed, and partition's job for it begun, when the first took its rows out: it has yet to tell, and to publish again. */
  async function takenOut() {
    const denied = { first: '', second: '' }
    const world = new World(
      refusing(({ name, args }) => {
        const { bucket, key = '' } = (args[1] ?? {}) as { bucket?: string; key?: string }
        const isCopy = name === 'copy' && bucket === QUARANTINE && denied.first !== '' && key.includes(denied.first)
        const written = name === 'write' ? JSON.stringify(args[0]) : ''
        const isWord = written.includes('"converted"') && denied.second !== '' && written.includes(denied.second)
        return isCopy || isWord ? new Error('the connection was lost') : undefined
      }),
    )
    world.glue.maxConcurrentRuns = 0
    world.land('data/sales/a.csv', csv('Chad,1', 'Chad,2', 'Chad,3', 'Chad,4', 'BAD,5'))
    await world.pump()
    await world.typeAgain('data/sales/a.csv')
    await world.pump()
    const [first = { runId: '' }, second = { runId: '' }] = world.runs()
    Object.assign(denied, { first: first.runId, second: second.runId })
    world.glue.maxConcurrentRuns = 5
    await world.dispatch('convert')
    world.endJobs()
    const next = async (to: 'convert' | 'partition', kind: 'job' | 'object') => {
      const at = world.messages.findIndex((message) => message.to === to && message.kind === kind)
      if (at < 0) expect.fail(`no message to ${to}`)
      for (const message of world.messages.splice(at, 1)) await world.handle(message)
    }
    await next('convert', 'job')
    await next('partition', 'object')
    const job = world.glue.running.find(({ job }) => job === 'partition') ?? expect.fail('no job of partition')
    denied.first = ''
    await next('convert', 'job')
    expect(world.states()).toEqual([expect.stringContaining('converted'), expect.stringContaining('queued')])
    world.job.run(job.manifest)
    denied.second = ''
    const partitionEnds = async () => {
      world.endJob(job.id, 'partition', 'SUCCEEDED')
      await next('partition', 'job')
    }
    return { world, convertEnds: () => next('convert', 'job'), partitionEnds }
  }

  it.each([
    ['before it has published its own again', false],
    ['when it has published its own again', true],
  ])('the later one is in the table, though its job ends without its input %s', async (_, isAgain) => {
    const { world, convertEnds, partitionEnds } = await takenOut()
    if (isAgain) await convertEnds()
    await partitionEnds()
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Chad,2', 'Chad,3', 'Chad,4'])
    expect(world.runs().map(({ state }) => state)).toEqual(['superseded', 'delivered'])
  })
})

describe('delivery', () => {
  it('numbers the objects of each partition from 1, and folders are escaped as Spark does', async () => {
    const { run } = await converted()
    const part = (partition: string | null) => ({ uri: 's3://x/y', etag: '', rows: 1, bytes: 1, partition })
    const parts = [part("Cote d'Ivoire"), part(null), part("Cote d'Ivoire")]
    const keys = deliveryObjects(run, { version: 1, partitionBy: 'COUNTRY' }, parts)
    expect(keys.map(({ key }) => key)).toEqual([
      `data/sales/COUNTRY=Cote d%27Ivoire/${run.sourceId}-00001.parquet`,
      `data/sales/COUNTRY=__HIVE_DEFAULT_PARTITION__/${run.sourceId}-00001.parquet`,
      `data/sales/COUNTRY=Cote d%27Ivoire/${run.sourceId}-00002.parquet`,
    ])
  })

  it('of a version without rows takes out those of the version before', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    world.land('data/sales/a.csv', csv())
    await world.untilQuiet()
    expect(world.rows()).toEqual([])
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'delivered'])
    expect([...world.glue.catalog.keys()]).toEqual([])
  })

  it('of a first version without rows needs no crawl', async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv())
    await world.untilQuiet()
    expect(world.runs()[0]).toMatchObject({ state: 'delivered', partitions: 0 })
    expect(world.glue.crawls).toBe(0)
  })
})
