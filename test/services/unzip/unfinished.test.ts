import { describe, expect, it } from 'vitest'
import { LOCK_MS } from '../../../services/jobs/publish.ts'
import { MAX_RECEIVES } from '../../../services/lambda/receives.ts'
import { memberFolderOf, sourceIdOf } from '../../../services/ledger/ids.ts'
import { headKey } from '../../../services/ledger/run.ts'
import { csv } from '../memory/engine.ts'
import { type Message, World } from '../memory/world.ts'
import { zipOf } from './zips.ts'

const ZIP = 'landing/sales/z.zip'
const A = `${memberFolderOf('sales', ZIP)}a.csv`
const B = `${memberFolderOf('sales', ZIP)}b.csv`

async function land(world: World, members: Record<string, string>): Promise<Message> {
  // A second is the unit of what S3 says of time.
  world.clock.advance(1_000)
  world.land(ZIP, await zipOf(members))
  return world.messages.pop() ?? expect.fail('no event')
}

/** What of S3 fails: the look at what landed, reading it, keeping it when its members are written. */
const CALLS = ['head', 'send', 'copy'] as const
type Call = (typeof CALLS)[number]

/** Tries it so often, while one call fails. */
async function failed(world: World, message: Message, attempts = 1, call: Call = 'send') {
  const port = (call === 'send' ? world.deps.s3 : world.objects) as unknown as Record<Call, unknown>
  const works = port[call]
  port[call] = async () => {
    throw new Error('S3 is away')
  }
  for (let i = 0; i < attempts; i++) await world.handle(message)
  port[call] = works
  world.messages.length = 0
  world.deadLetters.length = 0
}

const ofZip = (world: World) => world.runs().filter(({ kind }) => kind === 'zip')

describe('a zip that is withdrawn before it is extracted', () => {
  it.each([
    ['its message comes back', 1],
    ['its message is redriven', MAX_RECEIVES],
  ])('stays out when %s', async (_, attempts) => {
    const world = new World()
    const message = await land(world, { 'a.csv': csv('Chad,1') })
    await failed(world, message, attempts)
    world.clock.advance(LOCK_MS)
    expect(await world.withdraw(ZIP)).toBe('withdrawn')
    world.messages.push({ ...message, receives: attempts === 1 ? 1 : 0 })
    await world.untilQuiet()
    expect(world.rows()).toEqual([])
    expect(ofZip(world)).toMatchObject([{ state: 'superseded', problem: { code: 'withdrawn' } }])
  })

  it('stays out when the message of its rerun comes back', async () => {
    const world = new World()
    await land(world, { 'a.csv': csv('Chad,1') })
    world.clock.advance(15 * 60_000)
    await world.rerun('r', {}, 'landing/sales/')
    await failed(world, world.messages.pop() ?? expect.fail('no event'))
    await world.withdraw(ZIP)
    const message: Message = {
      to: 'unzip',
      kind: 'rerun',
      receives: 1,
      arrival: { bucket: 'raw', key: ZIP, cause: 'rerun-r' },
    }
    world.messages.push(message)
    await world.untilQuiet()
    expect(world.rows()).toEqual([])
    expect(ofZip(world)).toMatchObject([{ state: 'superseded', problem: { code: 'withdrawn' } }])
  })
})

describe('a zip that landed again after it was withdrawn, and was not extracted', () => {
  async function again(attempts: number, call?: Call) {
    const world = new World()
    world.messages.push(await land(world, { 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,1') }))
    await world.untilQuiet()
    await world.withdraw(ZIP)
    await world.untilQuiet()
    const message = await land(world, { 'a.csv': csv('Chad,2'), 'b.csv': csv('Peru,2') })
    await failed(world, message, attempts, call)
    return { world, message }
  }

  it.each(CALLS)('comes back with a rerun, where %s failed', async (call) => {
    const { world } = await again(MAX_RECEIVES, call)
    world.clock.advance(15 * 60_000)
    await world.rerun('r', {}, 'landing/sales/')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2', 'Peru,2'])
    world.replay('unzip')
    world.replay('convert')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2', 'Peru,2'])
    expect((await world.books.head(ofZip(world)[0] ?? expect.fail()))?.withdrawnAt).toBeUndefined()
  })

  it('comes back with its redriven message, though it landed in the second in which it was withdrawn', async () => {
    const world = new World()
    world.messages.push(await land(world, { 'a.csv': csv('Chad,1') }))
    await world.untilQuiet()
    await world.withdraw(ZIP)
    world.land(ZIP, await zipOf({ 'a.csv': csv('Chad,2') }))
    const message = world.messages.pop() ?? expect.fail('no event')
    await failed(world, message, MAX_RECEIVES, 'head')
    world.messages.push({ ...message, receives: 0 })
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2'])
  })

  it.each(CALLS)('comes back with its redriven message, where %s failed', async (call) => {
    const { world, message } = await again(MAX_RECEIVES, call)
    world.messages.push({ ...message, receives: 0 })
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2', 'Peru,2'])
    expect((await world.books.head(ofZip(world)[0] ?? expect.fail()))?.withdrawnAt).toBeUndefined()
  })

  it('does not bring back with a rerun what was withdrawn after it landed', async () => {
    const { world } = await again(MAX_RECEIVES)
    world.clock.advance(15 * 60_000)
    await world.withdraw(A)
    await world.rerun('r', {}, 'landing/sales/')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Peru,2'])
  })
})

describe('a member that is withdrawn when its zip has failed', () => {
  const clocks = [
    ['right', 0],
    ['an hour slow', -3_600_000],
  ] as const
  it.each(clocks)(
    'stays out when the message of the zip is redriven; the clock of who withdrew is %s',
    async (_, skew) => {
      const world = new World()
      world.messages.push(await land(world, { 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,1') }))
      await world.untilQuiet()
      const message = await land(world, { 'a.csv': csv('Chad,2'), 'b.csv': csv('Peru,2') })
      await failed(world, message, MAX_RECEIVES)
      world.clock.advance(skew)
      expect(await world.withdraw(A)).toBe('withdrawn')
      world.clock.advance(-skew)
      world.messages.push({ ...message, receives: 0 })
      await world.untilQuiet()
      expect(world.rows()).toEqual(['Peru,2'])
      const zip = ofZip(world).at(-1)
      expect(zip).toMatchObject({ state: 'extracted', skipped: [{ name: 'a.csv', reason: 'withdrawn' }] })
      expect((await world.books.head({ dataset: 'sales', sourceId: sourceIdOf(A) }))?.withdrawnAt).toBeDefined()
      world.messages.push(await land(world, { 'a.csv': csv('Chad,3'), 'b.csv': csv('Peru,3') }))
      await world.untilQuiet()
      expect(world.rows(), 'who lands it again wants it').toEqual(['Chad,3', 'Peru,3'])
    },
  )

  it('stays out though it had landed by itself, and is all that the zip has', async () => {
    const world = new World()
    const message = await land(world, { 'a.csv': csv('Chad,1') })
    await failed(world, message, MAX_RECEIVES)
    world.land(A, csv('Chad,2'))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2'])
    expect(await world.withdraw(A)).toBe('withdrawn')
    world.messages.push({ ...message, receives: 0 })
    await world.untilQuiet()
    expect(world.rows()).toEqual([])
    expect(ofZip(world)).toMatchObject([{ state: 'extracted', members: [] }])
  })

  it('stays out also when an older version of the zip is in work still, and a newer one was refused', async () => {
    const world = new World()
    world.messages.push(await land(world, { 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,1') }))
    await world.untilQuiet()
    const message = await land(world, { 'a.csv': csv('Chad,2'), 'b.csv': csv('Peru,2') })
    await failed(world, message)
    world.land(ZIP, 'no zip at all')
    await world.pump()
    expect(await world.withdraw(A)).toBe('withdrawn')
    world.messages.push({ ...message, receives: 1 })
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Peru,2'])
  })

  it('comes back when the zip that is redriven landed after it was withdrawn', async () => {
    const world = new World()
    world.messages.push(await land(world, { 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,1') }))
    await world.untilQuiet()
    world.clock.advance(3_600_000)
    expect(await world.withdraw(A)).toBe('withdrawn')
    // The clock of who withdrew it was an hour fast.
    world.clock.advance(-3_600_000)
    const message = await land(world, { 'a.csv': csv('Chad,2'), 'b.csv': csv('Peru,2') })
    await failed(world, message, MAX_RECEIVES)
    world.messages.push({ ...message, receives: 0 })
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2', 'Peru,2'])
  })
})

it('a rerun takes from a zip, extracted for the first time, what is newer than a member that landed by itself', async () => {
  const world = new World()
  world.messages.push(await land(world, { 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,1') }))
  await world.untilQuiet()
  world.land(A, csv('Chad,2'))
  await world.untilQuiet()
  await failed(world, await land(world, { 'a.csv': csv('Chad,3'), 'b.csv': csv('Peru,3') }), MAX_RECEIVES)
  world.clock.advance(15 * 60_000)
  await world.rerun('r', {}, 'landing/sales/')
  await world.untilQuiet()
  expect(world.rows()).toEqual(['Chad,3', 'Peru,3'])
  world.land(B, csv('Peru,4'))
  await world.untilQuiet()
  world.replay('unzip')
  await world.untilQuiet()
  expect(world.rows()).toEqual(['Chad,3', 'Peru,4'])
})

describe('a zip that others are at work on at each of its attempts', () => {
  async function contended(rerun: boolean) {
    const world = new World()
    const landed = await land(world, { 'a.csv': csv('Chad,1') })
    world.clock.advance(15 * 60_000)
    if (rerun) await world.rerun('r', {}, 'landing/sales/')
    const message = rerun ? (world.messages.pop() ?? expect.fail('no event')) : landed
    await failed(world, message)
    const [run] = ofZip(world)
    if (!run) expect.fail('no run')
    await world.table.write([{ update: headKey(run), set: { lockOwner: 'me', lockUntil: world.clock.ms + LOCK_MS } }])
    for (let i = 1; i < MAX_RECEIVES; i++) await world.handle(message)
    world.messages.length = 0
    return world
  }

  it('has failed when its message is in the dead-letter queue', async () => {
    const world = await contended(false)
    expect(world.deadLetters).toHaveLength(1)
    expect(ofZip(world)).toMatchObject([{ state: 'failed', problem: { code: 'unzip_failed' } }])
    world.clock.advance(LOCK_MS)
    world.redrive()
    await world.untilQuiet()
    expect(ofZip(world)).toMatchObject([{ state: 'extracted' }])
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('is told to its rerun, which ends', async () => {
    const world = await contended(true)
    expect(world.deadLetters).toHaveLength(1)
    await world.untilQuiet()
    expect(ofZip(world)).toMatchObject([{ state: 'failed', problem: { code: 'unzip_failed' } }])
  })
})

it('a zip has failed when its last attempt cannot even look at it, and the others could not read it', async () => {
  const world = new World()
  const message = await land(world, { 'a.csv': csv('Chad,1') })
  await failed(world, message, MAX_RECEIVES - 1, 'send')
  await failed(world, message, 1, 'head')
  expect(ofZip(world)).toMatchObject([{ state: 'failed', problem: { code: 'unzip_failed' } }])
})

it('the older of two versions stays out, though nobody could look at either, and the newer was redriven first', async () => {
  const world = new World()
  const older = await land(world, { 'a.csv': csv('Chad,1') })
  const newer = await land(world, { 'a.csv': csv('Chad,2') })
  for (const message of [newer, older]) await failed(world, message, MAX_RECEIVES, 'head')
  for (const message of [newer, older]) world.messages.push({ ...message, receives: 0 })
  await world.untilQuiet()
  expect(world.rows()).toEqual(['Chad,2'])
  expect(ofZip(world).map(({ state }) => state)).toEqual(['extracted', 'superseded'])
})

it('a zip is extracted though a rerun, while nobody could look at it, gave it up first', async () => {
  const world = new World()
  world.messages.push(await land(world, { 'a.csv': csv('Chad,1') }))
  await world.untilQuiet()
  const live = await land(world, { 'a.csv': csv('Chad,2') })
  world.clock.advance(15 * 60_000)
  await world.rerun('r', {}, 'landing/sales/')
  await failed(world, world.messages.pop() ?? expect.fail('no event'), MAX_RECEIVES, 'head')
  world.messages.push(live)
  await world.untilQuiet()
  expect(world.rows()).toEqual(['Chad,2'])
})

it('a zip is extracted that landed in the second in which a rerun found the one before it gone', async () => {
  const world = new World()
  const first = await land(world, { 'a.csv': csv('Chad,1') })
  world.clock.advance(15 * 60_000)
  await world.rerun('r', {}, 'landing/sales/')
  const [asked] = world.messages.splice(0)
  await world.handle(first)
  world.clock.advance(300)
  await world.handle(asked ?? expect.fail('no event'))
  world.land(ZIP, await zipOf({ 'a.csv': csv('Chad,2') }))
  // S3 tells seconds only.
  for (const message of world.messages)
    if (message.kind === 'object') message.event.time = message.event.time.replace(/\.\d+Z$/, 'Z')
  await world.untilQuiet()
  expect(world.rows()).toEqual(['Chad,2'])
})

it.each(CALLS)('a zip whose %s fails at each attempt has come to an end, of which others are told', async (call) => {
  const world = new World()
  const message = await land(world, { 'a.csv': csv('Chad,1') })
  await failed(world, message, MAX_RECEIVES, call)
  expect(ofZip(world)).toMatchObject([{ state: 'failed', endedAt: world.clock.now().toISOString() }])
})
