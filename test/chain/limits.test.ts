import { Glue } from '@aws-sdk/client-glue'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientConfig } from '../../infra/local/runtime.ts'
import { sourceIdOf } from '../../services/ledger/ids.ts'
import { queuePk } from '../../services/ledger/queue.ts'
import { type Stack, sales, stack } from './stack.ts'

const SLOT_LAG = 6

let chain: Stack
let glue: Glue
let convert: string
beforeAll(async () => {
  chain = await stack('limits', {
    env: {
      LANDFALL_GLUE_SLOT_LAG: String(SLOT_LAG),
      LANDFALL_CRAWLER_STOPPING: '4',
      LANDFALL_RETRY_SECONDS: '0.05',
    },
  })
  glue = new Glue(clientConfig(chain.runtime.endpoint))
  const { Jobs = [] } = await glue.getJobs({})
  const job = Jobs.find(({ Name = '' }) => /convert/i.test(Name)) ?? expect.fail('no convert job')
  const { Name = '', Role, Command, DefaultArguments } = job
  convert = Name
  const ExecutionProperty = { MaxConcurrentRuns: 1 }
  await glue.updateJob({ JobName: convert, JobUpdate: { Role, Command, DefaultArguments, ExecutionProperty } })
}, 120_000)
afterAll(async () => {
  glue?.destroy()
  await chain?.close()
})

describe.sequential('Glue', () => {
  it('that still holds the slot of an ended job, and a crawler that is still stopping, only delay what comes next', async () => {
    const [first, second] = [
      await chain.csv('first.csv', await sales({ rows: 10, seed: 1 })),
      await chain.csv('second.csv', await sales({ rows: 20, seed: 2 })),
    ]
    await chain.reaches(first, 'converted')
    // What dispatch will be told now too.
    await expect(glue.startJobRun({ JobName: convert })).rejects.toMatchObject({
      name: 'ConcurrentRunsExceededException',
    })
    const [run] = await chain.landed(second)
    expect(run?.state).toBe('delivered')
    const waited = Date.parse(run?.spanConvert?.startedAt ?? '') - Date.parse(run?.spanConvert?.queuedAt ?? '')
    expect(waited).toBeGreaterThan(1_000)
    const runs = await chain.landfall.ledger.runs({ dataset: 'sales', sourceId: sourceIdOf('data/sales/first.csv') })
    expect(runs.map(({ state }) => state)).toEqual(['delivered'])
    expect(await chain.count()).toBe(30)
  }, 120_000)

  it('that lacks the job fails the file in words, and keeps it queued for when there is one', async () => {
    await glue.deleteJob({ JobName: convert })
    const [run] = await chain.landed(await chain.csv('nojob.csv', await sales({ rows: 10, seed: 3 })))
    expect(run).toMatchObject({ state: 'failed', problem: { code: 'convert_not_started' } })
    expect(run?.problem?.message).toMatch(
      /^No convert job could be started for data\/sales\/nojob\.csv: Glue refuses to start a run of \S+: EntityNotFoundException: /,
    )
    const queued = await chain.landfall.ledger.table.query(queuePk({ stage: 'convert', dataset: 'sales' }), 'ITEM#')
    expect(queued).toMatchObject([{ runId: run?.runId }])
  }, 60_000)
})
