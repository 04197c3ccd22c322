import { describe, expect, it } from 'vitest'
import { memberFolderOf, sourceIdOf } from '../../../../services/ledger/ids.ts'
import { csv } from '../../memory/engine.ts'
import { DELIVERY, PROCESSING, QUARANTINE, RAW, STAGING } from '../../memory/world.ts'
import { zipOf } from '../../unzip/zips.ts'
import { placeOf } from './place.ts'

const A = 'data/sales/a.csv'
const Z = 'landing/sales/z.zip'
const OLD = 'old-data/sales/z.zip'
const member = (name: string) => `${memberFolderOf('sales', Z)}${name}`
const idOf = sourceIdOf
const MORE = ['Peru,MARK5', 'Peru,MARK6', 'Peru,MARK7', 'Peru,MARK8']
const OTHERS = ['Chad,OTHER1', 'Chad,OTHER3', 'Chad,OTHER4', 'Chad,OTHER5', 'Chad,OTHER6']

/** A CSV of three versions: one delivered with a reject, one refused, and a newest; the rows of each have MARK in them. */
async function three() {
  const place = placeOf()
  const { world } = place
  world.land('data/sales/other.csv', csv(...OTHERS, 'BAD,OTHER2'))
  for (const text of [
    csv('Chad,MARK1', 'Peru,MARK2', ...MORE, 'BAD,MARK3'),
    'MARK,HEADER\nChad,1',
    csv('Chad,MARK4'),
  ]) {
    world.land(A, text)
    await world.untilQuiet()
  }
  return place
}

describe('what still holds the data', () => {
  it('is said by place, with how many versions and when they go by themselves', async () => {
    const { withdraw, places, holdings } = await three()
    await withdraw(A)
    const bare = (await places(A)).map(({ bytes: _, ...each }) => each)
    const versioned = { noncurrent: 90 }
    const stays = { markers: 0, goes: versioned }
    expect(bare).toEqual([
      { place: 'raw', bucket: RAW, where: [A], keys: 1, versions: 3, current: 0, markers: 1, goes: versioned },
      {
        place: 'processing',
        bucket: PROCESSING,
        where: [`data/sales/${idOf(A)}/`],
        keys: 2,
        versions: 2,
        current: 0,
        markers: 2,
        goes: versioned,
      },
      {
        place: 'delivery',
        bucket: DELIVERY,
        where: [`data/sales*/*/${idOf(A)}-*.parquet`],
        keys: 2,
        versions: 3,
        current: 0,
        markers: 2,
        goes: versioned,
      },
      {
        place: 'rejects',
        bucket: QUARANTINE,
        where: [`rejects/sales/${idOf(A)}/`],
        keys: 1,
        versions: 1,
        current: 1,
        ...stays,
      },
      {
        place: 'refusals',
        bucket: QUARANTINE,
        where: [`refused/sales/${idOf(A)}/`],
        keys: 1,
        versions: 1,
        current: 1,
        ...stays,
      },
      expect.objectContaining({ place: 'staging', bucket: STAGING, goes: { objects: 7 } }),
    ])
    expect((await holdings(A)).quoted).toEqual({ examples: 1, problems: 1 })
  })

  it('is of a member also the zip that it came in, with what else that one has', async () => {
    const { world, withdraw, holdings } = placeOf()
    world.land(Z, await zipOf({ 'm.csv': csv('Chad,3'), 'n.csv': csv('Togo,4') }))
    await world.untilQuiet()
    await withdraw(member('m.csv'))
    const { found, zipsOf } = await holdings(member('m.csv'))
    const zip = found.filter(({ place }) => place === 'others_zip')
    expect(zip).toMatchObject([{ where: OLD, versions: [{ current: true, marker: false }] }])
    expect(zipsOf).toEqual([{ key: Z, others: [member('n.csv')] }])
  })

  it('includes objects below the folder of another version of the contract, and none of a dataset with a like name', async () => {
    const { world, holdings } = await three()
    const like = (folder: string) => `data/${folder}/COUNTRY=Chad/${idOf(A)}-00001.parquet`
    world.objects.onEvent = () => {}
    for (const folder of ['sales.v2', 'sales-old']) world.objects.put(DELIVERY, like(folder), 'x')
    const keys = (await holdings(A)).found.flatMap(({ versions }) => versions.map(({ key }) => key))
    expect(keys).toContain(like('sales.v2'))
    expect(keys).not.toContain(like('sales-old'))
  })
})

describe('erase', () => {
  it('leaves no version of any object and no item of the ledger with a text of its rows', async () => {
    const { world, withdraw, erase, whereIs, places, holdings } = await three()
    expect(whereIs('MARK').length).toBeGreaterThan(8)
    await withdraw(A)
    expect(whereIs('MARK').length).toBeGreaterThan(8)
    const { erased, again } = await erase(A)
    expect(again).toEqual([])
    expect(whereIs('MARK')).toEqual([])
    expect(await places(A)).toEqual([])
    expect((await holdings(A)).quoted).toEqual({ examples: 0, problems: 0 })
    expect(erased.quoted).toEqual({ examples: 1, problems: 1 })
    expect(world.rows()).toEqual(OTHERS)
  })

  it('leaves none in what a rerun has noted of its failures either', async () => {
    const { world, withdraw, erase, whereIs } = placeOf()
    for (const key of [A, 'data/sales/b.csv']) world.land(key, `MARK${key.length}-${key},HEADER\nChad,1`)
    await world.untilQuiet()
    await world.rerun('again')
    await world.untilQuiet()
    const text = `MARK${A.length}-${A}`
    expect(whereIs(text).filter((where) => where.startsWith('ledger CAUSE#'))).toHaveLength(2)
    await withdraw(A)
    await erase(A)
    expect(whereIs(text)).toEqual([])
    expect(whereIs('-data/sales/b.csv').filter((where) => where.startsWith('ledger CAUSE#'))).toHaveLength(2)
  })

  it('is no end: no replay brings anything back, and the key that lands again is delivered', async () => {
    const { world, withdraw, erase, whereIs } = await three()
    await withdraw(A)
    await erase(A)
    for (const stage of ['convert', 'partition', 'catalog'] as const) world.replay(stage)
    await world.untilQuiet()
    expect(whereIs('MARK')).toEqual([])
    expect(world.rows()).toEqual(OTHERS)
    world.land(A, csv('Mali,9'))
    await world.untilQuiet()
    expect(world.rows()).toEqual([...OTHERS, 'Mali,9'])
  })

  it('keeps the history: runs, counts, reasons of rejects, codes of refusals', async () => {
    const { world, withdraw, erase } = await three()
    await withdraw(A)
    await erase(A)
    const [first, refused, last] = world.runs().filter(({ key }) => key === A)
    expect(first).toMatchObject({ state: 'delivered', rowsIn: 7, accepted: 6, rejected: 1 })
    expect(first?.reasons).toEqual([{ reason: 'not_an_integer', column: 'N', rows: 1 }])
    expect(first).not.toHaveProperty('examples')
    expect(refused).toMatchObject({ state: 'refused', problem: { code: 'header_mismatch' } })
    expect(refused?.problem?.message).toMatch(
      /^What was said here may have quoted the file, and was erased with it at /,
    )
    expect(last).toMatchObject({ state: 'delivered', rowsIn: 1 })
  })

  it('touches nothing of another source, though it went through the same job', async () => {
    const { world, withdraw, erase, whereIs } = placeOf()
    world.land('data/sales/other.csv', csv(...OTHERS, 'BAD,OTHER2'))
    world.land(A, csv('Chad,MARK1'))
    await world.untilQuiet()
    const before = whereIs('OTHER').filter((where) => !where.startsWith(STAGING))
    await withdraw(A)
    await erase(A)
    // What the two had in staging was in one folder, whose job has long been settled.
    expect(whereIs('OTHER').filter((where) => !where.startsWith(STAGING))).toEqual(before)
    expect(whereIs('MARK')).toEqual([])
    expect(world.rows()).toEqual(OTHERS)
  })

  it('of a zip deletes every version of it, and of all that ever came out of it', async () => {
    const { world, withdraw, erase, whereIs, places } = placeOf()
    world.land(Z, await zipOf({ 'm.csv': csv('Chad,MARK1') }))
    await world.untilQuiet()
    world.land(Z, await zipOf({ 'n.csv': csv('Togo,MARK2') }))
    await world.untilQuiet()
    await withdraw(Z)
    await erase(Z)
    expect(whereIs('MARK')).toEqual([])
    expect(await places(Z)).toEqual([])
    for (const key of [Z, OLD]) expect(world.objects.versions(RAW, key)).toEqual([])
  })

  it('of a member leaves the zip alone, and it is all that is left', async () => {
    const { world, withdraw, erase, places } = placeOf()
    world.land(Z, await zipOf({ 'm.csv': csv('Chad,MARK1'), 'n.csv': csv('Togo,4') }))
    await world.untilQuiet()
    await withdraw(member('m.csv'))
    await erase(member('m.csv'))
    expect((await places(member('m.csv'))).map(({ place }) => place)).toEqual(['others_zip'])
    expect(world.objects.keys(RAW)).toContain(OLD)
    world.replay('unzip')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Togo,4'])
  })

  it.each(['data/sales/x.csv', 'landing/sales/x.csv'])(
    'of a CSV that landed where zips do, named as %s, deletes what is under both keys',
    async (name) => {
      const { world, withdraw, erase, whereIs, places } = placeOf()
      world.land('landing/sales/x.csv', csv('Chad,MARK1'))
      await world.untilQuiet()
      await withdraw(name)
      const { erased } = await erase(name)
      const versions = erased.found.flatMap(({ bucket, versions }) =>
        versions.map((each) => `${bucket} ${each.key} ${each.versionId}`),
      )
      expect(versions).toEqual([...new Set(versions)])
      expect(whereIs('MARK')).toEqual([])
      expect(await places('data/sales/x.csv')).toEqual([])
    },
  )

  it('leaves a CSV that has landed where zips do again, and has not been moved yet', async () => {
    const { world, withdraw, erase } = placeOf()
    world.land('landing/sales/x.csv', csv('Chad,1'))
    await world.untilQuiet()
    await withdraw('data/sales/x.csv')
    world.land('landing/sales/x.csv', csv('Mali,9'))
    const { erased, again } = await erase('data/sales/x.csv')
    expect(again).toMatchObject([{ key: 'data/sales/x.csv' }])
    expect(erased.found).toEqual([])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Mali,9'])
  })

  it('of what was withdrawn long ago, or erased already, does what is left', async () => {
    const { world, withdraw, erase, whereIs } = await three()
    await withdraw(A)
    world.clock.advance(86_400_000)
    expect((await withdraw(A)).taken).toMatchObject([{ outcome: 'withdrawn' }])
    await erase(A)
    expect(whereIs('MARK')).toEqual([])
    const { erased } = await erase(A)
    expect(erased).toMatchObject({ found: [], quoted: { examples: 0, problems: 0 } })
  })

  it('that dies at any version and is begun again shows no row to a reader meanwhile, and erases all', async () => {
    const total = await (async () => {
      const place = await three()
      await place.withdraw(A)
      return (await place.erase(A)).erased.found.reduce((sum, { versions }) => sum + versions.length, 0)
    })()
    expect(total).toBeGreaterThan(15)
    for (let dies = 0; dies < total; dies++) {
      const { world, withdraw, erase, whereIs, landfall } = await three()
      await withdraw(A)
      let removed = 0
      landfall.versions.onRemove = () => {
        if (removed++ === dies) throw new Error('killed')
      }
      await expect(erase(A)).rejects.toThrow('killed')
      // Neither in the zone, whatever the catalog says, nor where a rerun would read it.
      const shown = [...world.objects.texts(DELIVERY, 'data/').values(), ...world.objects.texts(RAW, 'data/').values()]
      expect(
        shown.filter((text) => text.includes('MARK')),
        `after ${dies}`,
      ).toEqual([])
      landfall.versions.onRemove = () => {}
      await erase(A)
      expect(whereIs('MARK')).toEqual([])
    }
  })

  it('erases nothing of a source that has landed again since, whether or not its event was heard', async () => {
    for (const heard of [false, true]) {
      const { world, withdraw, erase, whereIs } = await three()
      await withdraw(A)
      world.land(A, csv('Chad,NEWER'))
      if (heard) await world.untilQuiet()
      const before = whereIs('MARK')
      const { erased, again } = await erase(A)
      expect(again).toMatchObject([{ key: A }])
      expect(erased.found).toEqual([])
      expect(whereIs('MARK')).toEqual(before)
      await world.untilQuiet()
      expect(world.rows()).toEqual(['Chad,NEWER', ...OTHERS])
    }
  })

  it('leaves what lands while it is at work as it is: its rows, its rejects, its examples', async () => {
    const { world, withdraw, erase, whereIs, landfall, holdings } = await three()
    await withdraw(A)
    landfall.versions.onRemove = async () => {
      landfall.versions.onRemove = () => {}
      world.land(A, csv(...['NEW1', 'NEW2', 'NEW3', 'NEW4', 'NEW5'].map((n) => `Chad,${n}`), 'BAD,NEW6'))
      await world.untilQuiet()
    }
    await erase(A)
    expect(whereIs('MARK')).toEqual([])
    await world.untilQuiet()
    expect(world.rows().filter((row) => row.includes('NEW'))).toHaveLength(5)
    expect(whereIs('NEW6').map((where) => where.split(/[/ ]/)[0])).toEqual(
      expect.arrayContaining(['raw', 'quarantine', 'ledger']),
    )
    expect((await holdings(A)).quoted).toEqual({ examples: 1, problems: 0 })
    expect(world.runs().find(({ key, state, seq }) => key === A && state === 'delivered' && seq > 3)).toBeDefined()
  })

  it('leaves staging to a job that is at work, also on others', async () => {
    const { world, withdraw, places } = await three()
    await withdraw(A)
    world.land('data/sales/b.csv', csv('Chad,7'))
    await world.pump()
    const [running] = world.glue.running
    const folder = running?.manifest.slice(`s3://${STAGING}/`.length).replace('manifest.json', '') ?? ''
    const staging = (await places(A)).find(({ place }) => place === 'staging')
    expect(staging?.where.length).toBeGreaterThan(0)
    expect(staging?.where).not.toContain(folder)
  })

  it('is interrupted between two batches of versions', async () => {
    const { withdraw, erase, whereIs } = await three()
    await withdraw(A)
    const stop = new AbortController()
    const erasing = erase(A, { signal: stop.signal, onProgress: () => stop.abort() })
    await expect(erasing).rejects.toThrow('aborted')
    expect(whereIs('MARK').length).toBeGreaterThan(0)
  })
})
