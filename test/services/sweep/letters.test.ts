import { describe, expect, it } from 'vitest'
import { sample } from '../../../events/s3-object.ts'
import { LOCK_MS } from '../../../services/jobs/publish.ts'
import { MAX_RECEIVES, onItsWayMs } from '../../../services/lambda/receives.ts'
import { type LettersDeps, sweepLetters } from '../../../services/sweep/letters.ts'
import { csv } from '../memory/engine.ts'
import { letterOf } from '../memory/letters.ts'
import { type Message, RAW, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const CSV = 'data/sales/a.csv'
const ZIP = 'landing/sales/z.zip'
const MINUTE_MS = 60_000

/** The message of what has just landed, that a function was given as often as may be, and never came back from. */
function died(world: World): Message {
  const message = world.messages.pop() ?? expect.fail('no message')
  message.receives = MAX_RECEIVES
  world.deadLetters.push(message)
  return message
}

async function next(world: World, ms = MINUTE_MS): Promise<string[]> {
  world.clock.advance(ms)
  return (await world.sweep()).map(({ did }) => did)
}

const ofRuns = (world: World) => world.runs().map(({ state, problem }) => [state, problem?.code, problem?.message])

describe('a dead letter of a file', () => {
  it('that no run knows of, is a failed run that says how it died, and is delivered when it is sent back', async () => {
    const world = new World()
    world.land(CSV, csv('Chad,1'))
    died(world)
    expect(await next(world)).toEqual(['entered what only a dead letter knew: failed'])
    expect(ofRuns(world)).toEqual([
      [
        'failed',
        'not_taken_in',
        `${CSV} landed, but the function of convert came to no end with it, though it was given its event of 2026-01-01T00:01:00.000Z 5 times: it was killed, or ran out of time or memory, which its log says. Its message is in the dead-letter queue: mend the cause and redrive it, or land the file again.`,
      ],
    ])
    expect(await next(world)).toEqual([])
    world.redrive()
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    expect(world.runs()).toMatchObject([{ state: 'delivered', cause: 'live' }])
  })

  it('that EventBridge could not hand over, says what EventBridge said', async () => {
    const world = new World()
    world.land(CSV, csv('Chad,1'))
    const message = world.messages.pop() ?? expect.fail('no message')
    const letter = { ...letterOf(message, world.clock.now()), receives: 0, undelivered: 'NO_PERMISSIONS: not allowed' }
    const deps: LettersDeps = {
      ...world.deps,
      datasets: ['sales'],
      queues: [{ stage: 'convert', event: 'CsvLanded', url: 'rule' }],
      depth: async () => ({ waiting: 1, inFlight: 0 }),
      deadLetters: { peek: async () => [letter] },
    }
    await sweepLetters(deps)
    expect(ofRuns(world)).toMatchObject([
      [
        'failed',
        'not_taken_in',
        expect.stringContaining('EventBridge could not hand its event to convert (NO_PERMISSIONS: not allowed;'),
      ],
    ])
    world.messages.push(message)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('of which a newer version has landed, or which is gone, ends as that', async () => {
    const world = new World()
    world.land(CSV, csv('Chad,1'))
    died(world)
    world.land(CSV, csv('Chad,2'))
    world.land('data/sales/gone.csv', csv('Chad,3'))
    died(world)
    await world.objects.remove(RAW, ['data/sales/gone.csv'])
    await next(world)
    await world.untilQuiet()
    expect(world.states().map((state) => state.replace(/ v\d+ /, ' '))).toEqual([
      `${CSV} superseded`,
      `${CSV} delivered`,
      'data/sales/gone.csv refused',
    ])
    expect(world.rows()).toEqual(['Chad,2'])
  })

  it('of a replay is a failed run of that replay', async () => {
    const world = new World()
    world.land(CSV, csv('Chad,1'))
    await world.untilQuiet()
    world.replay('convert', 'convert-again')
    died(world)
    await next(world)
    expect(world.runs().map(({ cause, state }) => `${cause} ${state}`)).toEqual([
      'live delivered',
      'convert-again failed',
    ])
    expect(world.rows()).toEqual(['Chad,1'])
    world.redrive()
    await world.untilQuiet()
    expect(world.runs()).toMatchObject([{}, { cause: 'convert-again', state: 'delivered' }])
  })

  it('that was taken in before its function died, or that ended well, needs nothing, which is said once', async () => {
    const world = new World()
    world.land(CSV, csv('Chad,1'))
    const [message] = world.messages
    await world.pump()
    if (message) world.deadLetters.push(message)
    expect(await next(world)).toEqual([])
    await world.untilQuiet()
    await next(world, 3_600_000)
    expect(world.told.map(({ key, did }) => `${key}: ${did}`)).toEqual([
      `${CSV}: A dead letter needs nothing: what it tells, the sweep looks after by itself`,
    ])
    expect(world.runs()).toMatchObject([{ state: 'delivered' }])
  })
})

describe('a dead letter of a zip', () => {
  /** At the last receive, the function dies in the middle of the extraction. */
  async function killed(world: World, lastReceive: boolean): Promise<void> {
    world.land(ZIP, await zipOf({ 'a.csv': csv('Chad,1') }))
    const message = world.messages[0] ?? expect.fail('no message')
    message.receives = lastReceive ? MAX_RECEIVES - 1 : 0
    const { write } = world.table
    const { send } = world.deps.s3
    world.deps.s3.send = async () => {
      // Of a dead process nothing is written any more.
      world.table.write = async () => {
        throw new Error('dead')
      }
      throw new Error('dead')
    }
    await world.handle(message)
    world.table.write = write
    world.deps.s3.send = send
    world.messages.length = 0
    world.deadLetters.length = 0
    world.deadLetters.push(message)
  }

  it.each([
    [true, 'told of the failure of a run whose last attempt died'],
    [false, 'failed a run that only a dead letter knew of'],
  ])(
    'whose function was killed (at its last receive: %s) fails when its lock is over, and is extracted when sent back',
    async (last, did) => {
      const world = new World()
      await killed(world, last)
      expect(await next(world)).toEqual([])
      expect(await next(world, LOCK_MS)).toEqual([did])
      expect(world.runs()).toMatchObject([{ state: 'failed', problem: { code: 'unzip_failed' } }])
      expect(world.runs()[0]?.endedAt).toBeDefined()
      expect(await next(world)).toEqual([])
      world.redrive()
      await world.untilQuiet()
      expect(world.rows()).toEqual(['Chad,1'])
      expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'extracted'])
    },
  )
})

describe('a failed run that counts on its message', () => {
  async function failed() {
    const world = new World()
    world.land(CSV, csv('Chad,1'))
    const message = died(world)
    await next(world)
    return { world, message }
  }
  const said = (world: World) => world.runs()[0]?.problem?.message.split('. ').at(-1)
  const IS = 'Its message is in the dead-letter queue: mend the cause and redrive it, or land the file again.'
  const GONE =
    'Its message is in no dead-letter queue any more: mend the cause, and land the file again, or run `landfall rerun sales --only failed`.'

  it('says when that is gone, purged or expired, that it must land again or be run again, which works', async () => {
    const { world } = await failed()
    world.deadLetters.length = 0
    expect(await next(world)).toEqual([])
    expect(await next(world, onItsWayMs() - 1)).toEqual([])
    expect(said(world)).toBe(IS)
    expect(await next(world, 1)).toEqual(['says of a failed run that its message is in no dead-letter queue any more'])
    expect(said(world)).toBe(GONE)
    await world.rerun('r', { only: ['failed'] })
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('says that it is there when it died again after it was sent back', async () => {
    const { world, message } = await failed()
    world.deadLetters.length = 0
    await next(world)
    await next(world, onItsWayMs())
    expect(said(world)).toBe(GONE)
    world.deadLetters.push(message)
    await next(world)
    expect(said(world)).toBe(IS)
  })

  it('is not said to have none while another letter of it is there', async () => {
    const { world, message } = await failed()
    world.deadLetters.push({ ...message })
    await next(world)
    world.deadLetters.pop()
    await next(world)
    await next(world, onItsWayMs())
    expect(said(world)).toBe(IS)
  })
})

describe('looking into dead-letter queues', () => {
  it('costs one question a queue while all are empty, and no letter is read twice in an hour', async () => {
    const world = new World()
    let [asked, read] = [0, 0]
    const { depth, deadLetters } = world.letters
    const { peek } = deadLetters
    world.letters.depth = async (url) => {
      asked++
      return await depth(url)
    }
    deadLetters.peek = async (...args) => {
      read++
      return await peek(...args)
    }
    await next(world)
    expect([asked, read]).toEqual([4, 0])
    world.land(CSV, csv('Chad,1'))
    died(world)
    for (let minute = 0; minute < 60; minute++) await next(world)
    expect(read).toBe(1)
    await next(world)
    expect(read).toBe(2)
  })

  it('says of what is no event of ours, or of no run of ours, that it is there', async () => {
    const world = new World()
    const bodies = [
      'nonsense',
      JSON.stringify(sample('Object Created', 'processing', 'data/sales/x.parquet', 'PutObject')),
    ]
    const letters = bodies.map((body, i) => ({ id: `m${i}`, body, sentAt: '2026-01-01T00:00:00.000Z', receives: 5 }))
    const { swept, told } = await sweepLetters({
      ...world.deps,
      datasets: ['sales'],
      queues: [{ stage: 'partition', url: 'dead' }],
      depth: async () => ({ waiting: 2, inFlight: 0 }),
      deadLetters: { peek: async () => letters },
    })
    expect(swept).toEqual([])
    expect(told.map(({ did }) => did)).toEqual([
      'A dead letter is no event of ours',
      'A dead letter is about an object of the processing zone that is of no run in the ledger',
    ])
  })
})
