import { EventBridge } from '@aws-sdk/client-eventbridge'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Stage } from '../../events/replay.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { causeKey } from '../../services/ledger/causes.ts'
import type { Run } from '../../services/ledger/run.ts'
import { followReplay, type ReplayOutcome } from '../../services/operations/follow-replay.ts'
import { planReplay, startReplay } from '../../services/operations/replay.ts'
import { landfall } from '../services/cli/landfall.ts'
import { listKeys, type Stack, sales, stack } from './stack.ts'

let chain: Stack
let began: Date
let landed: Run[]
let before: { keys: string[]; rows: (string | null)[][] }

const delivered = async () => ({
  keys: (await listKeys(chain, 'delivery', 'data/sales/')).sort(),
  rows: await chain.rows('select * from data_deliveryzone order by order_id'),
})

beforeAll(async () => {
  chain = await stack('replay')
  began = new Date()
  const [x, y, z] = await Promise.all([1, 2, 3].map((seed) => sales({ rows: 30, seed, countries: 4 })))
  landed = await chain.landed(
    await chain.zip('both.zip', { 'x.csv': x ?? '', 'y.csv': y ?? '' }),
    await chain.csv('alone.csv', z ?? ''),
  )
  before = await delivered()
}, 120_000)
afterAll(() => chain?.close())

/** Replays all since the files landed, and waits. */
async function replayed(stage: Stage, source?: string): Promise<ReplayOutcome> {
  const name = await startReplay(chain.landfall, await planReplay(chain.landfall, { stage, from: began, source }))
  return await followReplay(chain.landfall, name, { signal: AbortSignal.timeout(90_000) })
}

const said = (...args: string[]) => {
  const { endpoint, region, credentials } = clientConfig(chain.runtime.endpoint)
  return landfall([...args, '--aws'], {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  })
}

const ends = (runs: Run[]) => runs.map(({ key, state }) => `${key.split('/').at(-1)} ${state}`).sort()
const CSVS = ['alone.csv delivered', 'x.csv delivered', 'y.csv delivered']

// Not from the first stage to the last: each window ends now, so it has what the replays before have written again.
describe.sequential('the window in which a zip and a CSV landed, replayed', () => {
  it('finds them delivered', () => {
    expect(ends(landed)).toEqual(['alone.csv delivered', 'both.zip extracted', 'x.csv delivered', 'y.csv delivered'])
    expect(before.rows).toHaveLength(90)
  })

  it.each<[Stage, string[], string[]]>([
    ['catalog', [], []],
    ['partition', CSVS, []],
    ['convert', CSVS, []],
    ['unzip', ['both.zip extracted'], ['x.csv delivered', 'y.csv delivered']],
  ])(
    'at %s leaves the same keys and rows, and says what came of it',
    async (stage, runs, members) => {
      const outcome = await replayed(stage)
      expect(outcome.replay).toMatchObject({ state: 'completed', name: expect.stringMatching(`^${stage}-`) })
      expect({ runs: ends(outcome.runs), members: ends(outcome.members) }).toEqual({ runs, members })
      expect(outcome).toMatchObject({ skipped: [], changes: [] })
      for (const run of outcome.runs) expect(run).toMatchObject({ cause: outcome.replay.name })
      const tables = outcome.tables.map(({ dataset, compared }) => ({ dataset, compared }))
      expect(tables).toEqual(stage === 'catalog' ? [{ dataset: 'sales', compared: true }] : [])
      expect(await delivered()).toEqual(before)
    },
    120_000,
  )

  it('for one source alone skips what is of the others', async () => {
    const { runs, skipped } = await replayed('convert', 'data/sales/alone.csv')
    expect(ends(runs)).toEqual(['alone.csv delivered'])
    expect(skipped.length).toBeGreaterThanOrEqual(2)
    expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(['not_meant']))
    expect(await delivered()).toEqual(before)
  }, 120_000)

  it('is told by the history: each run names its cause, and the run that it was to replace', async () => {
    const alone = landed.find(({ key }) => key === 'data/sales/alone.csv')
    if (!alone) throw new Error('alone.csv has no run')
    const runs = (await chain.landfall.ledger.runs(alone)).sort((a, b) => a.seq - b.seq)
    expect(runs.map(({ cause }) => cause.split('-')[0])).toEqual(['live', 'partition', 'convert', 'convert'])
    expect(runs.map(({ replaces }) => replaces?.runId)).toEqual([
      undefined,
      ...runs.slice(0, 3).map((run) => run.runId),
    ])
    expect(runs[1]?.typedBy?.runId).toBe(alone.runId)
    expect((await chain.landfall.ledger.head(alone))?.deliveryRun).toBe(runs[3]?.runId)
    const { out } = await said('show', runs[1]?.runId ?? '')
    expect(out).toContain(`, by replay ${runs[1]?.cause}\n`)
    const listed = await said('runs', '--cause', runs[2]?.cause ?? '', '--json')
    expect(ends(JSON.parse(listed.out).runs)).toEqual(CSVS)
  }, 60_000)

  it('is listed, and one that was started by hand for no stage is reported by the sweep', async () => {
    const events = new EventBridge(clientConfig(chain.runtime.endpoint))
    const { Archives: [archive] = [] } = await events.listArchives({})
    const { EventSourceArn: bus } = await events.describeArchive({ ArchiveName: archive?.ArchiveName })
    const { Replays: [known] = [] } = await events.listReplays({ NamePrefix: 'convert-' })
    const EventSourceArn = known?.EventSourceArn
    await events.startReplay({
      ReplayName: 'by-hand',
      EventSourceArn,
      EventStartTime: began,
      EventEndTime: new Date(),
      Destination: { Arn: bus },
    })
    events.destroy()
    const { out } = await said('replays')
    expect(out).toMatch(/^by-hand +no stage hears it +\w+ .+ nothing$/m)
    expect(out).toMatch(/^unzip-\S+ +unzip +completed .+ 1 run: 1 extracted$/m)
    expect(out).toMatch(/^partition-\S+ +partition +completed .+ 3 runs: 3 delivered$/m)
    expect(out).toMatch(/^catalog-\S+ +catalog +completed .+ table of sales compared$/m)
    expect((await said('status')).out).toContain('Warning: The replay "by-hand" is heard by no stage')
    // The sweep comes by each minute, under its own role.
    const noted = () => chain.landfall.ledger.table.get(causeKey('by-hand'))
    await vi.waitFor(async () => expect(await noted()).toMatchObject({ kind: 'unaddressed' }), {
      timeout: 90_000,
      interval: 500,
    })
    expect(await delivered()).toEqual(before)
  }, 150_000)
})
