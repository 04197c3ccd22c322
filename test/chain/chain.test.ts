import { readFile, writeFile } from 'node:fs/promises'
import { DisableRuleCommand, EnableRuleCommand, EventBridgeClient, ListRulesCommand } from '@aws-sdk/client-eventbridge'
import { ListBucketsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientConfig } from '../../infra/local/runtime.ts'
import { REJECT_COLUMNS } from '../../schemas/rejects.ts'
import type { Run } from '../../services/ledger/run.ts'
import { query } from '../../services/operations/query.ts'
import { DATABASE, listKeys, type Stack, sales, stack, text } from './stack.ts'

let chain: Stack
beforeAll(async () => {
  chain = await stack('chain')
}, 120_000)
afterAll(() => chain?.close())

const shop = (seed: number, rows = 40) => sales({ rows, seed, countries: 5 })

function only(runs: Run[], kind: Run['kind'] = 'csv'): Run {
  const found = runs.filter((run) => run.kind === kind)
  expect(found).toHaveLength(1)
  return found[0] ?? expect.fail('no run')
}

/** How many rows `work` added to the table. */
async function added(work: () => Promise<unknown>): Promise<number> {
  const before = await chain.count()
  await work()
  return (await chain.count()) - before
}

// The tests share one table: each lands keys of its own and looks at what they change.
describe.sequential('the chain', () => {
  it('takes the sum of two files, and a file that lands again replaces its rows', async () => {
    const first = await chain.zip('first.zip', { 'day.csv': await shop(1) })
    const second = await chain.zip('second.zip', { 'day.csv': await shop(2) })
    expect(await added(() => chain.landed(first, second))).toBe(80)
    expect(await added(() => chain.landed(first))).toBe(0)
    const shorter = await chain.zip('first.zip', { 'day.csv': await shop(1, 30) })
    expect(await added(() => chain.landed(shorter))).toBe(-10)
  }, 90_000)

  it('takes out the rows of a member that a zip landed again has no more', async () => {
    const both = await chain.zip('members.zip', { 'a.csv': await shop(3), 'b.csv': await shop(4, 25) })
    expect(await added(() => chain.landed(both))).toBe(65)
    const one = await chain.zip('members.zip', { 'a.csv': await shop(3) })
    expect(await added(() => chain.landed(one))).toBe(-25)
    expect(await listKeys(chain, 'raw', 'data/sales/members~')).toEqual([expect.stringMatching(/\/a\.csv$/)])
    expect(await listKeys(chain, 'raw', 'old-data/sales/')).toContain('old-data/sales/members.zip')
    expect(await listKeys(chain, 'raw', 'landing/')).toEqual([])
  }, 90_000)

  it('takes a CSV dropped into data/ from convert on', async () => {
    const file = await chain.csv('direct.CSV', await shop(5))
    const run = only(await chain.landed(file))
    expect(run).toMatchObject({ key: 'data/sales/direct.CSV', state: 'delivered', accepted: 40 })
    expect(run.spanUnzip).toBeUndefined()
  }, 60_000)

  it('keeps the last good version of a file whose newer one is refused', async () => {
    const good = await chain.csv('versions.csv', await shop(6))
    await chain.landed(good)
    await writeFile(good, (await readFile(good, 'utf8')).replace('Order ID', 'Order Number'))
    expect(await added(async () => expect(only(await chain.landed(good)).state).toBe('refused'))).toBe(0)
  }, 60_000)

  it('refuses a corrupt zip, saying which and why, and leaves nothing of it', async () => {
    const file = await chain.zip('corrupt.zip', { 'day.csv': await shop(7, 400) })
    const bytes = await readFile(file)
    bytes.fill(0xff, 200, 260)
    await writeFile(file, bytes)
    const run = only(await chain.landed(file), 'zip')
    expect(run.state).toBe('refused')
    expect(run.problem?.message).toMatch(
      /"day\.csv" of landing\/sales\/corrupt\.zip (cannot be read: |holds \d+ bytes, and declares ).+ land it again\.$/,
    )
    expect(await listKeys(chain, 'raw', 'data/sales/corrupt')).toEqual([])
    const [refusal] = await listKeys(chain, 'quarantine', `refused/sales/${run.sourceId}/`)
    expect(JSON.parse(await text(chain, 'quarantine', refusal))).toMatchObject({ key: run.key, ...run.problem })
  }, 60_000)

  it('refuses a file with a wrong header, naming the column, the header found and what to do', async () => {
    const file = await chain.csv('header.csv', (await shop(8)).replaceAll(',', ';'))
    const run = only(await chain.landed(file))
    expect(run.state).toBe('refused')
    expect(run.problem?.message).toMatch(/^Header of .*data\/sales\/header\.csv has no column "Region"/)
    expect(run.problem?.message).toContain('delimiter ","')
  }, 60_000)

  it('rejects bad rows one by one, with line, column, value and reason, and delivers the others', async () => {
    const lines = (await shop(9)).trimEnd().split('\n')
    const spoil = (line: number, column: number, value: string) => {
      const fields = (lines[line - 1] ?? '').split(',')
      fields[column] = value
      lines[line - 1] = fields.join(',')
    }
    spoil(3, 5, '13/20/2015')
    spoil(5, 9, '205.705')
    spoil(7, 11, '123456789.00')
    lines[8] += ',surplus'
    lines[10] = (lines[10] ?? '').split(',').slice(0, -1).join(',')
    const run = only(await chain.landed(await chain.csv('rows.csv', `${lines.join('\n')}\n`)))
    expect(run).toMatchObject({ state: 'delivered', rowsIn: 40, accepted: 35, rejected: 5 })
    expect(run.examples?.map(({ line, column, value, reason }) => [line, column, value, reason])).toEqual([
      [3, 'Order Date', '13/20/2015', 'not_a_date'],
      [5, 'Unit Price', '205.705', 'too_precise'],
      [7, 'Total Revenue', '123456789.00', 'out_of_range'],
      [9, null, null, 'too_many_fields'],
      [11, null, null, 'too_few_fields'],
    ])
    expect(await listKeys(chain, 'quarantine', `rejects/sales/${run.sourceId}/`)).toEqual([
      `rejects/sales/${run.sourceId}/${run.runId}.parquet`,
    ])
  }, 60_000)

  it('keeps the rejects of every version of a file as rows of one table, told apart by their run', async () => {
    const lines = (await shop(13)).trimEnd().split('\n')
    const spoiled = (line: number) =>
      lines.map((text, i) => (i === line - 1 ? text.replace(/\d+\/\d+\/\d{4}/, '13/20/2015') : text)).join('\n')
    const first = only(await chain.landed(await chain.csv('history.csv', `${spoiled(4)}\n`)))
    const second = only(await chain.landed(await chain.csv('history.csv', `${spoiled(6)}\n${lines[1]},surplus\n`)))
    expect([first.rejected, second.rejected]).toEqual([1, 2])
    const asked = 'select line, column_name, value, reason, original from rejects'
    const ofRun = (runId: string) => chain.rows(`${asked} where run_id = '${runId}' order by line`)
    expect(await ofRun(first.runId)).toEqual([
      ['4', 'Order Date', '13/20/2015', 'not_a_date', spoiled(4).split('\n')[3]],
    ])
    expect(await ofRun(second.runId)).toEqual([
      ['6', 'Order Date', '13/20/2015', 'not_a_date', spoiled(6).split('\n')[5]],
      ['42', null, null, 'too_many_fields', `${lines[1]},surplus`],
    ])
    // The processing zone has the current version of each source and no other: its keys name the current run.
    const { s3 } = chain.landfall
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
    const Bucket = Buckets.find(({ Name }) => Name?.includes('processing'))?.Name
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({ Bucket, Prefix: `data/sales/${second.sourceId}/` }),
    )
    expect(Contents.map(({ Key }) => Key)).toEqual([expect.stringContaining(`/${second.runId}-`)])
    expect(
      await chain.rows(
        `select dataset, source_id, count(*) from rejects where source_id = '${first.sourceId}' group by 1, 2`,
      ),
    ).toEqual([['sales', first.sourceId, '3']])
  }, 90_000)

  it('has rejects of the columns and types that the catalog says, in the order that it says', async () => {
    const { columns } = await query(chain.landfall, 'select * from rejects limit 1', DATABASE)
    expect(columns.map(({ name }) => name)).toEqual(REJECT_COLUMNS.map(({ name }) => name))
    expect(columns.map(({ type }) => type)).toEqual(
      REJECT_COLUMNS.map(({ type }) => (type === 'string' ? 'varchar' : type)),
    )
  })

  it('refuses a file with more rejects than the contract takes, says which reason leads, and keeps what was there', async () => {
    const good = await chain.csv('mostly-bad.csv', await shop(10))
    expect(await added(() => chain.landed(good))).toBe(40)
    const file = await chain.csv(
      'mostly-bad.csv',
      await sales({ rows: 40, seed: 10, badShare: 0.5, badKinds: ['bad_date'] }),
    )
    const kept = await added(async () => {
      const run = only(await chain.landed(file))
      expect(run).toMatchObject({ state: 'refused', problem: { code: 'too_many_rejects' }, rowsIn: 40, rejected: 20 })
      expect(run.problem?.message).toContain('20 of 40 rows of data/sales/mostly-bad.csv are bad (50 %)')
    })
    expect(kept).toBe(0)
  }, 60_000)

  it('clears the rows of a file whose newer version has none', async () => {
    const body = await shop(11)
    await chain.landed(await chain.csv('emptied.csv', body))
    const header = await chain.csv('emptied.csv', `${body.split('\n')[0]}\n`)
    expect(await added(async () => expect(only(await chain.landed(header)).state).toBe('delivered'))).toBe(-40)
  }, 60_000)

  it('shows no row that its catalog stage has not registered', async () => {
    const events = new EventBridgeClient(clientConfig(chain.runtime.endpoint))
    const { Rules = [] } = await events.send(new ListRulesCommand({}))
    const catalog = Rules.filter(
      ({ Name, ScheduleExpression }) => Name?.includes('CatalogDeliveryChanged') || ScheduleExpression,
    )
    expect(catalog).toHaveLength(2)
    for (const { Name } of catalog) await events.send(new DisableRuleCommand({ Name }))
    // A country that no other file of this table has: its partition is new.
    const lines = (await shop(12)).trimEnd().split('\n')
    const alone = lines.map((line, i) => (i === 0 ? line : line.replace(/^[^,]*,[^,]*/, 'Europe,Atlantis')))
    const file = await chain.csv('atlantis.csv', `${alone.join('\n')}\n`)
    const rows = () => chain.rows("select count(*) from data_deliveryzone where country = 'Atlantis'")
    const run = await chain.reaches(file, 'published')
    expect(await listKeys(chain, 'delivery', 'data/sales/COUNTRY=Atlantis/')).toHaveLength(1)
    expect(await rows()).toEqual([['0']])
    for (const { Name } of catalog) await events.send(new EnableRuleCommand({ Name }))
    await chain.landed(file)
    expect(await rows()).toEqual([['40']])
    expect((await chain.landfall.ledger.run(run))?.state).toMatch(/delivered|superseded/)
  }, 90_000)
})
