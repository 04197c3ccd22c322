import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RunEnded } from '../../events/run-ended.ts'
import { stateKey } from '../../services/ledger/expected.ts'
import { status } from '../../services/operations/status.ts'
import { type Clients, clients, eventually } from '../infra/local/support.ts'
import { datasetsWith } from '../infra/templates.ts'
import { invoke, type Line, logOf } from './functions.ts'
import { type Stack, sales, stack } from './stack.ts'

/** Half an hour from the next due instant, whenever this runs. */
const CRON = `${(new Date().getUTCMinutes() + 30) % 60} * * * *`
const HOUR = 3_600_000
/** In a row that is delivered and in one that is rejected; it must be in no log, metric or event. */
const PRIVATE = 'Zzyzx-private'

let chain: Stack
let aws: Clients
let heard: string
beforeAll(async () => {
  chain = await stack('told', { datasets: datasetsWith({ expected: { cron: CRON, grace: '1m', leastBytes: 200 } }) })
  aws = clients(chain.runtime.endpoint)
  heard = (await aws.sqs.createQueue({ QueueName: 'heard' })).QueueUrl ?? ''
  const { Attributes } = await aws.sqs.getQueueAttributes({ QueueUrl: heard, AttributeNames: ['QueueArn'] })
  await aws.eventbridge.putRule({ Name: 'heard', EventPattern: JSON.stringify({ source: ['landfall'] }) })
  await aws.eventbridge.putTargets({ Rule: 'heard', Targets: [{ Id: 'queue', Arn: Attributes?.QueueArn }] })
}, 120_000)
afterAll(async () => {
  for (const client of Object.values(aws ?? {})) client.destroy()
  await chain?.close()
})

/** Events of our own that came, parsed; what was taken is gone. */
async function events(type: string): Promise<{ detail: Line }[]> {
  const { Messages = [] } = await aws.sqs.receiveMessage({ QueueUrl: heard, MaxNumberOfMessages: 10 })
  return Messages.map(({ Body = '' }) => JSON.parse(Body)).filter((event) => event['detail-type'] === type)
}

/** The values of a metric in some lines, with its dimensions. */
const valuesOf = (lines: Line[], name: string) =>
  lines
    .filter((line) => '_aws' in line && name in line)
    .map(({ dataset, state, [name]: value }) => ({ dataset, state, value }))

describe.sequential('what the pipeline tells of itself', () => {
  it('a file that did not come is in the log, a metric, an event and the status, once', async () => {
    const { ledger } = chain.landfall
    // As if it had been expected for some hours.
    const judged = new Date(Date.now() - 5 * HOUR).toISOString()
    await ledger.table.write([{ put: { ...stateKey('sales', CRON), judged } }])
    await invoke(chain, 'SweepFunction')
    await invoke(chain, 'SweepFunction')

    const { overdue } = await status(chain.landfall)
    const [due = ''] = overdue.map((file) => file.due)
    expect(overdue).toMatchObject([{ dataset: 'sales', due: expect.stringMatching(/:\d\d:00\.000Z$/) }])
    const { lines } = await logOf(chain, 'Sweep')
    expect(lines.filter(({ message }) => String(message).includes('was due at'))).toMatchObject([
      {
        level: 'WARN',
        service: 'sweep',
        dataset: 'sales',
        due,
        message: expect.stringMatching(
          /^The file of sales that was due at .* UTC \(cron "\d+ \* \* \* \*"\) has not come: /,
        ),
      },
    ])
    expect(valuesOf(lines, 'OverdueFiles')).toEqual([{ dataset: 'sales', value: 1 }])
    expect(await events('landfall.overdue')).toMatchObject([{ detail: { dataset: 'sales', due, leastBytes: 200 } }])
  }, 60_000)

  it('a file that is delivered is an event, and metrics of its state, rows, bytes and time', async () => {
    const text = await sales({ rows: 20, seed: 1 })
    const [header, first = '', second = '', ...rest] = text.trimEnd().split('\n')
    const region = (line: string) => line.replace(/^[^,]*/, PRIVATE)
    const bad = region(second).replace(/,\d+\/\d+\/\d+,/, `,${PRIVATE},`)
    const csv = [header, region(first), bad, ...rest, ''].join('\n')
    const [run] = await chain.landed(await chain.csv('may.csv', csv))
    expect(run).toMatchObject({ state: 'delivered', accepted: 19, rejected: 1 })

    const [event] = await eventually('the event of the run', async () => {
      const all = await events('landfall.run')
      return all.length > 0 ? all : undefined
    })
    expect(RunEnded.schema.parse(event).detail).toMatchObject({ runId: run?.runId, state: 'delivered', accepted: 19 })
    // A function's log comes when it has ended, which is after it has told the bus.
    const lines = await eventually('the metrics of the run', async () => {
      const logs = await Promise.all(['Catalog', 'Sweep'].map((stage) => logOf(chain, stage)))
      const all = logs.flatMap(({ lines }) => lines)
      return valuesOf(all, 'Files').length > 0 ? all : undefined
    })
    expect(valuesOf(lines, 'Files')).toEqual([{ dataset: 'sales', state: 'delivered', value: 1 }])
    expect(valuesOf(lines, 'RowsAccepted')).toEqual([{ dataset: 'sales', value: 19 }])
    expect(valuesOf(lines, 'RowsRejected')).toEqual([{ dataset: 'sales', value: 1 }])
    expect(valuesOf(lines, 'Bytes')).toEqual([{ dataset: 'sales', value: Buffer.byteLength(csv) }])
    const took = Date.parse(run?.endedAt ?? '') - Date.parse(run?.landedAt ?? '')
    expect(valuesOf(lines, 'LandedToQueryable')).toEqual([{ dataset: 'sales', value: took }])

    const stages = ['Convert', 'Partition', 'Catalog', 'Unzip']
    const found = await eventually('the three stages to have named it', async () => {
      const logs = await Promise.all(stages.map((stage) => logOf(chain, stage)))
      const named = logs.map((log) => log.lines.some(({ runId }) => runId === run?.runId))
      return named.join() === 'true,true,true,false' ? logs : undefined
    })
    for (const log of [...found, await logOf(chain, 'Sweep')]) expect(log.text).not.toContain(PRIVATE)
    expect(JSON.stringify(event)).not.toContain(PRIVATE)
  }, 90_000)

  it('and the file that was overdue is said to be late', async () => {
    await invoke(chain, 'SweepFunction')
    expect((await status(chain.landfall)).overdue).toEqual([])
    const { lines } = await logOf(chain, 'Sweep')
    const said = lines.filter(({ message }) => String(message).includes('was due at'))
    expect(said.at(-1)?.message).toMatch(
      / came late, by \d+ (minutes|hours): data\/sales\/may\.csv has [\d,]+ bytes\.$/,
    )
    expect(valuesOf(lines, 'OverdueFiles')).toEqual([{ dataset: 'sales', value: 1 }])
  }, 60_000)
})
