import { EventBridgeClient, TestEventPatternCommand } from '@aws-sdk/client-eventbridge'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CrawlEnded } from '../../events/crawl-ended.ts'
import { CsvLanded } from '../../events/csv-landed.ts'
import { DeliveryChanged } from '../../events/delivery-changed.ts'
import { FileOverdue } from '../../events/file-overdue.ts'
import { JobEnded } from '../../events/job-ended.ts'
import { ParquetProcessed } from '../../events/parquet-processed.ts'
import { RerunAsked } from '../../events/rerun-asked.ts'
import { RunEnded } from '../../events/run-ended.ts'
import { sample } from '../../events/s3-object.ts'
import { ZipLanded } from '../../events/zip-landed.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { partitionFolder } from '../../schemas/hive.ts'
import {
  batchIdOf,
  deliveryKey,
  memberFolderOf,
  processingKey,
  runIdOf,
  sourceIdOf,
  stagingFolder,
} from '../../services/ledger/ids.ts'
import { startLocal } from '../infra/local/support.ts'

const STAGES = ['unzip', 'convert', 'partition', 'catalog'] as const
type Listener = (typeof STAGES)[number]

/** The rules of each stage: what becomes of objects first. */
const rules: Record<Listener, [object, ...object[]]> = {
  unzip: [ZipLanded.pattern({ bucket: 'raw' }), RerunAsked.pattern({ bucket: 'raw', prefix: 'landing/' })],
  convert: [
    CsvLanded.pattern({ bucket: 'raw' }),
    RerunAsked.pattern({ bucket: 'raw', prefix: 'data/' }),
    JobEnded.pattern({ jobName: 'convert' }),
  ],
  partition: [ParquetProcessed.pattern({ bucket: 'processing' }), JobEnded.pattern({ jobName: 'partition' })],
  catalog: [DeliveryChanged.pattern({ bucket: 'delivery' }), CrawlEnded.pattern({ crawlers: ['sales'] })],
}

const landed = 'landing/sales/5000 Sales.zip'
const member = `${memberFolderOf('sales', landed)}5000_Sales.csv`
const source = sourceIdOf(member)
const run = runIdOf(member, 'v1', 'live')
const batch = batchIdOf('sales', '20261122T100000000Z-abc')
const refused = `refused/sales/${source}/${run}.json`

type Change = { type?: 'Object Created' | 'Object Deleted'; bucket: string; key: string; wakes?: Listener }

/** Every write and delete of each stage, its job's included, and the one stage that it means to wake. */
const changes: Record<Listener, Change[]> = {
  unzip: [
    { bucket: 'raw', key: member, wakes: 'convert' },
    { bucket: 'raw', key: landed.replace(/^landing\//, 'data/'), wakes: 'convert' },
    { bucket: 'raw', key: landed.replace(/^landing\//, 'old-data/') },
    { type: 'Object Deleted', bucket: 'raw', key: landed },
    { type: 'Object Deleted', bucket: 'raw', key: member },
    { type: 'Object Deleted', bucket: 'processing', key: processingKey('sales', source, run, 1, 1) },
    {
      type: 'Object Deleted',
      bucket: 'delivery',
      key: deliveryKey({ dataset: 'sales', version: 1 }, partitionFolder('COUNTRY', 'Chad'), source, 1),
      wakes: 'catalog',
    },
    { bucket: 'quarantine', key: refused },
  ],
  convert: [
    { bucket: 'staging', key: `${stagingFolder('convert', batch)}manifest.json` },
    { bucket: 'staging', key: `${stagingFolder('convert', batch)}job/00001/part-00001.parquet` },
    { bucket: 'staging', key: `${stagingFolder('convert', batch)}report.json` },
    { bucket: 'processing', key: processingKey('sales', source, run, 1, 1), wakes: 'partition' },
    { type: 'Object Deleted', bucket: 'processing', key: processingKey('sales', source, run, 1, 1) },
    { bucket: 'quarantine', key: `rejects/sales/${source}/${run}.parquet` },
    { bucket: 'quarantine', key: refused },
  ],
  partition: [
    { bucket: 'staging', key: `${stagingFolder('partition', batch)}manifest.json` },
    { bucket: 'staging', key: `${stagingFolder('partition', batch)}job/00001/part-00001.parquet` },
    ...(['Object Created', 'Object Deleted'] as const).map((type): Change => {
      const folder = partitionFolder('COUNTRY', "Cote d'Ivoire")
      return {
        type,
        bucket: 'delivery',
        key: deliveryKey({ dataset: 'sales', version: 1 }, folder, source, 1),
        wakes: 'catalog',
      }
    }),
  ],
  // It writes to the catalog and the ledger only.
  catalog: [],
}

let runtime: Awaited<ReturnType<typeof startLocal>>
let client: EventBridgeClient
beforeAll(async () => {
  runtime = await startLocal()
  client = new EventBridgeClient(clientConfig(runtime.endpoint))
}, 120_000)
afterAll(() => runtime?.stop())

/** Each rule that hears the event: a stage twice if two of its rules do. */
async function heardBy(event: object): Promise<Listener[]> {
  const Event = JSON.stringify(event)
  const heard = await Promise.all(
    STAGES.flatMap((stage) =>
      rules[stage].map(async (pattern) => {
        const EventPattern = JSON.stringify(pattern)
        return (await client.send(new TestEventPatternCommand({ EventPattern, Event }))).Result ? [stage] : []
      }),
    ),
  )
  return heard.flat()
}

function wokenBy({ type = 'Object Created', bucket, key }: Change): Promise<Listener[]> {
  const reason = type === 'Object Deleted' ? 'DeleteObject' : 'CopyObject'
  return heardBy(sample(type, bucket, key, reason))
}

it('no write of a stage wakes that stage, and each wakes exactly the one that it means to', async () => {
  for (const stage of STAGES) {
    for (const change of changes[stage]) {
      const woken = await wokenBy(change)
      expect([change.key, woken]).toEqual([change.key, change.wakes ? [change.wakes] : []])
      expect(woken).not.toContain(stage)
    }
  }
})

it('whatever is below landing/ or data/ in the raw zone is heard by exactly one stage, whatever its name', async () => {
  for (const key of [
    'landing/x',
    'landing/sales/a.ZIP',
    'landing/sales/',
    'data/x.txt',
    'data/sales/a.csv.gz',
    'data//',
  ])
    expect([key, await wokenBy({ bucket: 'raw', key })]).toEqual([key, [key.startsWith('data') ? 'convert' : 'unzip']])
})

it('what a rerun asks for is heard by exactly the stage that hears of that key, and by no rule for objects', async () => {
  for (const [key, stages] of [
    [landed, ['unzip']],
    [member, ['convert']],
    ['old-data/sales/5000 Sales.zip', []],
  ] as const)
    expect([key, await heardBy(RerunAsked.sample('raw', key))]).toEqual([key, stages])
  expect(await heardBy(RerunAsked.sample('processing', member))).toEqual([])
})

it('that a run ended is heard by no stage, whose own end that would be, also of a key that they hear of', async () => {
  const ended = RunEnded.sample()
  for (const key of [landed, member])
    expect(await heardBy({ ...ended, detail: { ...ended.detail, bucket: 'raw', key } })).toEqual([])
})

it('that a file is overdue is heard by no stage', async () => {
  expect(await heardBy(FileOverdue.sample())).toEqual([])
})

it('nothing else of our own is heard', async () => {
  const { detail, ...asked } = RerunAsked.sample('raw', member)
  expect(await heardBy({ ...asked, 'detail-type': 'landfall.other', detail })).toEqual([])
})
