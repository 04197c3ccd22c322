import { describe, expect, it } from 'vitest'
import { CrawlEnded } from '../../../events/crawl-ended.ts'
import { JobEnded } from '../../../events/job-ended.ts'
import { RerunAsked } from '../../../events/rerun-asked.ts'
import { sample } from '../../../events/s3-object.ts'
import { findDeadLetters, type Progress, sendBack } from '../../../services/operations/redrive.ts'
import { worldOfDead } from '../memory/dead-letters.ts'
import { csv } from '../memory/engine.ts'
import { bodyOf } from '../memory/letters.ts'
import { DELIVERY, PROCESSING, RAW } from '../memory/world.ts'

const quick = { poll: 1, long: 0 }

/** Two files that no one could look at, of which the messages died. */
async function twoDead() {
  const place = worldOfDead()
  place.deny()
  for (const name of ['a', 'b']) place.world.land(`data/sales/${name}.csv`, csv('Chad,1'))
  await place.die()
  place.allow()
  return place
}

describe('dead letters', () => {
  it('are found with the run that they are of, why it failed, and how often they were received', async () => {
    const { landfall, world } = await twoDead()
    const { queues, hidden, sweep } = await findDeadLetters(landfall)
    expect({ hidden, sweep }).toEqual({ hidden: 0, sweep: 0 })
    expect(queues).toMatchObject([{ stage: 'convert', total: 2 }])
    expect(queues[0]).not.toHaveProperty('event')
    expect(queues[0]?.letters).toMatchObject(
      world.runs().map(({ runId, key }) => ({
        detailType: 'Object Created',
        about: key,
        receives: 5,
        refs: [{ runId }],
        runs: [{ runId, state: 'failed', problem: { code: 'not_taken_in' } }],
      })),
    )
  })

  it('are left where they are', async () => {
    const { landfall, deadLetters } = await twoDead()
    const before = deadLetters.bodies('convert-dead')
    await findDeadLetters(landfall)
    expect(deadLetters.bodies('convert-dead')).toEqual(before)
    expect(before).toHaveLength(2)
  })

  it('of a run that the ledger does not know name it all the same', async () => {
    const { landfall, deadLetters } = worldOfDead()
    deadLetters.put('convert-rule', sample('Object Created', 'raw', 'data/sales/x.csv', 'PutObject'))
    const { queues } = await findDeadLetters(landfall)
    expect(queues).toMatchObject([
      { stage: 'convert', event: 'Landed', letters: [{ about: 'data/sales/x.csv', runs: [] }] },
    ])
    expect(queues[0]?.letters[0]?.refs).toHaveLength(1)
  })

  it('of a replay are of the run that the replay caused', async () => {
    const { landfall, world, deadLetters } = worldOfDead()
    world.land('data/sales/a.csv', csv('Chad,1'))
    const [message] = world.messages
    if (message?.kind !== 'object') throw new Error('no event')
    await world.untilQuiet()
    const replayed = { ...message, event: { ...message.event, 'replay-name': 'convert-again' }, receives: 0 }
    world.messages.push(replayed)
    await world.untilQuiet()
    for (const each of [message, replayed]) deadLetters.put('convert-dead', bodyOf(each))
    const { queues } = await findDeadLetters(landfall)
    expect(queues[0]?.letters.map(({ runs }) => runs[0]?.cause)).toEqual(['live', 'convert-again'])
  })

  it('of a rerun are of the run that it caused, as soon as there is one', async () => {
    const { landfall, world, deadLetters } = worldOfDead()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    const asked = RerunAsked.sample(RAW, 'data/sales/a.csv')
    deadLetters.put('convert-dead', asked)
    const look = async () => (await findDeadLetters(landfall)).queues[0]?.letters[0]
    expect(await look()).toMatchObject({ detailType: 'landfall.rerun', about: 'data/sales/a.csv', refs: [], runs: [] })
    const { rerun: cause } = asked.detail
    world.messages.push({
      to: 'convert',
      kind: 'rerun',
      arrival: { bucket: RAW, key: 'data/sales/a.csv', cause },
      receives: 0,
    })
    await world.untilQuiet()
    expect((await look())?.runs).toMatchObject([{ cause, state: 'delivered' }])
  })

  it('of the later zones are of the run whose objects they name', async () => {
    const { landfall, world, deadLetters } = worldOfDead()
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.untilQuiet()
    const [run] = world.runs()
    for (const [stage, bucket] of [
      ['partition', PROCESSING],
      ['catalog', DELIVERY],
    ] as const)
      for (const key of world.objects.keys(bucket, 'data/'))
        deadLetters.put(`${stage}-dead`, sample('Object Created', bucket, key, 'CopyObject'))
    const { queues } = await findDeadLetters(landfall)
    expect(queues.map(({ stage, letters }) => [stage, letters[0]?.runs[0]?.runId])).toEqual([
      ['partition', run?.runId],
      ['catalog', run?.runId],
    ])
  })

  it("of a job's end are of all that is in the job, or of the job alone when it was settled since", async () => {
    const { landfall, world, deadLetters } = worldOfDead()
    for (const name of ['a', 'b']) world.land(`data/sales/${name}.csv`, csv('Chad,1'))
    await world.pump()
    const [{ id } = { id: '' }] = world.glue.running
    deadLetters.put('convert-dead', bodyOf({ to: 'convert', kind: 'job', id, receives: 5 }))
    const look = async () => (await findDeadLetters(landfall)).queues[0]?.letters[0]
    expect(await look()).toMatchObject({ detailType: 'Glue Job State Change', about: id, runs: [{ state: 'queued' }] })
    await world.untilQuiet()
    expect(await look()).toMatchObject({ about: id, refs: [], runs: [] })
  })

  it('that are of no run say what they tell of, or how they begin', async () => {
    const { landfall, deadLetters } = worldOfDead()
    deadLetters.put('catalog-dead', CrawlEnded.sample('my-crawler'))
    deadLetters.put('catalog-dead', { source: 'aws.other', 'detail-type': 'Something Else' })
    deadLetters.put('catalog-dead', 'what someone typed')
    deadLetters.put('catalog-dead', JobEnded.sample('a job'), { undelivered: 'NO_PERMISSIONS: not allowed' })
    const { queues } = await findDeadLetters(landfall)
    expect(queues[0]?.letters.map(({ detailType, about, refs }) => [detailType, about, refs.length])).toEqual([
      ['Glue Crawler State Change', 'my-crawler', 0],
      ['Something Else', 'aws.other', 0],
      [undefined, 'what someone typed', 0],
      ['Glue Job State Change', JobEnded.sample('a job').detail.jobRunId, 0],
    ])
    expect(queues[0]?.letters[3]?.undelivered).toBe('NO_PERMISSIONS: not allowed')
  })

  it('are read up to a limit, and counted beyond it', async () => {
    const { landfall, deadLetters } = worldOfDead()
    for (let i = 0; i < 7; i++) deadLetters.put('unzip-dead', `${i}`)
    const [queue] = (await findDeadLetters(landfall, { most: 3 })).queues
    expect(queue?.letters.map(({ body }) => body)).toEqual(['0', '1', '2'])
    expect(queue?.total).toBe(7)
  })

  it('are those of one stage where one is named, its own before its rules’', async () => {
    const { landfall, deadLetters } = worldOfDead()
    for (const queue of ['unzip-dead', 'convert-rule', 'convert-dead', 'partition-rule']) deadLetters.put(queue, '{}')
    const names = async (stage?: 'convert') =>
      (await findDeadLetters(landfall, { stage })).queues.map(({ stage, event = '' }) => `${stage} ${event}`)
    expect(await names('convert')).toEqual(['convert ', 'convert Landed'])
    expect(await names()).toEqual(['unzip ', 'convert ', 'convert Landed', 'partition Landed'])
  })

  it("of the sweep are counted, neither read nor sent back, and none of a stage's", async () => {
    const { landfall, deadLetters } = worldOfDead()
    deadLetters.put('sweep-dead', '{}')
    const queues = [...landfall.queues, { stage: 'sweep', kind: 'dead' as const, url: 'sweep-dead' }]
    const found = await findDeadLetters({ ...landfall, queues })
    expect(found).toEqual({ queues: [], hidden: 0, sweep: 1 })
    expect((await findDeadLetters({ ...landfall, queues }, { stage: 'unzip' })).sweep).toBe(0)
    expect(deadLetters.bodies('sweep-dead')).toHaveLength(1)
  })
})

describe('sent back', () => {
  it('dead letters of a stage are moved to its queue, and their runs are delivered', async () => {
    const { landfall, world, deadLetters } = await twoDead()
    const { queues } = await findDeadLetters(landfall)
    expect(await sendBack(landfall, queues, quick)).toEqual([{ stage: 'convert', moved: 2 }])
    expect(deadLetters.bodies('convert-dead')).toEqual([])
    await world.untilQuiet()
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'delivered'])
    expect((await findDeadLetters(landfall)).queues).toEqual([])
  })

  it('what EventBridge could not hand over is carried to the queue of the stage', async () => {
    const { landfall, world, deadLetters } = worldOfDead()
    const moves: string[] = []
    deadLetters.startMove = async (from) => moves.push(from) > 0
    for (let i = 0; i < 25; i++) world.land(`data/sales/${i}.csv`, csv('Chad,1'))
    for (const message of world.messages.splice(0)) deadLetters.put('convert-rule', bodyOf(message), { receives: 0 })
    const { queues } = await findDeadLetters(landfall)
    expect(await sendBack(landfall, queues, quick)).toEqual([{ stage: 'convert', event: 'Landed', moved: 25 }])
    expect(moves).toEqual([])
    await world.untilQuiet()
    expect(world.rows()).toHaveLength(25)
  })

  it('those beyond the limit go with the others, and progress is told', async () => {
    const { landfall, deadLetters } = worldOfDead()
    const seen: Progress[] = []
    deadLetters.pace = 2
    for (let i = 0; i < 5; i++) deadLetters.put('unzip-dead', '{}')
    const { queues } = await findDeadLetters(landfall, { most: 3 })
    const returned = await sendBack(landfall, queues, { ...quick, onProgress: (progress) => seen.push(progress) })
    expect(returned).toEqual([{ stage: 'unzip', moved: 5 }])
    expect(seen.map(({ moved, toMove }) => [moved, toMove])).toEqual([
      [0, 5],
      [2, 5],
      [4, 5],
    ])
    seen.length = 0
    for (let i = 0; i < 5; i++) deadLetters.put('unzip-dead', '{}')
    await sendBack(landfall, queues, { poll: 1, onProgress: (progress) => seen.push(progress) })
    expect(seen).toEqual([])
  })

  it('by a move that is at work already, they are followed to its end', async () => {
    const { landfall, deadLetters } = worldOfDead()
    deadLetters.pace = 1
    for (let i = 0; i < 3; i++) deadLetters.put('unzip-dead', '{}')
    const { queues } = await findDeadLetters(landfall)
    await deadLetters.startMove('unzip-dead', 'unzip')
    expect(await sendBack(landfall, queues, quick)).toEqual([{ stage: 'unzip', moved: 3, joined: true }])
  })

  it('a second time, they are those of the second move, not of the one before', async () => {
    const { landfall, deadLetters } = worldOfDead()
    for (const n of [1, 2]) {
      for (let i = 0; i < n; i++) deadLetters.put('unzip-dead', '{}')
      const { queues } = await findDeadLetters(landfall)
      expect(await sendBack(landfall, queues, quick)).toEqual([{ stage: 'unzip', moved: n }])
    }
  })

  it('what one queue refuses is told in its line, and keeps no other', async () => {
    const { landfall, deadLetters } = worldOfDead()
    for (const queue of ['unzip-dead', 'convert-rule', 'catalog-dead']) deadLetters.put(queue, '{}')
    const { queues } = await findDeadLetters(landfall)
    deadLetters.ends = 'failed'
    const start = deadLetters.startMove.bind(deadLetters)
    deadLetters.startMove = async (from, to) => {
      if (from === 'catalog-dead') throw new Error('no such queue')
      return await start(from, to)
    }
    expect(await sendBack(landfall, queues, quick)).toEqual([
      { stage: 'unzip', moved: 0, failed: 'The move ended as failed: AccessDenied.' },
      { stage: 'convert', event: 'Landed', moved: 0, failed: 'AccessDenied' },
      { stage: 'catalog', moved: 0, failed: 'Error: no such queue' },
    ])
  })

  it('they are not, once it was interrupted', async () => {
    const { landfall, deadLetters } = await twoDead()
    const { queues } = await findDeadLetters(landfall)
    const signal = AbortSignal.abort(new Error('interrupted'))
    await expect(sendBack(landfall, queues, { ...quick, signal })).rejects.toThrow('interrupted')
    expect(deadLetters.bodies('convert-dead')).toHaveLength(2)
  })
})
