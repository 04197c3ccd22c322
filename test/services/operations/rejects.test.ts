import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import type { Run } from '../../../services/ledger/run.ts'
import { runWithRows, sourceHeader, withRejects } from '../../../services/operations/rejects.ts'
import { duckdb } from '../../engine/duckdb.ts'
import { Bench } from '../../engine/suite.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { contract, QUARANTINE, RAW, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const benches: Bench[] = []
afterAll(() => {
  for (const bench of benches) bench.remove()
})

/** A world with a run whose rejects are in the quarantine as the engine writes them. */
async function rejected(text: string, key = 'data/sales/a.csv') {
  const world = new World()
  const bytes = key.endsWith('.gz') ? gzipSync(text) : Buffer.from(text)
  const bench = new Bench(duckdb, contract)
  benches.push(bench)
  const report = await bench.convert(key, bytes)
  const { versionId } = world.land(key, bytes)
  const landed = { bucket: RAW, key, versionId, etag: 'e', bytes: bytes.length, landedAt: '2026-01-01T00:00:00.000Z' }
  const { run } = await world.books.register('csv', 'sales', landed, 'live')
  const uri = report.rejects?.uri
  if (uri)
    world.objects.put(
      QUARANTINE,
      `rejects/sales/${run.sourceId}/${run.runId}.parquet`,
      readFileSync(fileURLToPath(uri)),
    )
  await world.books.update(run, { rowsIn: report.rowsIn, rejected: report.rejected })
  return { world, landfall: landfallOf(world), run: (await world.books.run(run)) as Run }
}
const all = async <T>(rows: AsyncIterable<T>) => {
  const found: T[] = []
  for await (const row of rows) found.push(row)
  return found
}

describe('rejected rows', () => {
  it('come in the order of the file, each with line, column, value, reason and the line as it was', async () => {
    const { landfall, run } = await rejected('N,COUNTRY\n1,Chad\nx,Peru\n2\n1.5,"Cote, d""Ivoire"\n')
    const found = await withRejects(landfall, run, async ({ summary, rows }) => ({ summary, rows: await all(rows()) }))
    expect(found.rows).toEqual([
      { line: 3, column: 'N', value: 'x', reason: 'not_an_integer', original: 'x,Peru' },
      { line: 4, column: null, value: null, reason: 'too_few_fields', original: '2' },
      { line: 5, column: 'N', value: '1.5', reason: 'not_an_integer', original: '1.5,"Cote, d""Ivoire"' },
    ])
    expect(found.summary).toEqual([
      { reason: 'not_an_integer', column: 'N', rows: 2 },
      { reason: 'too_few_fields', column: null, rows: 1 },
    ])
  })

  it('can be as many as there are: they are streamed, or cut at a limit', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `x${i},Chad`)
    const { landfall, run } = await rejected(`N,COUNTRY\n${lines.join('\n')}\n`)
    const numbers = await withRejects(landfall, run, async ({ rows }) => (await all(rows())).map(({ line }) => line))
    expect(numbers).toEqual(lines.map((_, i) => i + 2))
    expect(await withRejects(landfall, run, async ({ rows }) => (await all(rows(7))).length)).toBe(7)
  })

  it('are none of a run that has none, without asking the quarantine', async () => {
    const { landfall, run } = await rejected('N,COUNTRY\n1,Chad\n')
    expect(await withRejects(landfall, run, async ({ summary, rows }) => [summary, await all(rows())])).toEqual([
      [],
      [],
    ])
  })

  it('that the quarantine has no more are missed in words', async () => {
    const { world, landfall, run } = await rejected('N,COUNTRY\nx,Chad\n')
    const key = `rejects/sales/${run.sourceId}/${run.runId}.parquet`
    await world.objects.remove(QUARANTINE, [key])
    await expect(withRejects(landfall, run, async () => 0)).rejects.toThrow(
      `The rejected rows are not in the quarantine any more (quarantine/${key}).`,
    )
  })

  it('of a zip with one CSV are those of the CSV; of one with several, each is named', async () => {
    const world = new World()
    world.land('landing/sales/one.zip', await zipOf({ 'x.csv': csv('Chad,1') }))
    world.land('landing/sales/two.zip', await zipOf({ 'x.csv': csv('Chad,1'), 'y.csv': csv('Chad,2') }))
    world.land('landing/sales/bad.zip', 'no zip')
    await world.untilQuiet()
    const runOf = async (name: string) => {
      const zip = world.runs().find(({ key }) => key === `landing/sales/${name}.zip`)
      return await runWithRows(landfallOf(world), zip as Run)
    }
    expect((await runOf('one')).key).toMatch(/^data\/sales\/one~\w+\/x\.csv$/)
    await expect(runOf('two')).rejects.toThrow(
      /^landing\/sales\/two\.zip is a zip with 2 CSVs.+:\n {2}\w+ .+x\.csv.+\n.+y\.csv/,
    )
    await expect(runOf('bad')).rejects.toThrow('no member has been taken in (it is refused)')
  })
})

describe('the header of a source', () => {
  it.each(['data/sales/a.csv', 'data/sales/a.csv.gz'])('is that of the version that the run read: %s', async (key) => {
    const { world, landfall, run } = await rejected('\ufeffN,COUNTRY\nx,Chad\n', key)
    world.land(key, 'OTHER\n1\n')
    expect(await sourceHeader(landfall, run)).toBe('N,COUNTRY')
  })

  it('may be longer than what is read at first', async () => {
    const { run } = await rejected('N,COUNTRY\nx,Chad\n')
    const wide = `N,COUNTRY,${'x'.repeat(100_000)}`
    const world = new World()
    const { versionId } = world.land(run.key, `${wide}\n1,Chad,x\n`)
    const wideRun = { ...run, versionId, bytes: wide.length + 10 }
    expect(await sourceHeader(landfallOf(world), wideRun)).toBe(wide)
  })

  it('is missed in words where that version is gone', async () => {
    const { world, landfall, run } = await rejected('N,COUNTRY\nx,Chad\n')
    await world.objects.removeVersion(RAW, run.key, run.versionId)
    world.land(run.key, 'N,COUNTRY\n1,Chad\n')
    await expect(sourceHeader(landfall, run)).rejects.toThrow(
      `version ${run.versionId} of data/sales/a.csv, which this run read, is not in the raw bucket any more`,
    )
  })
})
