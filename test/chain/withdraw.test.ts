import { GetPartitionsCommand, GlueClient } from '@aws-sdk/client-glue'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientConfig } from '../../infra/local/runtime.ts'
import { memberFolderOf, sourceIdOf } from '../../services/ledger/ids.ts'
import type { Run } from '../../services/ledger/run.ts'
import { followReplay } from '../../services/operations/follow-replay.ts'
import { planReplay, startReplay } from '../../services/operations/replay.ts'
import { landfall, type Said } from '../services/cli/landfall.ts'
import { DATABASE, listKeys, type Stack, sales, stack } from './stack.ts'

let chain: Stack
let began: Date
beforeAll(async () => {
  chain = await stack('withdraw')
  began = new Date()
}, 120_000)
afterAll(() => chain?.close())

/** The command as people give it for AWS, with the test's runtime in AWS's place. */
function said(...args: string[]): Promise<Said> {
  const { endpoint, region, credentials } = clientConfig(chain.runtime.endpoint)
  return landfall([...args, '--aws'], {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  })
}

const CSV = 'data/sales/shop.csv'
const ZIP = 'landing/sales/two.zip'
const member = (name: string) => `${memberFolderOf('sales', ZIP)}${name}`

/** Sales of one country, of which the first row's date is bad; MARK is in one value of each row. */
async function of(country: string, rows: number, seed: number): Promise<string> {
  const [header = '', ...lines] = (await sales({ rows, seed, countries: 5 })).trimEnd().split('\n')
  const marked = lines.map((line, i) => {
    const fields = line.split(',').with(1, country).with(2, 'MARKED')
    return (i === 0 ? fields.with(5, '13/20/2015') : fields).join(',')
  })
  return `${[header, ...marked].join('\n')}\n`
}

const countries = async () =>
  (await chain.rows('select country, count(*) from data_deliveryzone group by 1 order by 1')).map((row) =>
    row.join(' '),
  )

async function partitions(): Promise<string[]> {
  const glue = new GlueClient(clientConfig(chain.runtime.endpoint))
  const { Partitions = [] } = await glue.send(
    new GetPartitionsCommand({ DatabaseName: DATABASE, TableName: 'data_deliveryzone' }),
  )
  glue.destroy()
  return Partitions.flatMap(({ Values = [] }) => Values).sort()
}

/** Every version in any bucket whose key names this. */
async function versionsOf(text: string): Promise<string[]> {
  const { versions, rawBucket, processingBucket, deliveryBucket, quarantineBucket, stagingBucket } = chain.landfall
  const buckets = [rawBucket, processingBucket, deliveryBucket, quarantineBucket, stagingBucket]
  const listed = await Promise.all(buckets.map((bucket) => versions.list(bucket, '')))
  return listed.flat().flatMap(({ key }) => (key.includes(text) ? key : []))
}

// The tests share one runtime, and each looks at what the ones before have left.
describe.sequential('what people want no more', () => {
  it('is out of the table, the zones and the catalog, while the rest stays', async () => {
    const zip = await chain.zip('two.zip', { 'a.csv': await of('Chad', 12, 1), 'b.csv': await of('Peru', 12, 2) })
    await chain.landed(zip, await chain.csv('shop.csv', await of('Mali', 20, 3)))
    expect(await countries()).toEqual(['Chad 11', 'Mali 19', 'Peru 11'])

    const csv = await said('withdraw', CSV, '--yes')
    expect(csv.code, csv.err).toBe(0)
    expect(csv.out).toContain(
      'Out of the table: 19 rows of 1 source; 1 object out of delivery, 1 object out of processing.',
    )
    expect(csv.out).toMatch(
      // The emulator takes no lifecycle rule from a template, and expires nothing.
      /^raw +1 +1 +1 +[\d,]+ +stays +s3:\S+\/data\/sales\/shop\.csv$/m,
    )
    expect(csv.out).toMatch(/^ledger .+ 1 example of rejected rows$/m)
    const one = await said('withdraw', member('a.csv'), '--yes', '--json')
    expect(one.code, one.err).toBe(0)
    expect(JSON.parse(one.out)).toMatchObject({
      sources: [{ key: member('a.csv'), outcome: 'withdrawn', rows: 11 }],
      holds: { zips: [{ key: ZIP, others: [member('b.csv')] }] },
    })

    expect(await countries()).toEqual(['Peru 11'])
    expect(await partitions()).toEqual(['Peru'])
    expect(await listKeys(chain, 'raw', 'data/')).toEqual([member('b.csv')])
    expect((await said('show', CSV)).out).toMatch(/^ {2}in the table {2}no: withdrawn \d{4}-/m)
  }, 120_000)

  it('stays out, replayed at unzip and at convert', async () => {
    for (const stage of ['unzip', 'convert'] as const) {
      const name = await startReplay(chain.landfall, await planReplay(chain.landfall, { stage, from: began }))
      const { runs } = await followReplay(chain.landfall, name, { signal: AbortSignal.timeout(90_000) })
      expect(runs.length, stage).toBeGreaterThan(0)
      expect(await countries(), stage).toEqual(['Peru 11'])
    }
    const { runs } = JSON.parse((await said('runs', '--source', CSV, '--json')).out)
    expect(runs.map(({ problem }: Run) => problem?.code)).toEqual(['withdrawn', undefined])
  }, 200_000)

  it('comes back when it lands again', async () => {
    await chain.landed(await chain.csv('shop.csv', await of('Mali', 20, 3)))
    expect(await countries()).toEqual(['Mali 19', 'Peru 11'])
    expect((await said('show', CSV)).out).toMatch(/^ {2}in the table {2}yes$/m)
  }, 60_000)

  it('is erased, every version, and nothing of it is left but what is said', async () => {
    const id = sourceIdOf(CSV)
    expect((await versionsOf(id)).length).toBeGreaterThan(4)
    const { code, out, err } = await said('withdraw', CSV, '--yes', '--erase')
    expect(code, err).toBe(0)
    expect(out).toContain('No zone, no zip, no reject and no example in the ledger holds the data any more.')
    expect(await versionsOf(id)).toEqual([])
    expect(await versionsOf(CSV)).toEqual([])
    const runs = await chain.landfall.ledger.runs({ dataset: 'sales', sourceId: id })
    expect(runs).toHaveLength(3)
    expect(JSON.stringify(runs)).not.toContain('13/20/2015')

    const zip = await said('withdraw', ZIP, '--yes', '--erase')
    expect(zip.code, zip.err).toBe(0)
    for (const text of ['two.zip', 'two~', sourceIdOf(member('a.csv')), sourceIdOf(member('b.csv'))])
      expect(await versionsOf(text), text).toEqual([])
    expect(await countries()).toEqual([])
    expect(await partitions()).toEqual([])
  }, 120_000)
})
