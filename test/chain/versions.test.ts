import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GlueClient } from '@aws-sdk/client-glue'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployApp } from '../../infra/local/raise.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { loadContracts } from '../../schemas/contract.ts'
import { type Served, serve } from '../../services/catalog/serve.ts'
import { AwsGlue } from '../../services/jobs/glue.ts'
import { S3Objects } from '../../services/jobs/objects.ts'
import { sleep } from '../../services/lambda/clients.ts'
import { noteSwitch, switchOf } from '../../services/ledger/catalog-state.ts'
import { Ledger } from '../../services/ledger/ledger.ts'
import { connect } from '../../services/operations/connect.ts'
import { followRerun } from '../../services/operations/follow-rerun.ts'
import { beginRerun } from '../../services/operations/rerun.ts'
import { eventually } from '../infra/local/support.ts'
import { listKeys, type Stack, stack } from './stack.ts'

/** Version 2 has amounts with decimals, where version 1 had whole numbers. */
const contract = (dataset: string, version: number) => ({
  dataset,
  version,
  columns: [
    { source: 'Shop', name: 'SHOP', type: 'string', required: true },
    { source: 'Amount', name: 'AMOUNT', type: version === 1 ? 'int' : 'decimal(10,2)' },
  ],
  partitionBy: 'SHOP',
  table: { database: 'deliverydatabase', name: dataset },
  maxRejectShare: 0.9,
})
const MAY = 'Shop,Amount\nKöln,1\nBonn,2.50\n'
const JUNE = 'Shop,Amount\nBonn,3\nUlm,4\n'

let folder: string
let datasets: string
let chain: Stack
const declare = async (...contracts: ReturnType<typeof contract>[]) => {
  for (const each of contracts) await writeFile(join(datasets, `${each.dataset}.json`), JSON.stringify(each))
}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'landfall-versions-'))
  datasets = join(folder, 'datasets')
  await mkdir(datasets)
  await declare(contract('tills', 1))
  chain = await stack('versions', { dataset: 'tills', datasets })
}, 120_000)
afterAll(async () => {
  await chain?.close()
  await rm(folder, { recursive: true, force: true })
})

const rows = (table = 'tills') => chain.rows(`SELECT shop, amount FROM ${table} ORDER BY shop, amount`)
const landed = async (name: string, text: string) => await chain.landed(await chain.csv(name, text))

async function served(): Promise<Served> {
  const glue = new GlueClient(clientConfig(chain.runtime.endpoint))
  try {
    const { ledger, s3, deliveryBucket } = chain.landfall
    return await serve(
      {
        ledger,
        objects: new S3Objects(s3),
        glue: new AwsGlue(glue),
        contracts: loadContracts(datasets),
        crawlers: {},
        deliveryBucket,
        sleep,
      },
      'tills',
    )
  } finally {
    glue.destroy()
  }
}

/** As a command sees them that begins now. */
async function versions() {
  const landfall = await connect(clientConfig(chain.runtime.endpoint))
  try {
    return await landfall.contractVersions('tills')
  } finally {
    landfall.close()
  }
}

async function rerun(more: { dryRun?: boolean } = {}) {
  const input = { dataset: 'tills', prefix: 'data/tills/', ...more }
  const begun = await beginRerun(chain.landfall, input)
  return await followRerun(chain.landfall, { ...input, ...begun }, { signal: AbortSignal.timeout(100_000) })
}

describe('a new version of a contract', { timeout: 120_000 }, () => {
  it('is published apart from the one before, which people go on reading', async () => {
    await landed('may.csv', MAY)
    await landed('june.csv', JUNE)
    const before = [
      ['Bonn', '3'],
      ['Köln', '1'],
      ['Ulm', '4'],
    ]
    expect(await rows()).toEqual(before)
    await declare(contract('tills', 2), contract('fresh', 2))
    await deployApp(chain.runtime, { datasets, onProgress: () => {} })
    expect(await rows()).toEqual(before)

    // As a rerun will: the same bytes, typed again.
    const [run] = await landed('may.csv', MAY)
    expect(run).toMatchObject({ state: 'delivered', accepted: 2, contractVersion: 2 })
    expect(await rows()).toEqual(before)
    expect(await rows('tills_v2')).toEqual([
      ['Bonn', '2.50'],
      ['Köln', '1.00'],
    ])
  })

  it('is not served while a source of the one before is not in it', async () => {
    expect(await served()).toMatchObject({ outcome: 'unserved', sources: [{ key: 'data/tills/june.csv' }] })
  })

  it('is typed by a dry rerun, and people go on reading the one before', async () => {
    const before = await rows()
    expect(await versions()).toEqual({ served: 1, deployed: 2 })
    const { state, rows: told } = await rerun({ dryRun: true })
    expect(state).toMatchObject({ dryRun: true, totals: { delivered: 2 }, failures: 0 })
    expect(told.map(({ key, before, accepted, rejected }) => [key, before?.accepted, accepted, rejected])).toEqual([
      ['data/tills/june.csv', 2, 2, 0],
      ['data/tills/may.csv', 2, 2, 0],
    ])
    expect(await rows()).toEqual(before)
    expect(await rows('tills_v2')).toHaveLength(4)
  })

  it('is what people read from one moment to the next, at the end of a rerun, by the rights of the function', async () => {
    expect((await rerun()).state).toMatchObject({ served: { outcome: 'served', version: 2 }, failures: 0 })
    expect(await versions()).toEqual({ served: 2, deployed: 2 })
    expect(await served()).toEqual({ outcome: 'unchanged', version: 2 })
    expect(await rows()).toEqual([
      ['Bonn', '2.50'],
      ['Bonn', '3.00'],
      ['Köln', '1.00'],
      ['Ulm', '4.00'],
    ])
    const shop = "SELECT sum(amount) FROM tills WHERE tills.shop = 'Bonn'"
    expect(await chain.rows(shop)).toEqual([['5.50']])
  })

  it('is what people read at once of a dataset that is new, by the rights of the function itself', async () => {
    const { s3, rawBucket } = chain.landfall
    const Body = 'Shop,Amount\nUlm,5.25\n'
    await s3.send(new PutObjectCommand({ Bucket: rawBucket, Key: 'data/fresh/fresh.csv', Body }))
    const seen = await eventually('rows in the view', async () => {
      const found = await rows('fresh').catch(() => [])
      return found.length > 0 ? found : undefined
    })
    expect(seen).toEqual([['Ulm', '5.25']])
  })

  it('has nothing of the one before beside it when the sweep has come by an hour later', async () => {
    const { ledger } = chain.landfall
    expect(await listKeys(chain, 'delivery', 'data/tills/')).not.toEqual([])
    const anHourAgo = new Ledger(ledger.table, () => new Date(Date.now() - 60 * 60_000))
    await noteSwitch(anHourAgo, 'tills', 2)
    for (let second = 0; second < 90 && (await switchOf(ledger, 'tills')); second++) await sleep(1_000)
    expect(await switchOf(ledger, 'tills')).toBeUndefined()
    expect(await listKeys(chain, 'delivery', 'data/tills/')).toEqual([])
    expect(await rows()).toHaveLength(4)
  })
})
