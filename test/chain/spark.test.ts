import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Glue } from '@aws-sdk/client-glue'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { JOB_CODE } from '../../infra/config.ts'
import { projectRoot } from '../../infra/local/paths.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { SAMPLE_QUERY, writeSample } from '../../services/cli/sample.ts'
import { listKeys, type Stack, stack } from './stack.ts'

const REAL = join(projectRoot, '../shared/data/5000-Sales-Records.zip')
const MINUTE = 60_000

let chain: Stack
beforeAll(async () => {
  chain = await stack('spark', { engine: 'spark', patience: 4 * MINUTE })
  // On first use PySpark is installed, too.
}, 5 * MINUTE)
afterAll(() => chain?.close())

/** From now on the deployed jobs run DuckDB's scripts: the same chain, roles and table, and the other engine. */
async function changeToDuckDb() {
  const glue = new Glue(clientConfig(chain.runtime.endpoint))
  const { Jobs = [] } = await glue.getJobs({})
  for (const { Name = '', Command, ...job } of Jobs) {
    expect(Command?.ScriptLocation).toMatch(/^s3:\/\/.*\.py$/)
    const script = JOB_CODE.duckdb.scripts[Name.includes('Convert') ? 'convert' : 'partition']
    const ScriptLocation = pathToFileURL(script).href
    const { Role, GlueVersion, Timeout, ExecutionProperty } = job
    const JobUpdate = { Role, GlueVersion, Timeout, ExecutionProperty, Command: { ...Command, ScriptLocation } }
    await glue.updateJob({ JobName: Name, JobUpdate })
  }
  glue.destroy()
}

/** A number for each column that any other row, value or scale would change. */
const SUMS = `SELECT count(*), count(distinct country), min(region), max(region), max(item_type), max(sales_channel),
  count(distinct order_priority), min(order_date), max(order_date), min(ship_date), max(ship_date), sum(order_id),
  sum(units_sold), sum(unit_price), sum(unit_cost), sum(total_revenue), sum(total_cost), sum(total_profit)
  FROM data_deliveryzone`

/** Lands the files and gives all that must not depend on the engine: which line was bad is DuckDB's alone to know. */
async function land(files: string[]) {
  const runs = await chain.landed(...files)
  return {
    runs: runs.map(
      ({ key, kind, state, rowsIn, accepted, rejected, reasons, examples, partitions, deliveredObjects }) => ({
        ...{ key, kind, state, rowsIn, accepted, rejected, reasons, partitions, deliveredObjects },
        examples: examples?.map(({ column, value, reason }) => ({ column, value, reason })),
      }),
    ),
    keys: await listKeys(chain, 'delivery', 'data/sales/'),
    sums: await chain.rows(SUMS),
    answer: await chain.rows(SAMPLE_QUERY),
  }
}

describe('engine spark', () => {
  it(
    `ends with the counts, rejects, keys and rows of engine duckdb (also for ${REAL}, where present)`,
    async () => {
      const files = [await writeSample(chain.folder, () => {})]
      if (existsSync(REAL)) {
        files.push(join(chain.folder, 'real.zip'))
        await copyFile(REAL, join(chain.folder, 'real.zip'))
      }
      const bySpark = await land(files)
      const sources = bySpark.runs.filter(({ kind }) => kind === 'csv')
      expect(sources).toHaveLength(files.length)
      for (const source of sources) {
        expect(source).toMatchObject({
          state: 'delivered',
          rowsIn: 5000,
          accepted: 4999,
          rejected: 1,
          reasons: [{ reason: 'not_a_date', column: 'Order Date', rows: 1 }],
          examples: [{ column: 'Order Date', value: '13/20/2015', reason: 'not_a_date' }],
          partitions: 185,
          deliveredObjects: 185,
        })
      }
      expect(bySpark.keys).toHaveLength(185 * files.length)
      expect(bySpark.sums[0]?.slice(0, 2)).toEqual([String(4999 * files.length), '185'])

      await changeToDuckDb()
      expect(await land(files)).toEqual(bySpark)
    },
    10 * MINUTE,
  )
})
