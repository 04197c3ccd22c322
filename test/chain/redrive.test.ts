import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Run } from '../../services/ledger/run.ts'
import { land } from '../../services/operations/land.ts'
import { findDeadLetters, sendBack } from '../../services/operations/redrive.ts'
import { eventually } from '../infra/local/support.ts'
import { type Denials, denials } from './denials.ts'
import { type Stack, sales, stack } from './stack.ts'

let chain: Stack
let without: Denials['without']

beforeAll(async () => {
  // A message comes back after 0, 0, 1 and 3 seconds.
  chain = await stack('redrive', { env: { LANDFALL_RETRY_SECONDS: '0.05' } })
  ;({ without } = await denials(chain))
}, 120_000)
afterAll(() => chain?.close())

const files = (name: string, seed: number) =>
  Promise.all(
    [1, 2, 3].map(async (i) => chain.csv(`${name}-${i}.csv`, await sales({ rows: 10, seed: seed + i, countries: 2 }))),
  )

/** Three files land while a stage is broken, until it has given up on all of them. */
async function broken(stage: 'convert' | 'partition', action: string, roles: string[], paths: string[]) {
  await without(action, roles, async () => {
    for (const path of paths) await land(chain.landfall, path, 'sales')
    // One message may speak for files that land together: a stage starts one job for all that waits.
    await eventually('three failed runs and a dead letter', async () => {
      const failed = (await states(paths)).filter((state) => state === 'failed')
      const { queues } = await findDeadLetters(chain.landfall, { stage })
      return (failed.length === 3 && queues.length > 0) || undefined
    })
  })
}

const states = async (paths: string[]): Promise<Run['state'][]> => {
  const runs: Run[] = []
  for await (const run of chain.landfall.listing.newest()) runs.push(run)
  return paths.flatMap((path) =>
    runs.filter(({ key }) => path.endsWith(key.split('/').at(-1) ?? '?')).map(({ state }) => state),
  )
}

describe.sequential('three files whose messages a broken stage gave up on', () => {
  it.each([
    ['convert', 's3:GetObject', ['Convert'], 'not_taken_in', 100],
    ['convert', 'glue:StartJobRun', ['Convert', 'Sweep'], 'convert_not_started', 200],
    ['partition', 'glue:StartJobRun', ['Partition', 'Sweep'], 'partition_not_started', 300],
  ] as const)(
    '%s without %s: mended and redriven, all are delivered',
    async (stage, action, roles, code, seed) => {
      const before = await chain.count()
      const paths = await files(code, seed)
      await broken(stage, action, [...roles], paths)
      const { queues } = await findDeadLetters(chain.landfall, { stage })
      const told = queues.flatMap(({ letters }) =>
        letters.flatMap(({ runs }) => runs.map(({ problem }) => problem?.code)),
      )
      expect(new Set(told)).toEqual(new Set([code]))
      await sendBack(chain.landfall, queues)
      await eventually('all are delivered', async () => {
        const now = await states(paths)
        return (now.length === 3 && now.every((state) => state === 'delivered')) || undefined
      })
      expect(await chain.count()).toBe(before + 30)
      expect((await findDeadLetters(chain.landfall)).queues).toEqual([])
    },
    180_000,
  )
})
