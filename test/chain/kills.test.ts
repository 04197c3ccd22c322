import { setTimeout as sleep } from 'node:timers/promises'
import { CloudFormation } from '@aws-sdk/client-cloudformation'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DisableRuleCommand, EventBridgeClient, ListRulesCommand } from '@aws-sdk/client-eventbridge'
import { SQS } from '@aws-sdk/client-sqs'
import { paginateScan } from '@aws-sdk/lib-dynamodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { STACKS } from '../../infra/app.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { parseS3 } from '../../services/jobs/publish.ts'
import { readSlot } from '../../services/jobs/settle.ts'
import { documentClient } from '../../services/lambda/sdk.ts'
import { sourceIdOf } from '../../services/ledger/ids.ts'
import { hasEnded, type Run } from '../../services/ledger/run.ts'
import type { Item } from '../../services/ledger/table.ts'
import type { Letter } from '../../services/letters/letter.ts'
import { land } from '../../services/operations/land.ts'
import { findDeadLetters, sendBack } from '../../services/operations/redrive.ts'
import { seeded, shuffle } from '../generator/random.ts'
import { invoke } from './functions.ts'
import { CAN_SEE_PROCESSES, jobs, strike, workers } from './processes.ts'
import { type Stack, stack } from './stack.ts'

/** `ROUNDS=20 SEED=7 npx vitest run test/chain/kills.test.ts` for many more. */
const ROUNDS = Number(process.env.ROUNDS ?? 2)
const SEED = Number(process.env.SEED ?? 1)
const random = seeded(SEED)

let chain: Stack
let sqs: SQS
let dynamo: DynamoDBClient
let outputs: Map<string, string>

beforeAll(async () => {
  if (!CAN_SEE_PROCESSES) return
  // A message comes back after 0, 1, 3 and 13 seconds.
  chain = await stack('kills', { env: { LANDFALL_RETRY_SECONDS: '0.2' } })
  const config = clientConfig(chain.runtime.endpoint)
  sqs = new SQS(config)
  dynamo = new DynamoDBClient(config)
  const cloudFormation = new CloudFormation(config)
  const stacks = await Promise.all(STACKS.map((StackName) => cloudFormation.describeStacks({ StackName })))
  outputs = new Map(
    stacks.flatMap(({ Stacks = [] }) =>
      (Stacks[0]?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue] as const),
    ),
  )
  cloudFormation.destroy()
  // Of a function that was killed a message is given back by nobody: two minutes are too long for a test.
  for (const { url } of chain.landfall.queues.filter(({ kind }) => kind === 'work'))
    await sqs.setQueueAttributes({ QueueUrl: url, Attributes: { VisibilityTimeout: '5' } })
  // The test sweeps: more often, and only while functions may live.
  const events = new EventBridgeClient(config)
  for (const { Name, ScheduleExpression } of (await events.send(new ListRulesCommand())).Rules ?? [])
    if (ScheduleExpression) await events.send(new DisableRuleCommand({ Name }))
  events.destroy()
}, 120_000)
afterAll(async () => {
  sqs?.destroy()
  dynamo?.destroy()
  await chain?.close()
})

/** The ids of a version of a file tell which they are. */
const idOf = (file: number, version: number, row: number) => 100_000_000 + file * 1_000_000 + version * 10_000 + row

function salesOf(file: number, version: number, rows: number): string {
  const header =
    'Region,Country,Item Type,Sales Channel,Order Priority,Order Date,Order ID,Ship Date,Units Sold,Unit Price,Unit Cost,Total Revenue,Total Cost,Total Profit'
  const lines = Array.from(
    { length: rows },
    (_, row) =>
      `Europe,Country ${(row + version) % 20},Fruits,Online,H,1/2/2026,${idOf(file, version, row)},1/3/2026,1,9.33,6.92,9.33,6.92,2.41`,
  )
  return `${[header, ...lines].join('\n')}\n`
}

/** Rows that the table is to have, by the file and version that their ids begin with. */
const expected = new Map<string, number>()
const versionOf = new Map<number, number>()

function next(file: number, rows: number): string {
  const version = (versionOf.get(file) ?? 0) + 1
  expected.delete(prefixOf(file, version - 1))
  versionOf.set(file, version)
  expected.set(prefixOf(file, version), rows)
  return salesOf(file, version, rows)
}
const prefixOf = (file: number, version: number) => String(idOf(file, version, 0)).slice(0, 5)

const MEMBERS = ['a', 'b', 'c']

/** A zip of three and two files of their own; their numbers begin at `first`. */
async function filesOf(first: number): Promise<string[]> {
  const members = MEMBERS.map((name, i) => [`${name}.csv`, next(first + i, 1500 + random(500))] as const)
  const zip = await chain.zip(`z${first}.zip`, Object.fromEntries(members))
  const csvs = [3, 4].map((i) => chain.csv(`f${first + i}.csv`, next(first + i, 100 + random(200))))
  return [zip, ...(await Promise.all(csvs))]
}

async function items(): Promise<Item[]> {
  const all: Item[] = []
  const pages = paginateScan(
    { client: documentClient(dynamo) },
    { TableName: outputs.get('LedgerTable') ?? '', ConsistentRead: true },
  )
  for await (const { Items = [] } of pages) all.push(...(Items as Item[]))
  return all
}

const later = (lease: unknown) => Number(lease ?? 0) > Date.now()

/** What functions hold that are dead now is given up by nobody: their leases are over as if time had passed. */
async function passTime(dead: Item[]): Promise<void> {
  const { table } = chain.landfall.ledger
  const over = { is: 'equal' } as const
  for (const { pk, sk, lockOwner, lockUntil, batch, jobRunId, settlingUntil, until, crawlUntil } of dead) {
    const update = { pk, sk }
    if (later(lockUntil))
      await table.write([
        { update, set: { lockUntil: 1 }, when: [{ attribute: 'lockOwner', ...over, to: String(lockOwner) }] },
      ])
    if (sk === 'SLOT' && (later(settlingUntil) || !jobRunId))
      await table.write([
        {
          update,
          set: { leaseUntil: 1, settlingUntil: 1 },
          when: [{ attribute: 'batch', ...over, to: String(batch) }],
        },
      ])
    if (sk.startsWith('PUBLISHING#'))
      await table.write([{ update, set: { until: 1 }, when: [{ attribute: 'until', ...over, to: Number(until) }] }])
    if (later(crawlUntil)) {
      const crawlStartedAt = new Date(Date.now() - 60_000).toISOString()
      await table.write([
        { update, set: { crawlStartedAt }, when: [{ attribute: 'crawlUntil', ...over, to: Number(crawlUntil) }] },
      ])
    }
  }
}

const FUNCTIONS = ['Unzip', 'Convert', 'Partition', 'Catalog', 'Sweep'] as const
const allFunctions = () =>
  workers(
    chain.runtime.endpoint,
    FUNCTIONS.map((name) => outputs.get(`${name}Function`) ?? ''),
  )

type Target = { name: string; hit: () => Promise<boolean> }

/** All functions die at once while one of them is at this: whatever else they are at, is struck as well. */
const functions = (name: string, isNear: () => Promise<boolean>, isThere: (item: Item) => boolean): Target => ({
  name,
  hit: async () => {
    if (!(await isNear())) return false
    await sleep(random(120))
    const struck = await strike(allFunctions, async () => {
      const found = await items()
      return found.some(isThere) ? found : undefined
    })
    if (struck) await passTime(struck)
    return struck !== undefined
  },
})

const zipAtWork = async (): Promise<boolean> => {
  for (const zip of landedZips) {
    const head = await chain.landfall.ledger.head({ dataset: 'sales', sourceId: sourceIdOf(zip) })
    if (later(head?.lockUntil)) return true
  }
  return false
}

const settling = (stage: 'convert' | 'partition') =>
  functions(
    `functions while ${stage} settles`,
    async () =>
      later(((await readSlot(chain.landfall.ledger, { stage, dataset: 'sales' })) as Item | undefined)?.settlingUntil),
    ({ pk, sk, settlingUntil }) => pk === `QUEUE#${stage}#sales` && sk === 'SLOT' && later(settlingUntil),
  )

const MOMENTS = ['beginning', 'middle', 'end'] as const

/** A job's process, where it has written nothing yet, a part, or all and its report. */
const job = (stage: 'convert' | 'partition', moment: (typeof MOMENTS)[number]): Target => ({
  name: `job of ${stage} at its ${moment}`,
  hit: async () => {
    const { objects, stagingBucket } = chain.landfall
    const [found] = jobs(`s3://${stagingBucket}/${stage}/`)
    if (!found) return false
    const { bucket, key } = parseS3(found.manifest)
    const folder = key.slice(0, key.lastIndexOf('/') + 1)
    const at = async (): Promise<(typeof MOMENTS)[number]> => {
      const keys = (await objects.list(bucket, folder)).map((object) => object.key)
      if (keys.includes(`${folder}report.json`)) return 'end'
      return keys.length > 1 ? 'middle' : 'beginning'
    }
    // It is over soon: nothing else is looked at meanwhile.
    for (let now = await at(); MOMENTS.indexOf(now) <= MOMENTS.indexOf(moment); now = await at()) {
      const isThere = async () => ((await at()) === moment ? true : undefined)
      if (now === moment) return (await strike(() => [found.pid], isThere)) === true
      if (jobs(found.manifest).length === 0) return false
    }
    return false
  },
})

const landedZips: string[] = []
const landings: { key: string; versionId: string }[] = []

async function landAll(files: string[]): Promise<void> {
  for (const file of files) {
    const landing = await land(chain.landfall, file, 'sales')
    landings.push(landing)
    if (landing.key.startsWith('landing/')) landedZips.push(landing.key)
  }
}

async function runs(): Promise<Run[]> {
  const all: Run[] = []
  for await (const run of chain.landfall.listing.newest()) all.push(run)
  return all
}

/** Sweeps once a second, as long as `work` takes. A sweep may be killed, too. */
async function sweeping<T>(work: () => Promise<T>): Promise<T> {
  let done = false
  const sweeps = (async () => {
    while (!done) {
      await invoke(chain, 'SweepFunction').catch(() => {})
      await sleep(1000)
    }
  })()
  try {
    return await work()
  } finally {
    done = true
    await sweeps
  }
}

async function until(what: string | (() => string), ms: number, look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await look())) {
    if (Date.now() > deadline) {
      const words = typeof what === 'string' ? what : what()
      throw new Error(`Seed ${SEED}: waited in vain for ${words}; open: ${(await open()).join(', ')}`)
    }
    await sleep(10)
  }
}

/** Landings without a run, runs without an end, and what is queued for a stage. */
async function open(): Promise<string[]> {
  const all = await runs()
  const unknown = landings.filter(
    (each) => !all.some(({ key, versionId }) => key === each.key && versionId === each.versionId),
  )
  const going = all.filter(({ state }) => !hasEnded(state))
  const queued = unknown.length + going.length > 0 ? [] : (await items()).filter(({ pk }) => pk.startsWith('QUEUE#'))
  return [
    ...unknown.map(({ key, versionId }) => `${key} ${versionId} has no run`),
    ...going.map(({ key, state }) => `${key} ${state}`),
    ...queued.map(({ pk, sk }) => `${pk} ${sk}`),
  ]
}

const isQuiet = async () => (await open()).length === 0

it.skipIf(!CAN_SEE_PROCESSES)(
  'functions and jobs that are killed at work, again and again, leave exactly the rows of the latest versions',
  async () => {
    const hits: string[] = []
    const letters: Letter[] = []
    await sweeping(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const targets: Target[] = shuffle(
          [
            functions('functions while unzip streams', zipAtWork, ({ sk, key, lockUntil }) =>
              Boolean(sk === 'HEAD' && String(key).startsWith('landing/') && later(lockUntil)),
            ),
            settling('convert'),
            settling('partition'),
            job('convert', MOMENTS[(round + SEED) % 3] ?? 'middle'),
            job('partition', MOMENTS[(round + SEED + 1) % 3] ?? 'middle'),
          ],
          random,
        )
        const first = round * 10
        await landAll(await filesOf(first))
        // Of the round before, a newer version of each.
        if (round > 0) await landAll(await filesOf(first - 10))
        const left = new Set(targets)
        let quietAt = Date.now()
        const began = Date.now()
        await until(
          () => `kills of ${[...left].map(({ name }) => name).join(', ')}`,
          60_000,
          async () => {
            for (const target of left)
              if (await target.hit()) {
                hits.push(`${target.name} (${Date.now() - began} ms)`)
                left.delete(target)
              }
            if (left.size === 0) return true
            if (Date.now() - quietAt < 1500) return false
            // All went by without the rest of the kills: more work for them.
            if (await isQuiet()) await landAll(await filesOf(first))
            quietAt = Date.now()
            return false
          },
        )
        await until('the end of all runs', 60_000, isQuiet)
      }
      const { queues } = await findDeadLetters(chain.landfall)
      letters.push(...queues.flatMap(({ letters }) => letters))
      // Of each that tells of a file, the books have the run, and it has ended.
      for (const { refs, runs } of letters)
        expect(runs.filter(({ state }) => hasEnded(state))).toHaveLength(refs.length)
      const told = new Set(letters.flatMap(({ refs }) => refs.map(({ runId }) => runId)))
      expect((await runs()).filter(({ state, runId }) => state === 'failed' && !told.has(runId))).toEqual([])
      if (queues.length > 0) await sendBack(chain.landfall, queues)
      await until('the end of what was sent back', 30_000, async () => {
        const failed = (await runs()).some(({ state }) => state === 'failed')
        return !failed && (await isQuiet())
      })
    })
    expect((await findDeadLetters(chain.landfall)).queues).toEqual([])
    console.log(`seed ${SEED}, ${ROUNDS} rounds, ${letters.length} dead letters, killed: ${hits.join('; ')}`)
    expect(hits).toHaveLength(ROUNDS * 5)
    const found = await chain.rows(
      `select substr(cast(order_id as varchar), 1, 5), count(*), count(distinct order_id) from data_deliveryzone group by 1 order by 1`,
    )
    const rows = [...expected].sort().map(([prefix, n]) => [prefix, String(n), String(n)])
    expect(found).toEqual(rows)
  },
  100_000 + ROUNDS * 60_000,
)
