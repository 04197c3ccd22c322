import { expect, it } from 'vitest'
import { estimate } from '../../../services/cost/estimate.ts'
import { memberFolderOf } from '../../../services/ledger/ids.ts'
import { cameIn, landedToQueryable, zipsOf } from '../../../services/ledger/lineage.ts'
import { csv } from '../memory/engine.ts'
import { World } from '../memory/world.ts'
import { zipOf } from '../unzip/zips.ts'

const ZIP = 'landing/sales/z.zip'
const MEMBER = `${memberFolderOf('sales', ZIP)}x.csv`
const HOUR = 3_600_000

it('a member that lands by itself later did not come in its zip, whose time and cost are not its own', async () => {
  const world = new World()
  world.land(ZIP, await zipOf({ 'x.csv': csv('Chad,1') }))
  await world.untilQuiet()
  world.clock.advance(HOUR)
  world.land(MEMBER, csv('Chad,2'))
  await world.untilQuiet()
  const [zip] = world.runs().filter(({ kind }) => kind === 'zip')
  const [came, alone] = world.runs().filter(({ key }) => key === MEMBER)
  if (!zip || !came || !alone) return expect.fail('not all have landed')

  expect([came, alone].map((run) => cameIn(run, zip))).toEqual([true, false])
  expect(landedToQueryable(came, zip)).toBe(Date.parse(came.endedAt ?? '') - Date.parse(zip.landedAt))
  expect(landedToQueryable(alone, zip)).toBeLessThan(HOUR)
  expect(estimate(alone, zip)).toEqual(estimate(alone))
  const find = zipsOf(world.books)
  expect([await find(came), await find(alone)].map((found) => found?.runId)).toEqual([zip.runId, undefined])
})

it('what a replay extracts or types again has not landed to be queryable', async () => {
  const world = new World()
  world.land(ZIP, await zipOf({ 'x.csv': csv('Chad,1') }))
  await world.untilQuiet()
  world.replay('unzip')
  await world.untilQuiet()
  world.replay('partition')
  await world.untilQuiet()
  const runs = world.runs()
  const zips = new Map(runs.map((run) => [run.runId, run]))
  const delivered = runs.filter(({ key, state }) => key === MEMBER && state === 'delivered')
  const took = delivered.map((run) => landedToQueryable(run, zips.get(run.zip?.runId ?? '')))
  expect(delivered.map(({ cause }) => cause.split('-')[0])).toEqual(['live', 'live', 'partition'])
  expect(took.map((time) => time !== undefined)).toEqual([true, false, false])
})
