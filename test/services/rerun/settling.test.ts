import { describe, expect, it } from 'vitest'
import { causeKey } from '../../../services/ledger/causes.ts'
import {
  doneReruns,
  endedRows,
  openKey,
  openRerun,
  pendingKey,
  pendingRows,
  type RerunFilter,
  rerunState,
} from '../../../services/ledger/reruns.ts'
import { headKey, runKey } from '../../../services/ledger/run.ts'
import { closeOrLeave, closeRerun, type Served } from '../../../services/rerun/close.ts'
import { csv } from '../memory/engine.ts'
import { contract, type Message, RAW, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const stateOf = (world: World, name: string) => rerunState(world.books, `rerun-${name}`)
const rowsOf = async (world: World, name: string) =>
  Object.fromEntries((await endedRows(world.books, `rerun-${name}`)).map(({ key, state }) => [key, state]))

/** Delivered, and nothing at work. */
async function worldOf(files: Record<string, string>) {
  const world = new World()
  for (const [key, text] of Object.entries(files)) world.land(key, text)
  await world.untilQuiet()
  return world
}

/** The event that a rerun puts for a key, as it comes a second time. */
const asked = (name: string, key: string, filter: RerunFilter = {}): Message => ({
  to: key.startsWith('landing/') ? 'unzip' : 'convert',
  kind: 'rerun',
  arrival: { bucket: RAW, key, cause: `rerun-${name}`, filter },
  receives: 0,
})

const A = 'data/sales/a.csv'
const B = 'data/sales/b.csv'

describe('a rerun of 50 sources', () => {
  const keys = Array.from({ length: 50 }, (_, i) => `data/sales/${String(i).padStart(2, '0')}.csv`)
  const [refused = '', failing = ''] = keys
  const good = keys.slice(2)

  it('of which one is refused and one kills its job fails and lists both, and the other 48 are current', async () => {
    const files = Object.fromEntries(good.map((key, i) => [key, csv(`Chad,${i}`)]))
    const world = await worldOf({ ...files, [refused]: 'A,B\n1,2', [failing]: csv('Chad,POISON') })
    const rows = world.rows()
    expect(rows).toHaveLength(48)

    await world.rerun('all')
    await world.untilQuiet()
    const state = await stateOf(world, 'all')
    expect(state).toMatchObject({ listed: 50, totals: { delivered: 48, refused: 1, failed: 1 }, failures: 2 })
    const [heading, ...words] = state?.words?.split('\n') ?? []
    expect(heading).toBe('2 of 50 sources are not current:')
    expect(words).toEqual([
      expect.stringMatching(`^${refused}: refused \\(header_mismatch\\): The header is A,B`),
      expect.stringMatching(
        `^${failing}: failed \\(convert_job_failed\\): The convert job failed for ${failing}, the last time alone`,
      ),
    ])
    expect(world.rows()).toEqual(rows)
    for (const key of good) {
      const runs = world.runs().filter((run) => run.key === key)
      expect(runs.map(({ cause, state }) => [cause, state])).toEqual([
        ['live', 'delivered'],
        ['rerun-all', 'delivered'],
      ])
    }

    world.job.poison = undefined
    await world.rerun('failed', { only: ['failed'] })
    await world.untilQuiet()
    expect(await stateOf(world, 'failed')).toMatchObject({
      listed: 50,
      totals: { delivered: 1, skipped: 49 },
      failures: 0,
    })
    expect((await rowsOf(world, 'failed'))[refused]).toBe('skipped')
    expect(world.rows()).toEqual([...rows, 'Chad,POISON'].sort())
  })
})

describe('of one key', () => {
  it('a second event changes nothing, whenever it comes and whatever has landed meanwhile', async () => {
    const world = await worldOf({ [A]: csv('Chad,1') })
    await world.rerun('r')
    await world.pump()
    world.land(A, csv('Chad,2'))
    world.messages.push(asked('r', A))
    await world.untilQuiet()
    world.messages.push(asked('r', A))
    await world.untilQuiet()
    expect(world.runs().map(({ cause, state }) => [cause, state])).toEqual([
      ['live', 'delivered'],
      ['rerun-r', 'superseded'],
      ['live', 'delivered'],
    ])
    expect(await rowsOf(world, 'r')).toEqual({ [A]: 'superseded' })
    expect(world.rows()).toEqual(['Chad,2'])
  })

  it('a second event does not end what the first has begun, though the filter would not take it any more', async () => {
    const world = await worldOf({ [A]: 'WRONG\n1', [B]: csv('Peru,1') })
    await world.rerun('r', { only: ['refused'] })
    await world.pump()
    world.land(A, csv('Chad,2'))
    await world.pump()
    await world.handle(asked('r', A, { only: ['refused'] }))
    expect(await pendingRows(world.books, 'rerun-r')).toEqual([expect.objectContaining({ key: A })])
    await world.untilQuiet()
    // That version was read before the newer one landed.
    expect(await rowsOf(world, 'r')).toEqual({ [A]: 'refused', [B]: 'skipped' })
  })

  it('entered and asked for again after its end, as a child of the machine may be run twice, the end is told again', async () => {
    const world = await worldOf({ [A]: csv('Chad,1'), [B]: csv('Peru,POISON') })
    await world.rerun('r')
    await world.pump()
    world.endJobs()
    await world.pump()
    const again = { put: { ...pendingKey('rerun-r', A), key: A, askedAt: world.books.instant() } }
    await world.table.write([again])
    await world.untilQuiet()
    // Its event is lost: the sweep has done what it would have done.
    expect(await rowsOf(world, 'r')).toEqual({ [A]: 'delivered', [B]: 'failed' })
    expect(await stateOf(world, 'r')).toMatchObject({ totals: { delivered: 1, failed: 1 } })
    expect(world.runs().filter(({ cause }) => cause === 'rerun-r')).toHaveLength(2)
  })

  it('a zip whose own event is on its way is left to that, and one whose event was lost is not', async () => {
    const key = 'landing/sales/z.zip'
    const world = new World()
    world.land(key, await zipOf({ 'a.csv': csv('Chad,1') }))
    const [own] = world.messages.splice(0)
    await world.rerun('early', {}, 'landing/sales/')
    await world.untilQuiet()
    expect(await rowsOf(world, 'early')).toEqual({ [key]: 'skipped' })
    world.clock.advance(15 * 60_000)
    await world.rerun('late', {}, 'landing/sales/')
    await world.untilQuiet()
    expect(await rowsOf(world, 'late')).toEqual({ [key]: 'extracted' })
    if (own) world.messages.push(own)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
    expect(world.runs().map(({ cause, state, problem }) => `${cause} ${state} ${problem?.message ?? ''}`)).toEqual([
      'live delivered ',
      'rerun-late extracted ',
      `live superseded ${key} has been extracted already, by rerun-late.`,
    ])
  })

  it('the row of a zip stays, though a second event finds it gone from landing/', async () => {
    const key = 'landing/sales/z.zip'
    const world = new World()
    world.glue.maxConcurrentRuns = 0
    world.land(key, await zipOf({ 'a.csv': csv('Chad,1') }))
    world.messages.length = 0
    // Its own event is not on its way any more.
    world.clock.advance(15 * 60_000)
    await world.rerun('r', {}, 'landing/sales/')
    await world.pump()
    expect(await rowsOf(world, 'r')).toEqual({ [key]: 'extracted' })
    world.glue.maxConcurrentRuns = 5
    world.messages.push(asked('r', key))
    await world.untilQuiet()
    expect(await rowsOf(world, 'r')).toEqual({ [key]: 'extracted' })
    expect(world.runs().filter(({ kind }) => kind === 'zip')).toHaveLength(1)
    expect(world.rows()).toEqual(['Chad,1'])
  })
})

it('a rerun under the name of one before it has run nothing, and says so', async () => {
  const world = await worldOf({ [A]: csv('Chad,1') })
  await world.rerun('r')
  await world.untilQuiet()
  world.clock.advance(90 * 24 * 3_600_000)
  const then = world.runs()[1]?.registeredAt
  await world.rerun('r')
  await world.untilQuiet()
  expect(world.runs()).toHaveLength(2)
  expect(await stateOf(world, 'r')).toMatchObject({
    failures: 1,
    words: `1 of 1 sources are not current:\n${A}: failed (rerun_name_used): ${A} was not run again: another rerun was named rerun-r before, and ran it at ${then}. Start it under a name that was never used.`,
  })
})

describe('while a rerun is at work', () => {
  it('another of its dataset does not begin, and asks for nothing', async () => {
    const world = await worldOf({ [A]: csv('Chad,1') })
    expect(await world.rerun('first')).toBe(true)
    expect(await world.rerun('second')).toBe(false)
    await world.untilQuiet()
    expect(world.runs().map(({ cause }) => cause)).toEqual(['live', 'rerun-first'])
    expect(await world.rerun('third')).toBe(true)
  })

  it('new files, and new versions of the listed ones, are neither lost nor doubled', async () => {
    const world = await worldOf({ [A]: csv('Chad,1'), [B]: csv('Peru,1') })
    await world.rerun('r')
    world.land('data/sales/c.csv', csv('Togo,1'))
    world.land(A, csv('Chad,2'))
    await world.pump()
    world.land('data/sales/d.csv', csv('Togo,2'))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2', 'Peru,1', 'Togo,1', 'Togo,2'])
    expect(await stateOf(world, 'r')).toMatchObject({ listed: 2, failures: 0 })
  })

  it('a source that is withdrawn stays out, and is no failure', async () => {
    const world = await worldOf({ [A]: csv('Chad,1'), [B]: csv('Peru,1') })
    await world.rerun('r')
    await world.withdraw(A)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Peru,1'])
    expect(await stateOf(world, 'r')).toMatchObject({ totals: { superseded: 1, delivered: 1 }, failures: 0 })
  })

  it('it does not end before the last of its runs has', async () => {
    const world = await worldOf({ [A]: csv('Chad,1'), [B]: csv('Peru,1') })
    await world.rerun('r')
    await world.pump()
    expect(await openRerun(world.books, 'sales')).toMatchObject({ rerun: 'rerun-r', listed: 2 })
    expect(await closeRerun(world.books, 'sales')).toBeUndefined()
    await world.untilQuiet()
    expect(await openRerun(world.books, 'sales')).toBeUndefined()
    expect(await doneReruns(world.books, 'sales')).toEqual([await stateOf(world, 'r').then(withoutKey)])
  })

  it('a run whose job could not be started has failed, and is waited for again when it is started after all', async () => {
    const world = await worldOf({ [A]: csv('Chad,1'), [B]: csv('Peru,1') })
    await world.rerun('r')
    await world.pump()
    const run = () => world.runs().find(({ cause, key }) => cause === 'rerun-r' && key === A) ?? expect.fail('no run')
    await world.books.update(run(), {
      state: 'failed',
      problem: { code: 'convert_not_started', message: 'No rights.' },
    })
    expect(await rowsOf(world, 'r')).toEqual({ [A]: 'failed' })
    await world.books.started(run(), 'convert')
    expect(await rowsOf(world, 'r')).toEqual({})
    expect(await pendingRows(world.books, 'rerun-r')).toHaveLength(2)
    await world.untilQuiet()
    expect(await stateOf(world, 'r')).toMatchObject({ totals: { delivered: 2 }, failures: 0 })
  })
})

const withoutKey = (state: object | undefined) => {
  const { pk: _, sk: __, ...rest } = state as { pk: string; sk: string }
  return rest
}

describe('what the sweep does for a rerun', () => {
  it('takes up what it has listed when its events were lost, in 15 minutes', async () => {
    const world = await worldOf({ [A]: csv('Chad,1'), [B]: csv('Peru,1') })
    await world.rerun('r')
    world.messages.length = 0
    world.clock.advance(15 * 60_000 - 1)
    expect(await world.sweep()).toEqual([])
    world.clock.advance(1)
    expect(await world.sweep()).toContainEqual({
      dataset: 'sales',
      stage: 'rerun',
      did: 'took up 2 sources of rerun-r whose events did not come',
    })
    await world.untilQuiet()
    expect(await stateOf(world, 'r')).toMatchObject({ totals: { delivered: 2 } })
  })

  it('takes up the others, too, when one cannot be taken up', async () => {
    const world = await worldOf({ [A]: csv('Chad,1'), [B]: csv('Peru,1') })
    await world.rerun('r')
    world.messages.length = 0
    world.clock.advance(15 * 60_000)
    const { take } = world.reruns
    world.reruns.take = async (key, open) => {
      if (key === A) throw new Error('denied')
      await take(key, open)
    }
    await world.sweep()
    expect(world.errors).toEqual([
      expect.objectContaining({ message: '1 sources of rerun-r could not be taken up, first: Error: denied' }),
    ])
    const pending = await pendingRows(world.books, 'rerun-r')
    expect(pending.map(({ key, runId }) => [key, runId !== undefined])).toEqual([
      [A, false],
      [B, true],
    ])
  })

  it('says of a zip that it is lost only when none of the rerun is at work, nor was for 15 minutes', async () => {
    const [y, z] = ['landing/sales/y.zip', 'landing/sales/z.zip']
    const world = new World()
    world.land(y, 'no zip')
    world.land(z, 'no zip')
    await world.untilQuiet()
    await world.rerun('r', {}, 'landing/sales/')
    const [first] = world.messages.splice(0)
    // The queue is long: y is looked at only now, and z has not come yet.
    world.clock.advance(20 * 60_000)
    if (first) await world.handle(first)
    expect(await rowsOf(world, 'r')).toEqual({ [y]: 'refused' })
    world.clock.advance(15 * 60_000 - 1)
    await world.sweep()
    expect(await rowsOf(world, 'r')).toEqual({ [y]: 'refused' })
    world.clock.advance(1)
    await world.sweep()
    expect(await stateOf(world, 'r')).toMatchObject({
      totals: { refused: 1, failed: 1 },
      words: expect.stringContaining(`${z}: failed (rerun_lost): The rerun's event for ${z} did not come`),
    })
  })

  it('ends one whose machine was stopped while it listed, and says that it is not all', async () => {
    const world = await worldOf({ [A]: csv('Chad,1') })
    await world.rerun('r')
    await world.table.write([{ update: openKey('sales'), remove: ['listed'] }])
    await world.pump()
    world.endJobs()
    await world.pump()
    expect(await openRerun(world.books, 'sales')).toBeDefined()
    await world.untilQuiet()
    expect(await stateOf(world, 'r')).toMatchObject({
      listed: 1,
      totals: { delivered: 1 },
      listingFailed:
        'The machine was stopped while it listed (r): 1 keys were asked for until then. Start the rerun again for all.',
    })
  })
})

describe('a zip that cannot be read', () => {
  const key = 'landing/sales/z.zip'
  /** Asked for again, and handled as often as a message is; `send` is what S3 says to the extraction. */
  async function place(send: (world: World) => Promise<void>) {
    const world: World = new World((port) =>
      'send' in port
        ? new Proxy(port, {
            get: (target, name) => async (command: unknown) => {
              await send(world)
              const own: unknown = Reflect.get(target, name)
              return typeof own === 'function' ? await own.call(target, command) : own
            },
          })
        : port,
    )
    world.land(key, await zipOf({ 'a.csv': csv('Chad,1') }))
    world.messages.length = 0
    world.clock.advance(15 * 60_000)
    await world.rerun('r', {}, 'landing/sales/')
    return world
  }

  it('is told as failed after its last attempt, and not before', async () => {
    const told: unknown[] = []
    const world = await place(async (world) => {
      told.push(await rowsOf(world, 'r'))
      throw new Error('S3 is down')
    })
    await world.pump()
    expect(told).toEqual([{}, {}, {}, {}, {}])
    expect(world.deadLetters).toHaveLength(1)
    expect(await rowsOf(world, 'r')).toEqual({ [key]: 'failed' })
    await world.sweep()
    expect((await stateOf(world, 'r'))?.words).toContain(`${key}: failed (unzip_failed): ${key} could not be extracted`)
  })

  it('is told as extracted where its last attempt goes well', async () => {
    let attempts = 0
    const world = await place(async () => {
      if (++attempts < 5) throw new Error('S3 is down')
    })
    await world.untilQuiet()
    expect(await rowsOf(world, 'r')).toEqual({ [key]: 'extracted' })
    expect(await stateOf(world, 'r')).toMatchObject({ failures: 0 })
  })

  it('is told by the sweep where its last attempt has died, but not while it is at work', async () => {
    const world = await place(async () => {
      throw new Error('S3 is down')
    })
    const [message] = world.messages.splice(0)
    if (message) await world.handle(message)
    world.messages.length = 0
    const run = world.runs()[0] ?? expect.fail('no run')
    const given = { state: 'failed', problem: { code: 'unzip_failed', message: 'It could not be extracted.' } }
    await world.table.write([{ update: runKey(run), set: given }])
    world.clock.advance(15 * 60_000)
    await world.table.write([{ update: headKey(run), set: { lockOwner: 'me', lockUntil: world.clock.ms + 1 } }])
    await world.sweep()
    expect(await rowsOf(world, 'r')).toEqual({})
    world.clock.advance(1)
    await world.sweep()
    expect(await rowsOf(world, 'r')).toEqual({ [key]: 'failed' })
  })
})

it('a source that the catalog refuses has failed, and is told as delivered when it is', async () => {
  const world = await worldOf({ [A]: csv('Chad,1') })
  world.land(A, csv('Peru,2'))
  await world.untilQuiet()
  await world.rerun('r')
  await world.pump()
  world.endJobs()
  await world.pump()
  world.endJobs()
  const run = () => world.runs().find(({ cause }) => cause === 'rerun-r')
  await world.handle(world.messages.shift() ?? expect.fail('no job ended'))
  expect(run()?.state).toBe('published')
  const refused = { code: 'catalog_refused', message: 'Glue refused.' }
  await world.books.update(run() ?? expect.fail('no run'), { state: 'failed', problem: refused })
  await closeRerun(world.books, 'sales')
  expect(await stateOf(world, 'r')).toMatchObject({ totals: { failed: 1 }, failures: 1 })
  await world.untilQuiet()
  expect(run()?.state).toBe('delivered')
  expect(await rowsOf(world, 'r')).toEqual({ [A]: 'delivered' })
  expect(await pendingRows(world.books, 'rerun-r')).toEqual([])
})

describe('the end of a rerun', () => {
  const unserved: Served = {
    outcome: 'unserved',
    version: 1,
    sources: [
      { key: A, reason: 'refused: The header is wrong.' },
      { key: B, reason: 'nothing has typed it under version 2 yet' },
    ],
  }
  async function settled(name: string, filter: RerunFilter & { dryRun?: boolean } = {}, prefix?: string) {
    const world = await worldOf({ [A]: 'WRONG\n1' })
    await world.rerun(name, filter, prefix)
    world.messages.length = 0
    const [row] = await pendingRows(world.books, `rerun-${name}`)
    await world.table.write([
      { delete: pendingKey(`rerun-${name}`, A) },
      { put: { pk: `CAUSE#rerun-${name}`, sk: `ENDED#${A}`, key: row?.key, state: 'refused' } },
    ])
    return world
  }

  it('shows people the new version, unless it is a dry one', async () => {
    const world = await settled('r')
    const served: string[] = []
    const serve = async (dataset: string): Promise<Served> => {
      served.push(dataset)
      return { outcome: 'served', version: 2 }
    }
    expect(await closeRerun(world.books, 'sales', serve)).toMatchObject({ served: { outcome: 'served', version: 2 } })
    expect(served).toEqual(['sales'])
    const dry = await settled('dry', { dryRun: true })
    const state = await closeRerun(dry.books, 'sales', serve)
    expect([served, state?.dryRun, state?.served]).toEqual([['sales'], true, undefined])
  })

  it('has failed where all was asked for and sources are missing in the new version, each named once', async () => {
    const state = await closeRerun((await settled('r')).books, 'sales', async () => unserved)
    expect(state).toMatchObject({ served: { outcome: 'unserved', version: 1, sources: 2 }, failures: 2 })
    expect(state?.words?.split('\n')).toEqual([
      '2 of 1 sources are not current:',
      `${A}: refused`,
      `${B}: not in the new version: nothing has typed it under version 2 yet`,
    ])
  })

  it('does not answer for what it was not asked for', async () => {
    const state = await closeRerun((await settled('r', {}, 'data/sales/a')).books, 'sales', async () => unserved)
    expect(state).toMatchObject({ served: { outcome: 'unserved', sources: 2 }, failures: 1 })
  })

  it('waits while the version cannot be shown just now, and has failed where it cannot be shown at all', async () => {
    const { TryAgain, Failed } = await import('../../../services/lambda/errors.ts')
    const world = await settled('r')
    const busy = async () => {
      throw new TryAgain('view_contended', 'Someone else changes it.')
    }
    await expect(closeRerun(world.books, 'sales', busy)).rejects.toThrow('Someone else changes it.')
    expect(await openRerun(world.books, 'sales')).toBeDefined()
    const state = await closeRerun(world.books, 'sales', async () => {
      throw new Failed('foreign_view', "db.tab is someone else's view.")
    })
    expect(state).toMatchObject({ failures: 2, served: { outcome: 'failed' } })
    expect(state?.words).toContain("The table was not switched: db.tab is someone else's view.")
    expect(await world.table.get(causeKey('rerun-r'))).toMatchObject({ failures: 2 })
  })

  it('of a later version of a contract is left to who may change the catalog', async () => {
    const world = await settled('r')
    const deps = (version: number) => ({
      ledger: world.books,
      contracts: new Map([['sales', { ...contract, version }]]),
    })
    await closeOrLeave(deps(2), 'sales')
    expect(await openRerun(world.books, 'sales')).toBeDefined()
    await closeOrLeave(deps(1), 'sales')
    expect(await openRerun(world.books, 'sales')).toBeUndefined()
  })
})
