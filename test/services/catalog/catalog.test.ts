import { describe, expect, it } from 'vitest'
import { crawlEnded, PATIENCE_MS, repairs, wake } from '../../../services/catalog/catalog.ts'
import { LOCK_MS } from '../../../services/jobs/publish.ts'
import { Failed, TryAgain } from '../../../services/lambda/errors.ts'
import { catalogState, markDirty, whilePublishing } from '../../../services/ledger/catalog-state.ts'
import { Ledger } from '../../../services/ledger/ledger.ts'
import { headKey } from '../../../services/ledger/run.ts'
import { csv } from '../memory/engine.ts'
import { interleaveAll } from '../memory/interleave.ts'
import { DELIVERY, World } from '../memory/world.ts'

const BASE = 's3://delivery/data/sales/'

describe('the comparison of catalog and zone', () => {
  it('adds what is missing, under the value that the folder means', () => {
    expect(repairs(['COUNTRY=Cote d%27Ivoire', 'COUNTRY=__HIVE_DEFAULT_PARTITION__'], [], BASE)).toEqual({
      drop: [],
      add: [
        { value: "Cote d'Ivoire", location: `${BASE}COUNTRY=Cote d%27Ivoire/` },
        { value: '__HIVE_DEFAULT_PARTITION__', location: `${BASE}COUNTRY=__HIVE_DEFAULT_PARTITION__/` },
      ],
    })
  })

  it('replaces a value that the crawler did not decode', () => {
    const location = `${BASE}COUNTRY=Cote d%27Ivoire/`
    expect(repairs(['COUNTRY=Cote d%27Ivoire'], [{ value: 'Cote d%27Ivoire', location }], BASE)).toEqual({
      drop: ['Cote d%27Ivoire'],
      add: [{ value: "Cote d'Ivoire", location }],
    })
  })

  it('drops a partition whose folder has vanished, and moves one that points elsewhere', () => {
    const known = [
      { value: 'Chad', location: `${BASE}COUNTRY=Chad/` },
      { value: 'Peru', location: `${BASE}old/COUNTRY=Peru/` },
    ]
    expect(repairs(['COUNTRY=Peru'], known, BASE)).toEqual({
      drop: ['Chad', 'Peru'],
      add: [{ value: 'Peru', location: `${BASE}COUNTRY=Peru/` }],
    })
  })

  it('finds nothing to do where all is right, with or without the slash at the end', () => {
    const known = [{ value: 'Chad', location: `${BASE}COUNTRY=Chad` }]
    expect(repairs(['COUNTRY=Chad'], known, BASE)).toEqual({ drop: [], add: [] })
  })

  it('takes no partition from a folder that is none', () => {
    expect(repairs(['_temporary'], [], BASE)).toEqual({ drop: [], add: [] })
  })
})

const state = (world: World) => catalogState(world.books, 'sales')

describe('what Glue refuses the catalog', () => {
  const waiting = async () => {
    const world = new World()
    world.land('data/sales/a.csv', csv('Chad,1'))
    world.glue.trouble.set('startCrawler', new Failed('glue_refused', 'Glue refuses to start crawler: no.'))
    await world.pump()
    world.endJobs()
    await world.pump()
    world.endJobs()
    return world
  }
  const ends = (world: World) => world.runs().map(({ state }) => state)
  const minutes = async (world: World, n: number) => {
    for (let i = 0; i < n; i++) {
      world.clock.advance(60_000)
      await world.sweep()
    }
  }

  it('fails the runs that wait, in words, when a message would have been given up too', async () => {
    const world = await waiting()
    await world.pump()
    expect(world.deadLetters.map(({ to }) => to)).toEqual(['catalog'])
    expect(ends(world)).toEqual(['failed'])
    expect(world.runs()[0]?.problem).toEqual({
      code: 'catalog_refused',
      message:
        'The rows of data/sales/a.csv are in the delivery zone, but cannot be made queryable: Glue refuses to start crawler: no. It is tried again each minute, and needs no landing when the cause is mended.',
    })
  })

  it('is delivered by the sweep when the cause is mended, and then has no problem any more', async () => {
    const world = await waiting()
    await world.pump()
    world.glue.trouble.clear()
    await minutes(world, 1)
    world.endCrawl()
    await world.untilQuiet()
    expect(ends(world)).toEqual(['delivered'])
    expect(world.runs()[0]).not.toHaveProperty('problem')
    expect(world.rows()).toEqual(['Chad,1'])
    expect(await state(world)).not.toHaveProperty('refusedAt')
  })

  it('is found out by the sweep alone, also where the catalog may not be read', async () => {
    const world = await waiting()
    const denied = Object.assign(new Error('no glue:GetPartitions'), {
      name: 'AccessDeniedException',
      $metadata: { httpStatusCode: 400 },
    })
    world.glue.trouble.clear()
    world.glue.trouble.set('partitions', denied)
    await world.pump()
    // No one is told of the crawl's end.
    world.glue.endCrawl(0)
    await minutes(world, 6)
    expect(ends(world)).toEqual(['published'])
    await minutes(world, 4)
    expect(ends(world)).toEqual(['failed'])
    expect(world.runs()[0]?.problem?.message).toContain(
      'cannot be made queryable: AccessDeniedException: no glue:GetPartitions',
    )
  })

  it('fails nothing while it is only throttled or busy', async () => {
    const world = await waiting()
    world.glue.trouble.set('startCrawler', new TryAgain('glue_busy', 'Glue would not start crawler now.'))
    await world.pump()
    await minutes(world, 60)
    expect(ends(world)).toEqual(['published'])
    world.glue.trouble.clear()
    await world.untilQuiet()
    expect(ends(world)).toEqual(['delivered'])
  })
})

describe('a wake-up', () => {
  it('starts a crawl only if something changed since the last one began', async () => {
    const world = new World()
    expect(await wake(world.deps, 'sales')).toBe('idle')
    await markDirty(world.books, 'sales')
    expect(await wake(world.deps, 'sales')).toBe('crawling')
    await crawlEnded(world.deps, 'sales')
    expect(await wake(world.deps, 'sales')).toBe('idle')
    expect(world.glue.crawls).toBe(1)
  })

  it('is busy while a crawl is at work, whose end starts the next one once the crawler has stopped', async () => {
    const world = new World()
    await markDirty(world.books, 'sales')
    await wake(world.deps, 'sales')
    await markDirty(world.books, 'sales')
    expect(await wake(world.deps, 'sales')).toBe('busy')
    const before = world.clock.ms
    world.glue.endCrawl(10_000)
    await crawlEnded(world.deps, 'sales')
    expect(await wake(world.deps, 'sales')).toBe('crawling')
    expect(world.clock.ms - before).toBeGreaterThanOrEqual(10_000)
    expect(await state(world)).toMatchObject({ dirty: 2, crawled: 1, crawlDirty: 2 })
  })

  it('gives up for now when the crawler does not stop, and leaves no crawl behind', async () => {
    const world = new World()
    await markDirty(world.books, 'sales')
    world.glue.endCrawl(PATIENCE_MS * 2)
    await expect(wake(world.deps, 'sales')).rejects.toMatchObject({
      retryable: true,
      message: 'The crawler crawler is still running or stopping.',
    })
    expect(await state(world)).not.toHaveProperty('crawlUntil')
    world.clock.advance(PATIENCE_MS * 2)
    expect(await wake(world.deps, 'sales')).toBe('crawling')
  })

  it('waits for publishers, for their crawl would have to be repeated', async () => {
    const world = new World()
    await markDirty(world.books, 'sales')
    await whilePublishing(world.books, 'sales', 'batch', 60_000, async () => {
      await expect(wake(world.deps, 'sales')).rejects.toThrow('The table of sales is still being published into.')
      expect(world.glue.crawls).toBe(0)
    })
    expect(await wake(world.deps, 'sales')).toBe('crawling')
  })

  it('does not wait for a publisher that died', async () => {
    const world = new World()
    await markDirty(world.books, 'sales')
    const marker = { pk: 'TABLE#sales', sk: 'PUBLISHING#dead', until: world.clock.ms + 1_000 }
    await world.table.write([{ put: marker }])
    expect(await wake(world.deps, 'sales')).toBe('crawling')
  })

  it('starts one crawl between two, in any order of their calls', async () => {
    const waker = async (world: World, wrap: <T extends object>(port: T) => T) => {
      const ledger = new Ledger(wrap(world.table), world.clock.now)
      await markDirty(ledger, 'sales')
      await wake({ ...world.deps, ledger }, 'sales')
    }
    await interleaveAll(
      async () => new World(),
      [waker, waker],
      async (world) => {
        expect(world.glue.crawls).toBe(1)
        const { dirty, crawlDirty } = await state(world)
        expect(dirty).toBe(2)
        expect(crawlDirty).toBeGreaterThan(0)
      },
    )
  })
})

/** Published, and waiting for the catalog. */
async function published(...texts: string[]) {
  const world = new World()
  for (const [i, text] of texts.entries()) world.land(`data/sales/${i}.csv`, text)
  while (world.messages.some(({ to }) => to !== 'catalog') || world.glue.running.length > 0) {
    const waiting = world.messages.splice(0)
    for (const message of waiting) {
      if (message.to === 'catalog') continue
      await world.handle(message)
    }
    world.endJobs()
  }
  return world
}

describe('the end of a crawl', () => {
  it('makes the waiting runs queryable, with what the crawler left wrong put right', async () => {
    const world = await published(csv("Cote d'Ivoire,1", 'Chad,2'))
    await markDirty(world.books, 'sales')
    await wake(world.deps, 'sales')
    world.endCrawl()
    expect([...world.glue.catalog.keys()]).toContain('Cote d%27Ivoire')
    await crawlEnded(world.deps, 'sales')
    expect([...world.glue.catalog.keys()].sort()).toEqual(['Chad', "Cote d'Ivoire"])
    expect(world.runs()[0]).toMatchObject({ state: 'delivered', spanCatalog: { startedAt: expect.any(String) } })
  })

  it('does the same after a crawl that failed: the comparison has done the work', async () => {
    const world = await published(csv('Chad,2'))
    await markDirty(world.books, 'sales')
    await wake(world.deps, 'sales')
    await crawlEnded(world.deps, 'sales')
    expect(world.rows()).toEqual(['Chad,2'])
    expect(await state(world)).toMatchObject({ dirty: 1, crawled: 1 })
  })

  it('settles a run that was queued too late for its crawl without a second one', async () => {
    const world = await published(csv('Chad,2'))
    expect(await wake(world.deps, 'sales')).toBe('settled')
    expect(world.glue.crawls).toBe(0)
    expect(world.runs()[0]).toMatchObject({ state: 'delivered' })
  })

  it('changes nothing when it is told again', async () => {
    const world = await published(csv('Chad,2'))
    await world.untilQuiet()
    const before = JSON.stringify([...world.table.items.values()])
    await crawlEnded(world.deps, 'sales')
    expect(JSON.stringify([...world.table.items.values()])).toBe(before)
  })

  it('fails a run whose partitions someone deleted, loudly', async () => {
    const world = await published(csv('Chad,2', 'Peru,3'))
    await world.objects.remove(DELIVERY, world.objects.keys(DELIVERY, 'data/sales/COUNTRY=Peru/'))
    await world.untilQuiet()
    expect(world.runs()[0]).toMatchObject({
      state: 'failed',
      problem: {
        code: 'imbalance',
        message:
          '1 partitions that were published of data/sales/0.csv are not in the delivery zone, first COUNTRY=Peru. Someone else deleted them; land the file again.',
      },
    })
  })

  /** One who holds the source's lock has taken Peru out. */
  async function takenOut() {
    const world = await published(csv('Chad,2', 'Peru,3'))
    const [run] = world.runs()
    if (!run) throw new Error('no run')
    const [vanished = ''] = world.objects.keys(DELIVERY, 'data/sales/COUNTRY=Peru/')
    const lock = { lockOwner: 'publisher', lockUntil: world.clock.ms + LOCK_MS }
    await world.table.write([{ update: headKey(run), set: lock }])
    await world.objects.remove(DELIVERY, [vanished])
    await crawlEnded(world.deps, 'sales')
    expect(world.runs()[0]).toMatchObject({ state: 'published' })
    return { world, run }
  }

  it('does not take a publisher that is at work for someone who deleted partitions', async () => {
    const { world, run } = await takenOut()
    await world.table.write([{ update: headKey(run), set: { deliveryRun: 'newer' }, remove: ['lockOwner'] }])
    await world.untilQuiet()
    expect(world.runs()[0]).toMatchObject({ state: 'superseded' })
  })

  it('does not wait for one that died with the lock, a withdrawal say', async () => {
    const { world } = await takenOut()
    await world.untilQuiet()
    expect(world.runs()[0]).toMatchObject({
      state: 'superseded',
      problem: {
        message:
          'The rows of this version of data/sales/0.csv were taken out, and what did it has broken off: a newer version goes on by itself, a withdrawal has to be done again.',
      },
    })
  })
})
