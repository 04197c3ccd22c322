import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeSample } from '../../services/cli/sample.ts'
import { showText } from '../../services/cli/show.ts'
import { runObjectKey } from '../../services/history/row.ts'
import { show } from '../../services/operations/show.ts'
import { eventually } from '../infra/local/support.ts'
import { listKeys, type Stack, stack } from './stack.ts'

let chain: Stack
beforeAll(async () => {
  chain = await stack('history')
}, 120_000)
afterAll(() => chain?.close())

/** A run is written after its end is in the ledger. */
const written = (key: string) =>
  eventually(`s3://…/${key}`, async () => (await listKeys(chain, 'quarantine', key)).length === 1 || undefined)

it('keeps every run that ends as a row that can be joined, with its cost and the code that made it', async () => {
  const [zip, run, refused] = await chain.landed(
    await writeSample(chain.folder, () => {}),
    await chain.csv('export.csv', 'Region;Country\nEurope;Chad\n'),
  )
  if (!zip || !run || !refused) throw new Error('a run is missing')
  for (const each of [zip, run, refused]) await written(runObjectKey(each))

  expect(await chain.rows('select state, count(*) from runs group by 1 order by 1')).toEqual([
    ['delivered', '1'],
    ['extracted', '1'],
    ['refused', '1'],
  ])
  expect(
    await chain.rows(`select run.key, run.rejected, rejects.line, rejects.reason, run.zip_run_id
      from runs run join rejects on rejects.run_id = run.run_id`),
  ).toEqual([[run.key, '1', '6', 'not_a_date', zip.runId]])
  const ended = (run.endedAt ?? '').replace('T', ' ').replace('Z', '')
  expect(
    await chain.rows(`select rows_in, accepted, partitions, contract_version, ended_at, landed_to_queryable_ms > 0,
      cost_usd > 0, ended_at > landed_at from runs where run_id = '${run.runId}'`),
  ).toEqual([['5000', '4999', '185', '1', ended, 'true', 'true', 'true']])
  expect(await chain.rows(`select problem_code, accepted from runs where run_id = '${refused.runId}'`)).toEqual([
    ['header_mismatch', null],
  ])

  const shown = await show(chain.landfall, run.runId)
  expect(shown.run.code).toMatch(/^\d+\.\d+\.\d+\+[0-9a-f]{10}$/)
  expect(await chain.rows('select distinct code_version from runs')).toEqual([[shown.run.code]])
  const { usd, parts } = shown.cost
  expect(parts.map(({ part }) => part)).toEqual([
    'unzip',
    'convert job',
    'partition job',
    'crawl',
    'publishing',
    'S3 writes',
  ])
  expect(parts.reduce((sum, part) => sum + part.usd, 0)).toBeCloseTo(usd, 12)
  const [[all] = []] = await chain.rows(`select sum(cost_usd) from runs where run_id <> '${refused.runId}'`)
  expect(Number(all)).toBeCloseTo(usd, 9)
  // Both were in the job, or it was alone: what is theirs together is one job or two.
  const shares = [run, refused].map(({ spanConvert }) => spanConvert?.share ?? Number.NaN)
  const jobs = new Set([run, refused].map(({ spanConvert }) => spanConvert?.jobRunId))
  expect(shares.reduce((a, b) => a + b)).toBeCloseTo(jobs.size, 9)

  const text = showText(shown, new Date())
  expect(text).toContain(`  code          ${shown.run.code}\n`)
  expect(text).toMatch(/^convert job +\d\.\d+ +at most 10 DPU/m)
}, 120_000)
