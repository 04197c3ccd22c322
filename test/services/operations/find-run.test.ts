import { describe, expect, it } from 'vitest'
import { idKey } from '../../../services/ledger/run.ts'
import { findRun } from '../../../services/operations/find-run.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { contractOfVersion, DELIVERY, PROCESSING, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

async function delivered() {
  const world = new World()
  world.land('data/sales/a.csv', csv('Chad,1'))
  await world.untilQuiet()
  world.land('data/sales/a.csv', csv('Chad,2'))
  world.land('landing/sales/z.zip', await zipOf({ 'b.csv': csv('Peru,3') }))
  await world.untilQuiet()
  const named = (text: string) => findRun(landfallOf(world), text)
  const [first, second] = world.runs().filter(({ key }) => key === 'data/sales/a.csv')
  if (!first || !second) throw new Error('no runs')
  return { world, named, first, second }
}

describe('a run', () => {
  it('is found by its id and by the first characters of it, also when newer ones of its source exist', async () => {
    const { named, first, second } = await delivered()
    for (const run of [first, second]) {
      expect((await named(run.runId)).runId).toBe(run.runId)
      expect((await named(run.runId.slice(0, 8))).runId).toBe(run.runId)
    }
  })

  it('is the newest of a landed key, an s3 URI or a source id', async () => {
    const { named, second } = await delivered()
    for (const text of ['data/sales/a.csv', 's3://raw/data/sales/a.csv', second.sourceId])
      expect((await named(text)).runId, text).toBe(second.runId)
  })

  it('is found by where its zip was archived', async () => {
    const { named } = await delivered()
    expect((await named('old-data/sales/z.zip')).key).toBe('landing/sales/z.zip')
  })

  it('is found by any of its objects in the processing and delivery zones', async () => {
    const { world, named, second } = await delivered()
    const [processed = ''] = world.objects.keys(PROCESSING, `data/sales/${second.sourceId}/`)
    expect((await named(`s3://processing/${processed}`)).runId).toBe(second.runId)
    const [chad = ''] = world.objects.keys(DELIVERY, 'data/sales/COUNTRY=Chad/')
    expect((await named(`s3://delivery/${chad}`)).runId).toBe(second.runId)
  })

  it('is found by an object of either version, while a version of the contract takes the place of another', async () => {
    const { world, named, second } = await delivered()
    world.deploy(contractOfVersion(2))
    await world.typeAgain('data/sales/a.csv')
    await world.untilQuiet()
    const third = world.runs().findLast(({ key }) => key === 'data/sales/a.csv')
    for (const [folder, run] of [
      ['sales', second],
      ['sales.v2', third],
    ] as const) {
      const [chad = ''] = world.objects.keys(DELIVERY, `data/${folder}/COUNTRY=Chad/`)
      expect((await named(`s3://delivery/${chad}`)).runId).toBe(run?.runId)
    }
    const [peru = ''] = world.objects.keys(DELIVERY, 'data/sales/COUNTRY=Peru/')
    await expect(named(`s3://delivery/${peru.replace('sales/', 'sales.v2/')}`)).rejects.toThrow('is of no source')
  })

  it('is asked for again where several begin so, and they are named', async () => {
    const { world, named, first, second } = await delivered()
    const twin = `${first.runId.slice(0, 10)}0000000000`
    const { dataset, sourceId } = second
    await world.table.write([
      { put: { ...idKey(twin), dataset, sourceId } },
      { put: { ...second, runId: twin, pk: `SOURCE#${dataset}#${sourceId}`, sk: `RUN#${twin}` } },
    ])
    await expect(named(first.runId.slice(0, 6))).rejects.toThrow(
      new RegExp(
        `^2 runs begin with "${first.runId.slice(0, 6)}"\\. Give more of the id:[^]*${first.runId}  data/sales/a`,
      ),
    )
  })

  it.each([
    ['abc', '"abc" is too short: give at least 4 characters'],
    ['0000ffff', 'No run has the id "0000ffff"'],
    ['data/sales/nothing.csv', 'Nothing has landed as data/sales/nothing.csv'],
    ['s3://elsewhere/data/sales/a.csv', "elsewhere is none of this deployment's zones (raw raw, processing processing"],
    ['s3://raw', 'Nothing has landed as'],
    ['s3://processing/data/sales/x.parquet', 'is no object of a run that the ledger knows'],
    ['s3://delivery/data/sales/COUNTRY=Chad/x-00001.parquet', 'is of no source whose rows the ledger has in the table'],
  ])('is not guessed: %s', async (text, words) => {
    const { named } = await delivered()
    await expect(named(text)).rejects.toThrow(words)
  })
})
