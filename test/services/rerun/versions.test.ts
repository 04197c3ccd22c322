import { describe, expect, it } from 'vitest'
import { servedVersion } from '../../../services/catalog/view.ts'
import { endedRows, rerunState } from '../../../services/ledger/reruns.ts'
import { csv } from '../memory/engine.ts'
import { FAULTS, type Fault, type FaultKind, fault } from '../memory/faults.ts'
import { contractOfVersion, World } from '../memory/world.ts'

const A = 'data/sales/a.csv'
const B = 'data/sales/b.csv'
const V1 = ['Chad,1', 'Peru,2', 'Togo,3']
const V2 = V1.map((row) => `${row}@v2`)

/** Two sources, delivered under version 1; then version 2 is deployed. */
async function deployed({ wrap, revive }: Partial<Fault> = {}) {
  const world = new World(wrap, revive)
  world.land(A, csv('Chad,1', 'Peru,2'))
  world.land(B, csv('Togo,3'))
  await world.untilQuiet()
  world.deploy(contractOfVersion(2))
  return world
}

const rerun = async (world: World, ...args: Parameters<World['rerun']>) => {
  await world.rerun(...args)
  await world.untilQuiet()
  return await rerunState(world.books, `rerun-${args[0]}`)
}
const served = (world: World) => servedVersion(world.deps, 'sales')

describe('after a new version of the contract', () => {
  it('a dry rerun types all under it, and people see what they saw', async () => {
    const world = await deployed()
    expect(await rerun(world, 'dry', { dryRun: true })).toMatchObject({ dryRun: true, totals: { delivered: 2 } })
    expect([await served(world), world.rows()]).toEqual([1, V1])
    expect(world.rowsIn(world.glue.resolve({ ...world.contract.table, name: 'tab_v2' }))).toEqual(V2)
    const rows = await endedRows(world.books, 'rerun-dry')
    expect(rows.map(({ key, accepted, before }) => [key, before?.accepted, accepted])).toEqual([
      [A, 2, 2],
      [B, 1, 1],
    ])
  })

  it('a rerun switches the table when all of it has settled, and not a moment sooner', async () => {
    const world = await deployed()
    await world.rerun('r')
    const seen = new Set<string>()
    for (let i = 0; i < 200 && (world.messages.length > 0 || world.glue.running.length > 0); i++) {
      const message = world.messages.shift()
      if (message) await world.handle(message)
      else world.endJobs()
      seen.add(world.rows().join())
    }
    await world.untilQuiet()
    seen.add(world.rows().join())
    expect([...seen]).toEqual([V1.join(), V2.join()])
    expect(await rerunState(world.books, 'rerun-r')).toMatchObject({
      served: { outcome: 'served', version: 2 },
      failures: 0,
    })
  })

  it('a rerun of a part leaves the table, and the one that brings the rest switches it', async () => {
    const world = await deployed()
    expect(await rerun(world, 'a', {}, A)).toMatchObject({
      served: { outcome: 'unserved', version: 1, sources: 1 },
      failures: 0,
    })
    expect(world.rows()).toEqual(V1)
    expect(await rerun(world, 'b', {}, B)).toMatchObject({ served: { outcome: 'served', version: 2 } })
    expect(world.rows()).toEqual(V2)
  })

  it('a rerun of which a source fails has failed and leaves the table; mended, it is switched', async () => {
    const world = await deployed()
    world.job.poison = 'Togo'
    expect(await rerun(world, 'r')).toMatchObject({
      served: { outcome: 'unserved', version: 1 },
      totals: { delivered: 1, failed: 1 },
      failures: 1,
    })
    expect(world.rows()).toEqual(V1)
    world.job.poison = undefined
    expect(await rerun(world, 'again', { only: ['failed'] })).toMatchObject({
      served: { outcome: 'served', version: 2 },
      failures: 0,
    })
    expect(world.rows()).toEqual(V2)
  })

  it.each(FAULTS)(
    'a crash at any call of its end leaves the old table or the new one, and the new one in the end: %s',
    async (kind: FaultKind) => {
      const play = async (broken: Fault) => {
        const world = await deployed(broken)
        const from = broken.calls()
        await world.rerun('r')
        await world.untilQuiet()
        // A cut switch is finished by the sweep, when whoever began it must be dead.
        for (let minute = 0; minute < 8 && (await servedVersion(world.deps, 'sales').catch(() => 0)) !== 2; minute++) {
          world.clock.advance(60_000)
          await world.sweep()
        }
        return { world, from, to: broken.calls() }
      }
      const { from, to } = await play(fault())
      const wrong: unknown[] = []
      // Its end is in the last third of its calls.
      for (let nth = from + Math.floor((2 * (to - from)) / 3); nth <= to; nth++) {
        const { world } = await play(fault(nth, kind))
        const state = await rerunState(world.books, 'rerun-r')
        const good = world.rows().join() === V2.join() && state?.served?.version === 2 && state.failures === 0
        if (!good) wrong.push({ nth, rows: world.rows(), state })
      }
      expect(wrong).toEqual([])
    },
    60_000,
  )
})
