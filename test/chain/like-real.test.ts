import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { projectRoot } from '../../infra/local/paths.ts'
import { SAMPLE_QUERY, writeSample } from '../../services/cli/sample.ts'
import { landedToQueryable } from '../../services/ledger/lineage.ts'
import { listKeys, type Stack, stack } from './stack.ts'

const REAL = join(projectRoot, '../shared/data/5000-Sales-Records.zip')

let chain: Stack
afterEach(() => chain?.close())

/** What holds for the real file, and for the generated one that is like it. */
async function holds(file: string) {
  const [zip, run] = await chain.landed(file)
  expect(zip).toMatchObject({ kind: 'zip', state: 'extracted', skipped: [] })
  expect(run).toMatchObject({
    state: 'delivered',
    rowsIn: 5000,
    accepted: 4999,
    rejected: 1,
    reasons: [{ reason: 'not_a_date', column: 'Order Date', rows: 1 }],
    examples: [{ line: 6, column: 'Order Date', value: '13/20/2015', reason: 'not_a_date' }],
    partitions: 185,
    deliveredObjects: 185,
  })
  expect(landedToQueryable(run ?? expect.fail('the member has no run'), zip)).toBeGreaterThan(0)
  const keys = await listKeys(chain, 'delivery', 'data/sales/')
  expect(keys).toHaveLength(185)
  expect(new Set(keys.map((key) => key.split('/')[2])).size).toBe(185)
  expect(keys).toContainEqual(expect.stringContaining('/COUNTRY=Cote d%27Ivoire/'))
  expect(await chain.rows('select count(*), count(distinct country) from data_deliveryzone')).toEqual([['4999', '185']])
  expect(await chain.rows("select count(*) from data_deliveryzone where country = 'Cote d''Ivoire'")).not.toEqual([
    ['0'],
  ])
  const padded = 'select count(*) from data_deliveryzone where country <> trim(country) or item_type <> trim(item_type)'
  expect(await chain.rows(padded)).toEqual([['0']])
  // Landed again, it replaces its own rows.
  expect((await chain.landed(file))[1]).toMatchObject({ state: 'delivered', accepted: 4999 })
  expect(await chain.count()).toBe(4999)
  return await chain.rows(SAMPLE_QUERY)
}

describe('a file of 5,000 rows, 185 countries and one bad row', () => {
  it('is delivered to the row when it is generated', async () => {
    chain = await stack('like-real')
    const answer = await holds(await writeSample(chain.folder, () => {}))
    const countries = answer.map(([country]) => country)
    expect(countries.sort()).toEqual(['Canada', 'Canada', 'United States of America', 'United States of America'])
    const revenues = answer.map(([, , revenue]) => Number(revenue))
    expect(revenues).toEqual(revenues.toSorted((a, b) => b - a))
  }, 120_000)

  it.skipIf(!existsSync(REAL))(
    `is delivered to the row when it is the real one (skipped where ${REAL} is absent)`,
    async () => {
      chain = await stack('real')
      expect(await holds(REAL)).toEqual(REAL_ANSWER)
    },
    120_000,
  )
})

/** Read off the real file by hand: `unzip -p`, the lines of the two countries, sorted by their twelfth field. */
const REAL_ANSWER = [
  ['Canada', '2017-06-09', '6510286.34'],
  ['United States of America', '2010-05-22', '5687016.93'],
  ['Canada', '2011-08-04', '5650891.12'],
  ['United States of America', '2013-09-10', '4890587.10'],
]
