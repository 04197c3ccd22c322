import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { landAtOnce, totalsInTable } from '../bench/shops.ts'
import { shopFiles, totalsOf } from '../generator/shops.ts'
import { type Stack, stack } from './stack.ts'

const FILES = 100
const ROWS = 200

let chain: Stack
beforeAll(async () => {
  chain = await stack('burst')
}, 120_000)
afterAll(() => chain?.close())

describe.sequential('a hundred small files that land at once', () => {
  it('are all delivered, each row once, in a handful of job runs and at most three crawls', async () => {
    const files = await shopFiles({ files: FILES, rows: ROWS })
    const { runs, jobRuns, crawls } = await landAtOnce(chain.runtime, chain.landfall, files)
    expect(runs.map(({ state }) => state)).toEqual(Array(FILES).fill('delivered'))
    // One source alone at first, then all that have landed meanwhile; partition hears of these as they are published.
    expect(jobRuns).toBeLessThanOrEqual(10)
    expect(crawls).toBeGreaterThanOrEqual(1)
    expect(crawls).toBeLessThanOrEqual(3)
    expect(await totalsInTable(chain.landfall)).toEqual(totalsOf(files))
    expect(runs.reduce((sum, { deliveredRows = 0 }) => sum + deliveredRows, 0)).toBe(FILES * ROWS)
    expect(runs.filter(({ sameAs }) => sameAs)).toEqual([])
  }, 300_000)

  it('of which one comes again under another name: delivered, with a warning that names the first', async () => {
    const [first] = await shopFiles({ files: 1, rows: ROWS })
    const { runs } = await landAtOnce(chain.runtime, chain.landfall, [
      { name: 'shop-copy.csv', bytes: first?.bytes ?? expect.fail() },
    ])
    expect(runs[0]).toMatchObject({ state: 'delivered', sameAs: { key: 'data/sales/shop-00001.csv' } })
  }, 60_000)

  it('and once more in a zip, where S3 has another ETag of the same bytes: the same warning', async () => {
    const [first] = await shopFiles({ files: 1, rows: ROWS })
    const zip = await chain.zip('shops.zip', { 'shop.csv': first?.bytes ?? expect.fail() })
    const [, member] = await chain.landed(zip)
    expect(member).toMatchObject({ state: 'delivered', sameAs: { key: 'data/sales/shop-00001.csv' } })
  }, 60_000)
})
