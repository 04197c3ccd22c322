import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../infra/local/process.ts'
import { followRerun } from '../../services/operations/follow-rerun.ts'
import { beginRerun } from '../../services/operations/rerun.ts'
import { denials } from './denials.ts'
import { type Stack, sales, stack } from './stack.ts'

const SOURCES = 50
const ROWS = 10
const REFUSED = 'data/sales/shop-refused.csv'
const FAILING = 'data/sales/shop-07.csv'

let chain: Stack
beforeAll(async () => {
  chain = await stack('rerun-fifty', { env: { SFN_WAIT_SCALE: '0.05' }, patience: 240_000 })
}, 120_000)
afterAll(() => chain?.close())

async function rerun(only: ('failed' | 'refused')[] = []) {
  const { landfall } = chain
  const input = { dataset: 'sales', prefix: 'data/sales/', ...(only.length > 0 && { only }) }
  const begun = await beginRerun(landfall, input)
  const ended = await followRerun(landfall, { ...input, ...begun }, { signal: AbortSignal.timeout(400_000) })
  const look = async () => (await landfall.machine.look(begun.execution)) ?? expect.fail('no execution')
  await until(async () => (await look()).state !== 'running', 60_000)
  return { ...ended, execution: await look() }
}

describe.sequential('a full rerun of fifty sources', () => {
  it('of which one is refused and one fails, fails and lists both; the others are current', async () => {
    const shop = (i: number) => String(i).padStart(2, '0')
    const files = await Promise.all(
      Array.from({ length: SOURCES - 1 }, async (_, i) =>
        chain.csv(`shop-${shop(i)}.csv`, await sales({ rows: ROWS, countries: 2, seed: 100 + i })),
      ),
    )
    const landed = await chain.landed(...files, await chain.csv('shop-refused.csv', 'A;B\n1;2\n'))
    expect(landed.filter(({ state }) => state === 'delivered')).toHaveLength(SOURCES - 1)
    const rows = await chain.count()
    expect(rows).toBe((SOURCES - 1) * ROWS)

    const { deny } = await denials(chain)
    const mend = await deny('s3:GetObject*', ['ConvertGlue'], `arn:aws:s3:::${chain.landfall.rawBucket}/${FAILING}`)
    const { state, rows: told, execution } = await rerun()
    expect(state).toMatchObject({
      listed: SOURCES,
      totals: { delivered: SOURCES - 2, refused: 1, failed: 1 },
      failures: 2,
    })
    expect(told.filter(({ problem }) => problem).map(({ key, problem }) => [key, problem?.code])).toEqual([
      [FAILING, 'convert_job_failed'],
      [REFUSED, 'header_mismatch'],
    ])
    expect(execution).toMatchObject({ state: 'failed', error: 'SourcesFailed' })
    expect(execution.cause).toMatch(/^2 of 50 sources are not current:/)
    expect(execution.cause).toContain(`${FAILING}: failed (convert_job_failed): `)
    expect(execution.cause).toContain(`${REFUSED}: refused (header_mismatch): `)
    // What could not be run again is still there as it was.
    expect(await chain.count()).toBe(rows)
    await mend()
  }, 600_000)

  it('again, of what failed, with that one mended, succeeds', async () => {
    const rows = await chain.count()
    const { state, execution } = await rerun(['failed'])
    expect(state).toMatchObject({ totals: { delivered: 1, skipped: SOURCES - 1 }, failures: 0 })
    expect(execution).toMatchObject({ state: 'succeeded' })
    expect(await chain.count()).toBe(rows)
  }, 300_000)
})
