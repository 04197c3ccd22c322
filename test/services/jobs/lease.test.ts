import { describe, expect, it } from 'vitest'
import { leaseOf } from '../../../services/jobs/lease.ts'
import { LOCK_MS } from '../../../services/jobs/publish.ts'
import { MAX_RECEIVES } from '../../../services/lambda/receives.ts'
import { memberFolderOf } from '../../../services/ledger/ids.ts'
import { slotKey } from '../../../services/ledger/queue.ts'
import { type Call, hearing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { DELIVERY, RAW, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const ZIP = 'landing/sales/z.zip'
const MEMBER = `${memberFolderOf('sales', ZIP)}m.csv`
/** As a laptop sleeps, or a function is frozen: longer than its lock is held for it. */
const SLEEP_MS = LOCK_MS + 1

/** Sleeps once, behind the first call that `at` is true of; then `meanwhile` happens, in the world of the others. */
function sleeper(at: (call: Call) => boolean) {
  const later: { meanwhile?: () => Promise<void>; hasSlept: boolean } = { hasSlept: false }
  const world: World = new World(
    hearing(async (call) => {
      const answer = await call.make()
      if (later.meanwhile && at(call)) {
        const { meanwhile } = later
        delete later.meanwhile
        world.clock.advance(SLEEP_MS)
        await meanwhile()
        later.hasSlept = true
      }
      return answer
    }),
  )
  return { world, later }
}

it('a lease is over a minute before others may take the lock, by differences of the own clock alone', () => {
  let ms = 0
  const wrong = () => new Date(ms - 86_400_000)
  const { check } = leaseOf(wrong, wrong().getTime(), LOCK_MS, 'a-1')
  ms = LOCK_MS - 60_001
  check()
  ms++
  expect(check).toThrow(
    "a-1 was held for 300 s, and may be another's by now. What is left is done by the next attempt.",
  )
})

describe('who sleeps over the end of a lock', () => {
  it('copies nothing more into the zone, and takes nothing out', async () => {
    const countries = Array.from({ length: 60 }, (_, i) => `C${i},${i}`)
    const { world, later } = sleeper(({ name, args }) => name === 'copy' && at(args[1]) === DELIVERY)
    world.land('data/sales/a.csv', csv(...countries))
    await world.pump()
    world.endJobs()
    await world.pump()
    world.endJobs()
    later.meanwhile = async () => {}
    const end = world.messages.shift() ?? expect.fail('no end of partition')
    await world.handle(end)
    expect(world.errors.at(-1)).toMatchObject({ code: 'lease_over', retryable: true })
    await new Promise((resolve) => setImmediate(resolve))
    expect(world.objects.keys(DELIVERY).length, 'those that were under way').toBeLessThanOrEqual(24)
    await world.untilQuiet()
    expect(world.rows()).toHaveLength(60)
  })

  it('does not remove what a zip has brought since, which lands again what was to be withdrawn', async () => {
    const { world, later } = sleeper(({ name, args }) => name === 'head' && args[1] === MEMBER)
    world.land(ZIP, await zipOf({ 'm.csv': csv('Chad,1') }))
    await world.untilQuiet()
    const zip = await zipOf({ 'm.csv': csv('Chad,2') })
    later.meanwhile = async () => {
      world.land(ZIP, zip)
      await world.untilQuiet()
    }
    await expect(world.withdraw(MEMBER)).rejects.toMatchObject({ code: 'lease_over' })
    expect(later.hasSlept).toBe(true)
    expect(world.objects.read(RAW, MEMBER)?.body.toString()).toBe(csv('Chad,2'))
    expect(world.rows()).toEqual(['Chad,2'])
  })

  it('shows no member of an older zip over those of the newer', async () => {
    const { world, later } = sleeper(({ name, args }) => name === 'write' && JSON.stringify(args[0]).includes(MEMBER))
    const zip = await zipOf({ 'm.csv': csv('Chad,2') })
    later.meanwhile = async () => {
      world.land(ZIP, zip)
      await world.pump()
    }
    world.land(ZIP, await zipOf({ 'm.csv': csv('Chad,1') }))
    await world.untilQuiet()
    expect(later.hasSlept).toBe(true)
    expect(world.objects.read(RAW, MEMBER)?.body.toString()).toBe(csv('Chad,2'))
    expect(world.rows()).toEqual(['Chad,2'])
  })

  it('gives up no run that another has published since, though it was the last attempt', async () => {
    const { world, later } = sleeper(({ name, args }) => name === 'head' && args[1] === 'data/sales/a.csv')
    world.land('data/sales/a.csv', csv('Chad,1'))
    await world.pump()
    world.endJobs()
    const end = world.messages.shift() ?? expect.fail('no end of convert')
    const slot = slotKey({ stage: 'convert', dataset: 'sales' })
    await world.table.write([{ update: slot, set: { settleAttempts: MAX_RECEIVES - 1 } }])
    later.meanwhile = () => world.untilQuiet()
    await world.handle(end)
    expect(later.hasSlept).toBe(true)
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered'])
  })
})

const at = (place: unknown) => (place as { bucket?: string } | undefined)?.bucket
