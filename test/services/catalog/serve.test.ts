import { describe, expect, it } from 'vitest'
import { S3ObjectEvent, sample } from '../../../events/s3-object.ts'
import { glueView } from '../../../schemas/compiler/glue-view.ts'
import { deliveryChanged } from '../../../services/catalog/catalog.ts'
import { serve } from '../../../services/catalog/serve.ts'
import { servedVersion } from '../../../services/catalog/view.ts'
import { LOCK_MS, withdraw } from '../../../services/jobs/publish.ts'
import { TryAgain } from '../../../services/lambda/errors.ts'
import { seeded } from '../../generator/random.ts'
import { hearing } from '../memory/calls.ts'
import { csv, rowsOf } from '../memory/engine.ts'
import { FAULTS, fault } from '../memory/faults.ts'
import { contract, contractOfVersion, DELIVERY, PROCESSING, RAW, World, type Wrap } from '../memory/world.ts'

const A = 'data/sales/a.csv'
const B = 'data/sales/b.csv'
const V1 = ['Chad,1', 'Peru,2', 'Peru,3']
const V2 = V1.map((row) => `${row}@v2`)
const table = contract.table

/** Two sources, delivered under version 1; then version 2 is deployed. */
async function deployed(wrap?: Wrap, revive?: () => Promise<void>) {
  const world = new World(wrap, revive)
  world.land(A, csv('Chad,1', 'Peru,2'))
  world.land(B, csv('Peru,3'))
  await world.untilQuiet()
  world.deploy(contractOfVersion(2))
  return world
}

async function typeAgain(world: World, ...keys: string[]) {
  for (const key of keys) await world.typeAgain(key)
  await world.untilQuiet()
}

/** All of it is published under version 2. */
async function ready(wrap?: Wrap, revive?: () => Promise<void>) {
  const world = await deployed(wrap, revive)
  await typeAgain(world, A, B)
  return world
}

const served = (world: World) => servedVersion(world.deps, 'sales')

describe('after a new version of the contract was deployed', () => {
  it('people go on reading the old one while the new one is published', async () => {
    const world = await deployed()
    expect(world.rows()).toEqual(V1)
    await typeAgain(world, A)
    expect(world.rows()).toEqual(V1)
    await typeAgain(world, B)
    expect(world.rows()).toEqual(V1)
    expect(world.rowsIn(world.glue.resolve({ ...table, name: 'tab_v2' }))).toEqual(V2)
    expect(await served(world)).toBe(1)
  })

  it('they read the new one, and nothing but it, as soon as it is served', async () => {
    const world = await ready()
    expect(await serve(world.deps, 'sales')).toEqual({ outcome: 'served', version: 2 })
    expect(world.rows()).toEqual(V2)
    expect(await served(world)).toBe(2)
    expect(await serve(world.deps, 'sales')).toEqual({ outcome: 'unchanged', version: 2 })
  })

  it('they read all of it, also what the catalog has not heard of yet', async () => {
    const world = await deployed()
    for (const key of [A, B]) await world.typeAgain(key)
    while (world.messages.some(({ to }) => to !== 'catalog') || world.glue.running.length > 0) {
      for (const message of world.messages.splice(0)) if (message.to !== 'catalog') await world.handle(message)
      world.endJobs()
    }
    expect(world.rowsIn(world.glue.resolve({ ...table, name: 'tab_v2' }))).toEqual([])
    expect(await serve(world.deps, 'sales')).toMatchObject({ outcome: 'served' })
    expect(world.rows()).toEqual(V2)
    expect(world.runs().map(({ state }) => state)).toEqual(['delivered', 'delivered', 'delivered', 'delivered'])
  })

  it('what lands is seen after the switch, and so is a newer version of a source', async () => {
    const world = await ready()
    world.land('data/sales/c.csv', csv('Togo,4'))
    world.land(B, csv('Peru,5'))
    await world.untilQuiet()
    expect(world.rows()).toEqual(V1)
    await serve(world.deps, 'sales')
    expect(world.rows()).toEqual(['Chad,1@v2', 'Peru,2@v2', 'Peru,5@v2', 'Togo,4@v2'])
  })

  it('a change of the old version wakes no one', async () => {
    const world = await deployed()
    const wakes = (folder: string, replay?: string) => {
      const key = `data/${folder}/COUNTRY=Chad/a-0123456789-00001.parquet`
      const event = S3ObjectEvent.parse(sample('Object Created', DELIVERY, key, 'CopyObject'))
      return deliveryChanged(world.deps, event, replay)
    }
    expect(await wakes('sales.v2')).toBe('sales')
    expect(await wakes('sales.v2', 'catalog-again')).toBe('sales')
    for (const other of ['sales', 'sales.v3', 'sales.v02', 'other']) {
      expect(await wakes(other)).toBeUndefined()
      expect(await wakes(other, 'catalog-again')).toBeUndefined()
    }
    const skipped = await world.table.query('CAUSE#catalog-again', 'SKIPPED#')
    expect(skipped.map(({ key, reason }) => [String(key).split('/')[1], reason]).sort()).toEqual([
      ['sales', 'not_meant'],
      ['sales.v3', 'not_meant'],
    ])
  })

  it('a source that is withdrawn leaves every version', async () => {
    const world = await ready()
    const run = world.runs().find(({ key }) => key === B)
    if (!run) throw new Error('no run')
    await world.objects.remove(RAW, [B])
    await withdraw(world.deps, run, { processing: PROCESSING, delivery: DELIVERY })
    expect(world.rows()).toEqual(['Chad,1', 'Peru,2'])
    expect(await serve(world.deps, 'sales')).toMatchObject({ outcome: 'served' })
    expect(world.rows()).toEqual(['Chad,1@v2', 'Peru,2@v2'])
  })

  it('nothing is switched by a version that is deployed already', async () => {
    const world = new World()
    expect(await serve(world.deps, 'sales')).toEqual({ outcome: 'unchanged', version: 1 })
  })
})

describe('serving a version is refused', () => {
  it('while a source was not typed under it, which is named', async () => {
    const world = await deployed()
    await typeAgain(world, A)
    expect(await serve(world.deps, 'sales')).toEqual({
      outcome: 'unserved',
      version: 1,
      deployed: 2,
      sources: [
        {
          key: B,
          sourceId: expect.stringMatching(/^b-[0-9a-f]{10}$/),
          runId: world.runs().find(({ key }) => key === B)?.runId,
          reason: 'nothing has typed it under version 2 yet: run `landfall rerun sales`',
        },
      ],
    })
    expect(world.rows()).toEqual(V1)
  })

  it('while a source is refused under it, with the reason', async () => {
    const world = await deployed()
    await typeAgain(world, A)
    world.land(B, 'WRONG')
    await world.untilQuiet()
    expect(await serve(world.deps, 'sales')).toMatchObject({
      outcome: 'unserved',
      sources: [{ key: B, reason: 'refused: The header is WRONG, not COUNTRY,N.' }],
    })
    expect(world.rows()).toEqual(V1)
    world.land(B, csv('Peru,3'))
    await world.untilQuiet()
    expect(await serve(world.deps, 'sales')).toMatchObject({ outcome: 'served' })
    expect(world.rows()).toEqual(V2)
  })

  it('while a source is on its way', async () => {
    const world = await deployed()
    await typeAgain(world, A)
    await world.typeAgain(B)
    await world.pump()
    expect(await serve(world.deps, 'sales')).toMatchObject({
      sources: [{ key: B, reason: 'its newest run is queued' }],
    })
  })

  it('while rows of the old one are of no source, but for what queries skip', async () => {
    const world = await ready()
    world.objects.put(DELIVERY, 'data/sales/COUNTRY=Mali/by-hand.parquet', 'Mali,9')
    world.objects.put(DELIVERY, 'data/sales/COUNTRY=Mali/_SUCCESS', '')
    world.objects.put(DELIVERY, 'data/sales/notes.txt', '')
    expect(await serve(world.deps, 'sales')).toMatchObject({
      sources: [
        {
          key: 'data/sales/COUNTRY=Mali/by-hand.parquet',
          reason: 'no source of ours wrote this object into the delivery zone: land it as a CSV, or delete it',
        },
      ],
    })
  })

  it('if people see a newer one', async () => {
    const world = await ready()
    await serve(world.deps, 'sales')
    world.deploy(contract)
    await expect(serve(world.deps, 'sales')).rejects.toThrow(
      'People see version 2 of sales, and version 1 is deployed: a version once served is not taken back.',
    )
  })

  it("if the name is someone else's view", async () => {
    const world = await ready()
    world.glue.tables.set('db.tab', { isView: true, parameters: {}, viewText: 'SELECT 1', partitions: new Map() })
    await expect(serve(world.deps, 'sales')).rejects.toThrow(
      'db.tab is a view without the parameter "landfall.version", so it is none of Landfall\'s.',
    )
  })

  it('not by a source whose rows are all rejects under it, nor by one that had none before', async () => {
    const world = new World()
    world.land(A, csv('Chad,1'))
    world.land(B, csv())
    await world.untilQuiet()
    world.deploy(contractOfVersion(2))
    world.land(A, csv())
    await world.untilQuiet()
    expect(await serve(world.deps, 'sales')).toMatchObject({ outcome: 'served' })
    expect(world.rows()).toEqual([])
  })
})

/** Looks before and after each call that the stages make. */
const watching = (look: () => void): Wrap =>
  hearing(async ({ make }) => {
    look()
    const answer = await make()
    look()
    return answer
  })

describe('a reader of any moment', () => {
  async function watched(takesViews: boolean) {
    const seen = new Set<string>()
    let world: World | undefined
    const look = () => {
      if (!world) return
      try {
        seen.add(world.rows().join(' '))
      } catch (error) {
        seen.add((error as Error).message)
      }
    }
    const made = await deployed(watching(look))
    made.glue.takesViews = takesViews
    world = made
    for (const key of [A, B]) {
      await typeAgain(made, key)
      await serve(made.deps, 'sales')
    }
    await serve(made.deps, 'sales')
    made.clock.advance(2 * 60 * 60_000)
    await made.sweep()
    await made.untilQuiet()
    return [...seen]
  }

  it('sees one version, whole', async () => {
    expect(await watched(true)).toEqual([V1.join(' '), V2.join(' ')])
  })

  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'sees one version, whole, whatever goes on beside: seed %i',
    async (seed) => {
      const random = seeded(seed)
      let look = () => {}
      const world = await deployed(watching(() => look()))
      const seen: string[] = []
      const whole = () => world.rowsIn([`s3://${DELIVERY}/data/sales.v2/`]).join(' ')
      let switched = false
      look = () => {
        const rows = world.rows().join(' ')
        if (rows === V1.join(' ')) expect(switched).toBe(false)
        else expect(rows).toBe(whole())
        switched ||= rows !== V1.join(' ')
        seen.push(rows)
      }
      const step = [
        () => world.typeAgain(random(2) === 0 ? A : B, `convert-${random(3)}`),
        async () => void world.land(A, csv(`Chad,${random(9)}`, 'Peru,2')),
        async () => void world.land(`data/sales/n${random(3)}.csv`, csv(`Togo,${random(9)}`)),
        () => world.pump(),
        async () => world.endJobs(),
        () => world.untilQuiet(),
        () => serve(world.deps, 'sales'),
      ]
      while (!switched) await step[random(step.length)]?.()
      look = () => {}
      await world.untilQuiet()
      const landed = [...world.objects.texts(RAW, 'data/').values()].flatMap((text) => rowsOf(text).slice(1))
      expect(world.rows()).toEqual(landed.map((row) => `${row}@v2`).sort())
      // Two runs of one source may settle side by side; what is no wait of theirs is wrong.
      expect(world.errors.filter((error) => !(error instanceof TryAgain))).toEqual([])
      expect(seen.length).toBeGreaterThan(20)
    },
  )

  it('sees one version, whole, or an error, where Glue takes no view in the place of a table', async () => {
    expect(await watched(false)).toEqual([V1.join(' '), 'TABLE_NOT_FOUND: db.tab', V2.join(' ')])
  })
})

describe.each([true, false])('a crash while a version is served (Glue takes a view for a table: %s)', (takesViews) => {
  const play = async ({ wrap, revive, calls }: ReturnType<typeof fault>, sweeps: boolean) => {
    const world = await ready(wrap, revive)
    world.glue.takesViews = takesViews
    const from = calls()
    const outcome = await serve(world.deps, 'sales').catch(() => 'crashed')
    await revive()
    const to = calls()
    const between = (() => {
      try {
        return world.rows()
      } catch {
        return takesViews ? 'no table' : V2
      }
    })()
    if (!sweeps) await serve(world.deps, 'sales')
    else {
      world.clock.advance(LOCK_MS)
      await world.sweep()
    }
    await world.untilQuiet()
    return { world, between, from, to, crashed: outcome === 'crashed' }
  }

  it.each(FAULTS)('leaves one version whole, and the next call goes on: %s', async (kind) => {
    const { from, to } = await play(fault(), false)
    expect(to - from).toBeGreaterThan(10)
    for (let nth = from + 1; nth <= to; nth++) {
      const { world, between, crashed } = await play(fault(nth, kind), false)
      expect({ nth, crashed }).toEqual({ nth, crashed: true })
      expect([V1, V2]).toContainEqual(between)
      expect(world.rows()).toEqual(V2)
      world.clock.advance(2 * 60 * 60_000)
      await world.sweep()
      expect(world.objects.keys(DELIVERY, 'data/sales/')).toEqual([])
    }
  })

  it('is finished by the sweep, once the switch was noted', async () => {
    const { from, to } = await play(fault(), false)
    const ends: unknown[] = []
    for (let nth = from + 1; nth <= to; nth++) {
      const { world } = await play(fault(nth, 'death'), true)
      ends.push(await served(world))
      expect([V1, V2]).toContainEqual(world.rows())
      if (world.table.items.has('TABLE#sales\nSWITCH')) expect(world.rows()).toEqual(V2)
    }
    expect(new Set(ends)).toEqual(new Set([1, 2]))
  })
})

describe('an hour after a switch', () => {
  const HOUR = 60 * 60_000
  const lists = (world: World) =>
    [...world.table.items.values()].flatMap(({ sk }) => /^OBJECTS#delivery[^#]*/.exec(sk)?.[0] ?? [])

  it('the sweep takes the version before out of zone, ledger and catalog, and no sooner', async () => {
    const world = await ready()
    const underway = world.glue.resolve(table)
    await serve(world.deps, 'sales')
    world.clock.advance(HOUR - 1)
    expect(await world.sweep()).toEqual([])
    // A query that began before the switch.
    expect(world.rowsIn(underway)).toEqual(V1)
    expect(new Set(lists(world))).toEqual(new Set(['OBJECTS#delivery', 'OBJECTS#delivery.v2']))

    world.clock.advance(1)
    expect(await world.sweep()).toEqual([
      { dataset: 'sales', stage: 'catalog', did: 'took out what was before version 2' },
    ])
    expect(world.objects.keys(DELIVERY, 'data/sales/')).toEqual([])
    expect(new Set(lists(world))).toEqual(new Set(['OBJECTS#delivery.v2']))
    expect(await world.glue.partitions(table)).toEqual([])
    expect(world.rows()).toEqual(V2)
    await world.untilQuiet()
    expect(await world.sweep()).toEqual([])
  })

  it('the table of a later version goes too, for it would answer with nothing', async () => {
    const world = await ready()
    await serve(world.deps, 'sales')
    world.deploy(contractOfVersion(3))
    for (const key of [A, B]) await world.typeAgain(key, 'convert-third')
    await world.untilQuiet()
    expect(await serve(world.deps, 'sales')).toEqual({ outcome: 'served', version: 3 })
    expect(world.rows()).toEqual(V1.map((row) => `${row}@v3`))
    world.clock.advance(HOUR)
    await world.sweep()
    expect([...world.glue.tables.keys()]).toEqual(['db.tab', 'db.tab_v3'])
    expect(new Set(world.objects.keys(DELIVERY).map((key) => key.split('/')[1]))).toEqual(new Set(['sales.v3']))
    expect(world.rows()).toEqual(V1.map((row) => `${row}@v3`))
  })

  it.each(FAULTS)('a crash leaves nothing behind: %s', async (kind) => {
    const play = async ({ wrap, revive, calls }: ReturnType<typeof fault>) => {
      const world = await ready(wrap, revive)
      await serve(world.deps, 'sales')
      world.clock.advance(HOUR)
      const from = calls()
      await world.sweep()
      const to = calls()
      // A lock that died with its holder is free by then.
      for (let minute = 0; minute < 8; minute++) {
        world.clock.advance(60_000)
        await world.sweep()
      }
      return { world, from, to }
    }
    const { from, to } = await play(fault())
    for (let nth = from + 1; nth <= to; nth++) {
      const { world } = await play(fault(nth, kind))
      expect({ nth, old: world.objects.keys(DELIVERY, 'data/sales/') }).toEqual({ nth, old: [] })
      expect(new Set(lists(world))).toEqual(new Set(['OBJECTS#delivery.v2']))
      expect(world.table.items.has('TABLE#sales\nSWITCH')).toBe(false)
      expect(world.rows()).toEqual(V2)
    }
  })
})

describe('the view that people query', () => {
  it('is made by the catalog where no earlier version was ever published', async () => {
    const world = new World(undefined, undefined, contractOfVersion(2))
    expect(await served(world)).toBeUndefined()
    world.land(A, csv('Chad,1'))
    await world.untilQuiet()
    expect(await served(world)).toBe(2)
    expect(world.rows()).toEqual(['Chad,1@v2'])
  })

  it('is not made by the catalog where one was, though its name is free', async () => {
    const world = await ready()
    const renamed = { ...contractOfVersion(2), table: { database: 'db', name: 'other' } }
    world.deploy(renamed)
    await typeAgain(world, A)
    world.land('data/sales/c.csv', csv('Togo,4'))
    await world.untilQuiet()
    expect(await served(world)).toBeUndefined()
    expect(await serve(world.deps, 'sales')).toMatchObject({ outcome: 'served' })
    expect(world.rows()).toEqual([...V2, 'Togo,4@v2'])
    // The old name is still read.
    world.clock.advance(3 * 60 * 60_000)
    await world.sweep()
    expect(world.rowsIn(world.glue.resolve(table))).toEqual(V1)
  })

  it('gets a new column of its version with the next change of the rows', async () => {
    const world = await ready()
    await serve(world.deps, 'sales')
    const { columns } = contractOfVersion(2)
    const wider = { ...contractOfVersion(2), columns: [...columns, { ...columns[0], source: 'M', name: 'M' }] }
    world.deploy(wider as typeof contract)
    world.land('data/sales/c.csv', csv('Togo,4'))
    await world.untilQuiet()
    expect(world.glue.tables.get('db.tab')?.viewText).toBe(glueView(wider as typeof contract).ViewOriginalText)
    expect(world.rows()).toEqual([...V2, 'Togo,4@v2'])
  })
})
