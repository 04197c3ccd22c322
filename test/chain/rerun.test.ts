import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../infra/local/process.ts'
import { sourceIdOf } from '../../services/ledger/ids.ts'
import { openRerun } from '../../services/ledger/reruns.ts'
import { followRerun } from '../../services/operations/follow-rerun.ts'
import { beginRerun, extentOf } from '../../services/operations/rerun.ts'
import { listReruns } from '../../services/operations/reruns.ts'
import { eventually } from '../infra/local/support.ts'
import { type Stack, sales, stack } from './stack.ts'

const WHOLE = { dataset: 'sales', prefix: 'data/sales/' }

let chain: Stack
beforeAll(async () => {
  // The machine looks every second instead of every 20.
  chain = await stack('rerun', { env: { SFN_WAIT_SCALE: '0.05' } })
}, 120_000)
afterAll(() => chain?.close())

/** A rerun as `landfall rerun` starts and follows it, until its machine has ended too. */
async function rerun(input: Parameters<typeof beginRerun>[1], meanwhile?: () => Promise<unknown>) {
  const { landfall } = chain
  const begun = await beginRerun(landfall, input)
  await meanwhile?.()
  const ended = await followRerun(landfall, { ...input, ...begun }, { signal: AbortSignal.timeout(110_000) })
  const look = async () => (await landfall.machine.look(begun.execution)) ?? expect.fail('no execution')
  await until(async () => (await look()).state !== 'running', 45_000)
  const execution = await look()
  return { begun, execution, ...ended }
}

describe('a rerun on the real machine', { timeout: 180_000 }, () => {
  it('of two good files and a refused one names that one, and the table stays', async () => {
    const files = [
      await chain.csv('may.csv', await sales({ rows: 300, countries: 9, seed: 5 })),
      await chain.csv('june.csv', await sales({ rows: 200, countries: 9, seed: 6, badShare: 0.02 })),
      await chain.csv('broken.csv', 'A;B\n1;2\n'),
    ]
    const landed = await chain.landed(...files)
    expect(landed.map(({ state }) => state).sort()).toEqual(['delivered', 'delivered', 'refused'])
    const rows = await chain.count()
    expect(await extentOf(chain.landfall, WHOLE)).toMatchObject({ files: 3, fitting: 3 })

    const { ledger } = chain.landfall
    const july = await chain.csv('july.csv', await sales({ rows: 100, countries: 9, seed: 7 }))
    const {
      begun,
      execution,
      state,
      rows: told,
    } = await rerun(WHOLE, async () => {
      await eventually('the listing', async () => (await openRerun(ledger, 'sales'))?.listed)
      await chain.landed(july)
    })
    expect(state).toMatchObject({ listed: 3, totals: { delivered: 2, refused: 1 }, failures: 1 })
    expect(told.map(({ key, state, problem }) => [key, state, problem?.code])).toEqual([
      ['data/sales/broken.csv', 'refused', 'header_mismatch'],
      ['data/sales/june.csv', 'delivered', undefined],
      ['data/sales/may.csv', 'delivered', undefined],
    ])
    for (const { key, state, before, accepted, rejected } of told)
      if (state === 'delivered') {
        const first = landed.find((run) => run.key === key)
        expect({ ...before }).toEqual({ runId: first?.runId, rowsIn: first?.rowsIn, accepted, rejected })
      }
    expect(execution).toMatchObject({ state: 'failed', error: 'SourcesFailed', cause: state.words })
    expect(state.words).toMatch(
      /^1 of 3 sources are not current:\ndata\/sales\/broken\.csv: refused \(header_mismatch\)/,
    )
    expect(await chain.count()).toBe(rows + 100)

    const runs = await ledger.runs({ dataset: 'sales', sourceId: sourceIdOf('data/sales/may.csv') })
    expect(runs.map(({ cause, state }) => [cause, state]).sort()).toEqual([
      ['live', 'delivered'],
      [begun.rerun, 'delivered'],
    ])
    expect(await openRerun(ledger, 'sales')).toBeUndefined()
  })

  it('of those that were refused succeeds when the file is mended and there is none any more', async () => {
    await chain.landed(await chain.csv('broken.csv', await sales({ rows: 50, countries: 9, seed: 8 })))
    const rows = await chain.count()
    const { execution, state } = await rerun({ ...WHOLE, only: ['refused'] })
    expect(state).toMatchObject({ listed: 4, totals: { skipped: 4 }, failures: 0 })
    expect(execution).toMatchObject({ state: 'succeeded' })
    expect(await chain.count()).toBe(rows)
  })

  it('of zips that were refused refuses them again, in words', async () => {
    const [zip] = await chain.landed(await chain.csv('no.zip', 'this is no zip'))
    expect(zip?.state).toBe('refused')
    const { state, rows } = await rerun({ ...WHOLE, prefix: 'landing/sales/' })
    expect(state).toMatchObject({ listed: 1, totals: { refused: 1 }, failures: 1 })
    expect(rows).toMatchObject([{ key: 'landing/sales/no.zip', state: 'refused', problem: zip?.problem }])
  })

  it('is listed with those before it, and with one that was refused, newest first', async () => {
    const { landfall } = chain
    await landfall.machine.start('wrong', { dataset: 'sale' })
    const lines = await eventually('the refusal', async () => {
      const found = await listReruns(landfall)
      return found[0]?.state === 'refused' ? found : undefined
    })
    expect(lines.map(({ dataset, state, totals }) => [dataset, state, totals])).toEqual([
      ['sale', 'refused', {}],
      ['sales', 'failed', { refused: 1 }],
      ['sales', 'succeeded', { skipped: 4 }],
      ['sales', 'failed', { delivered: 2, refused: 1 }],
    ])
    expect(lines[0]?.words).toMatch(/^WrongInput: "dataset" must be one that is deployed: sales \(found: sale\)\./)
  })
})
