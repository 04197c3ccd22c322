import { describe, expect, it } from 'vitest'
import { FileOverdue } from '../../../events/file-overdue.ts'
import { type Contract, parseContract } from '../../../schemas/contract.ts'
import type { OwnEvent } from '../../../services/events/put.ts'
import { lookForOverdue } from '../../../services/expected/overdue.ts'
import { tellSeen } from '../../../services/expected/tell.ts'
import { overdueWords } from '../../../services/expected/words.ts'
import { overdueFiles } from '../../../services/ledger/expected.ts'
import type { Entry } from '../../../services/metrics/metrics.ts'
import { csv } from '../memory/engine.ts'
import { MemoryListing } from '../memory/listing.ts'
import { contract, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

/** A world in which a file of sales is due each day at 6:00, with two hours of grace. It begins at 1:00 of the first. */
class Waiting extends World {
  expecting: Contract
  listing = new MemoryListing(this.table)

  constructor(expected: unknown = { cron: '0 6 * * *', grace: '2h' }) {
    super()
    this.expecting = parseContract({ ...contract, expected })
  }

  /** Goes on until then, e.g. `02 07:30` of January, and looks. @returns the words of what is news */
  async at(time: string): Promise<string[]> {
    const [day, clock] = time.split(' ')
    this.clock.ms = Date.parse(`2026-01-${day}T${clock}:00.000Z`)
    const seen = await lookForOverdue({ ledger: this.books, listing: this.listing }, this.expecting)
    return seen.map(({ what, file }) => `${what}: ${overdueWords(file)}`)
  }

  async lands(time: string, key = 'data/sales/a.csv', body: string | Buffer = csv('Chad,1')): Promise<void> {
    const [day, clock] = time.split(' ')
    this.clock.ms = Date.parse(`2026-01-${day}T${clock}:00.000Z`)
    this.land(key, body)
    await this.pump()
  }
}

const MISSING =
  'overdue: The file of sales that was due at 2026-01-01 06:00 UTC (cron "0 6 * * *") has not come: nothing landed until 2026-01-01 08:00 UTC, when its grace was over. Ask whoever sends it, and land it when it is there; RUNBOOK.md#overdue-files.'

describe('a file that is due', () => {
  it('is overdue when its grace is over, and is told of once', async () => {
    const world = new Waiting()
    expect(await world.at('01 01:00')).toEqual([])
    expect(await world.at('01 07:59')).toEqual([])
    expect(await world.at('01 08:00')).toEqual([])
    expect(await world.at('01 08:01')).toEqual([MISSING])
    expect(await world.at('01 08:02')).toEqual([])
    expect(await world.at('02 05:59')).toEqual([])
    expect(await overdueFiles(world.books, 'sales')).toMatchObject([{ due: '2026-01-01T06:00:00.000Z' }])
    // Each day is a new file.
    expect(await world.at('02 08:01')).toEqual([MISSING.replaceAll('2026-01-01', '2026-01-02')])
    expect(await overdueFiles(world.books, 'sales')).toMatchObject([{ due: '2026-01-02T06:00:00.000Z' }])
    expect(await world.table.query('OVERDUE#sales', '2026-')).toHaveLength(2)
  })

  it('is not overdue from before it was expected', async () => {
    const world = new Waiting()
    expect(await world.at('01 08:30')).toEqual([])
    expect(await world.at('01 08:31')).toEqual([])
    expect(await world.at('02 08:01')).toHaveLength(1)
  })

  it.each(['01 04:00', '01 06:00', '01 08:00'])('has come when it lands at %s', async (time) => {
    const world = new Waiting()
    await world.at('01 01:00')
    await world.lands(time)
    expect(await world.at('01 08:01')).toEqual([])
    expect(await overdueFiles(world.books, 'sales')).toEqual([])
  })

  it('is not the one of the day before, which came within its grace', async () => {
    const world = new Waiting()
    await world.at('01 01:00')
    await world.lands('01 07:30')
    expect(await world.at('01 08:01')).toEqual([])
    expect(await world.at('02 08:01')).toHaveLength(1)
  })

  it('is said to be late when it comes after all, and does not stand for the next one', async () => {
    const world = new Waiting()
    await world.at('01 01:00')
    await world.at('01 08:01')
    await world.lands('01 09:30')
    expect(await world.at('01 09:31')).toEqual([
      `late: The file of sales that was due at 2026-01-01 06:00 UTC (cron "0 6 * * *") came late, by 4 hours: data/sales/a.csv has ${csv('Chad,1').length} bytes.`,
    ])
    expect(await overdueFiles(world.books, 'sales')).toEqual([])
    expect(await world.table.query('OVERDUE#sales', '2026-01-01')).toMatchObject([
      { cleared: { key: 'data/sales/a.csv', lateMs: 3.5 * 3_600_000 } },
    ])
    expect(await world.at('01 09:32')).toEqual([])
    expect(await world.at('02 08:01')).toHaveLength(1)
  })

  it('does not count when it is implausibly small, until a larger one lands', async () => {
    const world = new Waiting({ cron: '0 6 * * *', grace: '2h', leastBytes: 20 })
    await world.at('01 01:00')
    await world.lands('01 05:00', 'data/sales/a.csv', csv())
    const [words] = await world.at('01 08:01')
    expect(words).toContain(
      `is implausibly small: data/sales/a.csv has ${csv().length} bytes, expected at least 20. Ask whoever sends it`,
    )
    expect(await world.at('01 08:02')).toEqual([])
    await world.lands('01 08:30', 'data/sales/a.csv', csv('Chad,1', 'Chad,2', 'Chad,3'))
    expect(await world.at('01 08:31')).toEqual([expect.stringContaining('came late, by 3 hours')])
  })

  it('is one that lands by itself: no member of a zip, no replay, and none of another name', async () => {
    const world = new Waiting([
      { cron: '0 6 * * *', grace: '2h', prefix: 'data/sales/' },
      { cron: '0 6 * * *', grace: '2h', prefix: 'landing/sales/orders-' },
    ])
    await world.at('01 01:00')
    await world.lands('01 05:00', 'landing/sales/orders-1.zip', await zipOf({ 'a.csv': csv('Chad,1') }))
    await world.untilQuiet()
    expect(world.runs().map(({ key, state }) => `${key.split('/')[0]} ${state}`)).toEqual([
      'data delivered',
      'landing extracted',
    ])
    expect(await world.at('01 08:01')).toEqual([expect.stringContaining('(data/sales/…)')])
    world.replay('convert')
    await world.pump()
    expect(await world.at('01 08:02')).toEqual([])
    expect(await world.at('02 08:01')).toHaveLength(2)
  })

  it('is forgotten when the contract ceases to expect it', async () => {
    const world = new Waiting()
    await world.at('01 01:00')
    await world.at('01 08:01')
    world.expecting = contract
    expect(await world.at('01 08:02')).toEqual([])
    expect(await overdueFiles(world.books, 'sales')).toEqual([])
  })

  it('is noted once where two sweeps look at the same time', async () => {
    const world = new Waiting()
    await world.at('01 01:00')
    world.clock.ms = Date.parse('2026-01-01T08:01:00.000Z')
    const deps = { ledger: world.books, listing: world.listing }
    const both = await Promise.all([1, 2].map(() => lookForOverdue(deps, world.expecting)))
    expect(both.flat()).toHaveLength(1)
  })

  it('is looked for in no more runs each minute than have come since the last look', async () => {
    const world = new Waiting({ cron: '0 6 * * *', grace: '2h', prefix: 'landing/sales/' })
    await world.at('01 01:00')
    for (const name of ['a', 'b', 'c']) await world.lands('01 05:00', `data/sales/${name}.csv`)
    expect(await world.at('01 08:01')).toHaveLength(1)
    await world.at('01 08:02')
    world.listing.taken = 0
    await world.at('01 08:03')
    expect(world.listing.taken).toBe(0)
  })
})

it('is in the log, a metric and an event, which has the words and quotes no row', async () => {
  const world = new Waiting({ cron: '0 6 * * *', grace: '2h', leastBytes: 1000 })
  await world.at('01 01:00')
  await world.lands('01 05:00')
  world.clock.ms = Date.parse('2026-01-01T08:01:00.000Z')
  const seen = await lookForOverdue({ ledger: world.books, listing: world.listing }, world.expecting)
  const [logged, entries, events]: [[string, object][], Entry[], OwnEvent[]] = [[], [], []]
  const deps = {
    warn: (words: string, fields: object) => void logged.push([words, fields]),
    write: (all: Entry[]) => void entries.push(...all),
    put: async (all: OwnEvent[]) => void events.push(...all),
  }
  await tellSeen(deps, seen)
  expect(logged).toEqual([
    [
      expect.stringContaining('is implausibly small'),
      { dataset: 'sales', due: '2026-01-01T06:00:00.000Z', runId: world.runs()[0]?.runId },
    ],
  ])
  expect(entries).toEqual([{ dimensions: { dataset: 'sales' }, values: { OverdueFiles: [1] } }])
  const [event] = events
  const told = FileOverdue.schema.parse({ source: 'landfall', 'detail-type': event?.type, detail: event?.detail })
  expect(told.detail).toMatchObject({ dataset: 'sales', deadline: '2026-01-01T08:00:00.000Z' })
  expect(told.detail.found).toEqual({ key: 'data/sales/a.csv', bytes: csv('Chad,1').length })
  expect(told.detail.message).toBe(logged[0]?.[0])
  expect(FileOverdue.schema.parse(FileOverdue.sample()).detail.dataset).toBe('sales')
})

it('is in the log and a metric also where the bus takes no event, which is logged', async () => {
  const world = new Waiting()
  await world.at('01 01:00')
  world.clock.ms = Date.parse('2026-01-01T08:01:00.000Z')
  const seen = await lookForOverdue({ ledger: world.books, listing: world.listing }, world.expecting)
  const logged: string[] = []
  const entries: Entry[] = []
  await tellSeen(
    {
      warn: (words) => void logged.push(words),
      write: (all) => void entries.push(...all),
      put: () => Promise.reject(new Error('not authorized')),
    },
    seen,
  )
  expect(logged).toEqual([MISSING.replace('overdue: ', ''), 'Overdue files could not be told: events'])
  expect(entries).toHaveLength(1)
})
