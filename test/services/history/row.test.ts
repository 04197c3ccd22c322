import { expect, it } from 'vitest'
import { RUN_COLUMNS } from '../../../schemas/runs.ts'
import { estimate } from '../../../services/cost/estimate.ts'
import { history } from '../../../services/history/history.ts'
import { runObjectKey, runRow } from '../../../services/history/row.ts'
import { noteEnd, tellEnded } from '../../../services/lambda/ended.ts'
import { Ledger } from '../../../services/ledger/ledger.ts'
import type { Run } from '../../../services/ledger/run.ts'
import { csv } from '../memory/engine.ts'
import { MemoryTable } from '../memory/table.ts'
import { QUARANTINE, World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const zipWorld = async () => {
  const world = new World()
  world.land('landing/sales/z.zip', await zipOf({ 'x.csv': csv('Chad,1', 'Mali,2', 'Mali,3', 'Mali,4', 'BAD,5') }))
  await world.untilQuiet()
  const [zip, member] = ['zip', 'csv'].map((kind) => world.runs().find((run) => run.kind === kind))
  return { world, zip: zip ?? expect.fail('no zip'), member: member ?? expect.fail('no member') }
}

it('has every column of the table, in its order, and says of a member what the ledger does', async () => {
  const { zip, member } = await zipWorld()
  const row = runRow({ ...member, code: 'old', endedCode: '0.1.0+abc' }, zip)
  expect(Object.keys(row)).toEqual(RUN_COLUMNS.map(({ name }) => name))
  expect(row).toMatchObject({
    run_id: member.runId,
    source_id: member.sourceId,
    kind: 'csv',
    state: 'delivered',
    problem_code: null,
    rows_in: 5,
    accepted: 4,
    rejected: 1,
    partitions: 2,
    zip_run_id: zip.runId,
    code_version: '0.1.0+abc',
    landed_to_queryable_ms: Date.parse(member.endedAt ?? '') - Date.parse(zip.landedAt),
    cost_usd: estimate(member).usd,
  })
  for (const name of ['landed_at', 'registered_at', 'ended_at'] as const)
    expect(row[name]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/)
})

it('has the code of what was wrong and not its words, which may quote the file', async () => {
  const world = new World()
  world.land('data/sales/a.csv', 'SECRET\nx')
  await world.untilQuiet()
  const [run] = world.runs()
  expect(run?.problem?.message).toContain('SECRET')
  const row = JSON.stringify(runRow(run ?? expect.fail('no run')))
  expect(row).toContain('"problem_code":"header_mismatch"')
  expect(row).not.toContain('SECRET')
})

it('is one object a run, which a later end of the run replaces', async () => {
  const { world, zip, member } = await zipWorld()
  const write = history({ ledger: world.books, objects: world.objects, quarantineBucket: QUARANTINE })
  await write([zip, { ...member, state: 'failed' }, member])
  await write([{ ...member, state: 'superseded', endedAt: '2027-01-01T00:00:00.000Z' }])
  const keys = world.objects.keys(QUARANTINE).filter((key) => key.startsWith('runs/'))
  expect(keys.sort()).toEqual([zip, member].map(runObjectKey).sort())
  const month = member.registeredAt.slice(0, 7)
  expect(runObjectKey(member)).toBe(`runs/sales/${month}/${member.runId}.json`)
  const text = (await world.objects.getText(QUARANTINE, runObjectKey(member))) ?? ''
  expect(text).toMatch(/^\{[^\n]*\}\n$/)
  expect(JSON.parse(text)).toMatchObject({ state: 'superseded', ended_at: '2027-01-01 00:00:00.000' })
})

it('fails no run that cannot be written', async () => {
  const { world, member } = await zipWorld()
  const putText = async () => {
    throw new Error('denied')
  }
  noteEnd(member)
  await tellEnded({ history: history({ ledger: world.books, objects: { putText }, quarantineBucket: QUARANTINE }) })
})

it('says under which code a run was registered and ended', async () => {
  const table = new MemoryTable()
  const ends: Run[] = []
  const ledger = (code?: string) =>
    new Ledger(
      table,
      () => new Date(0),
      (run) => void ends.push(run),
      code,
    )
  const landed = { bucket: 'raw', key: 'data/sales/a.csv', etag: 'e', bytes: 1, landedAt: new Date(0).toISOString() }
  const { run } = await ledger('one').register('csv', 'sales', { ...landed, versionId: 'v1' }, 'live')
  await ledger('two').update(run, { state: 'converted' })
  expect(await ledger().run(run)).toMatchObject({ code: 'one' })
  await ledger('three').update(run, { state: 'delivered', endedAt: new Date(1).toISOString() })
  expect(await ledger().run(run)).toMatchObject({ code: 'one', endedCode: 'three' })
  const problem = { code: 'x', message: 'y' }
  await ledger('four').register('csv', 'sales', { ...landed, versionId: 'v2' }, 'live', { state: 'refused', problem })
  expect(ends.map(({ code, endedCode }) => [code, endedCode])).toEqual([
    ['one', 'three'],
    ['four', 'four'],
  ])
})
