import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GetJobRunCommand, GlueClient, type JobRun } from '@aws-sdk/client-glue'
import { XRay } from '@aws-sdk/client-xray'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { projectRoot, stateDir } from '../../infra/local/paths.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { writeSample } from '../../services/cli/sample.ts'
import type { Run } from '../../services/ledger/run.ts'
import { followReplay } from '../../services/operations/follow-replay.ts'
import { planReplay, startReplay } from '../../services/operations/replay.ts'
import { traceIdOf } from '../../services/trace/ids.ts'
import type { Segment, Subsegment } from '../../services/trace/segments.ts'
import { eventually } from '../infra/local/support.ts'
import { SegmentDocument } from '../services/trace/document.ts'
import { covered, end } from '../services/trace/nodes.ts'
import { denials } from './denials.ts'
import { type Stack, sales, stack } from './stack.ts'

const REAL = join(projectRoot, '../shared/data/5000-Sales-Records.zip')
const isReal = existsSync(REAL)
const file = isReal ? 'the real file' : 'a generated file that is like the real one (../shared/data is absent)'

let chain: Stack
let xray: XRay
let glue: GlueClient
let began: Date
let zip: Run
let run: Run

beforeAll(async () => {
  chain = await stack('trace', { env: { LANDFALL_RETRY_SECONDS: '0.05' } })
  xray = new XRay(clientConfig(chain.runtime.endpoint))
  glue = new GlueClient(clientConfig(chain.runtime.endpoint))
  began = new Date()
  const landed = await chain.landed(isReal ? REAL : await writeSample(chain.folder, () => {}))
  zip = landed[0] ?? expect.fail('the zip has no run')
  run = landed[1] ?? expect.fail('its member has no run')
}, 180_000)
afterAll(async () => {
  xray?.destroy()
  glue?.destroy()
  await chain?.close()
})

/** The trace of a run as X-Ray gives it back, the root first, then the stages as they began. It is sent after the run has ended. */
async function traced(of: Run): Promise<{ root: Segment; stages: Segment[] }> {
  const segments = await eventually(`the trace of ${of.key}`, async () => {
    const { Traces: [trace] = [] } = await xray.batchGetTraces({ TraceIds: [traceIdOf(of)] })
    const found = trace?.Segments?.map(({ Document = '' }) => SegmentDocument.parse(JSON.parse(Document)) as Segment)
    return found?.some(({ parent_id }) => parent_id === undefined) ? found : undefined
  })
  const roots = segments.filter(({ parent_id }) => parent_id === undefined)
  const stages = segments.filter(({ parent_id }) => parent_id !== undefined)
  expect(roots).toHaveLength(1)
  const root = roots[0] ?? expect.fail('no root')
  expect(stages.map(({ parent_id }) => parent_id)).toEqual(stages.map(() => root.id))
  return { root, stages: stages.sort((a, b) => a.start_time - b.start_time) }
}

/** Traces of which X-Ray finds that this holds. */
async function found(FilterExpression: string): Promise<(string | undefined)[]> {
  const { TraceSummaries = [] } = await xray.getTraceSummaries({
    StartTime: began,
    EndTime: new Date(),
    FilterExpression,
  })
  return TraceSummaries.map(({ Id }) => Id)
}

const partsOf = (stages: Segment[], ...names: string[]) =>
  stages.flatMap((stage) => (stage.subsegments ?? []).filter(({ name }) => names.includes(name)))

async function jobRun(part: Subsegment | undefined, JobName: string): Promise<JobRun> {
  const RunId = String(part?.metadata?.landfall.jobRunId)
  return (await glue.send(new GetJobRunCommand({ JobName, RunId }))).JobRun ?? expect.fail(`no job run ${RunId}`)
}

describe.sequential(`the trace of ${file}`, () => {
  it('is one, with the four stages, two job runs and the crawl in order', async () => {
    const { root, stages } = await traced(run)
    expect(stages.map(({ name }) => name)).toEqual(['unzip', 'convert', 'partition', 'catalog'])
    const [convert, partition, crawl, ...more] = partsOf(stages, 'job', 'crawl')
    expect(more).toEqual([])
    if (!convert || !partition || !crawl) return expect.fail('a job or the crawl is missing')
    expect([convert.name, partition.name, crawl.name]).toEqual(['job', 'job', 'crawl'])
    expect(end(convert)).toBeLessThanOrEqual(partition.start_time)
    expect(end(partition)).toBeLessThanOrEqual(crawl.start_time)
    expect(end(crawl)).toBeLessThanOrEqual(end(root))
    for (const part of [convert, partition, crawl]) expect(end(part)).toBeGreaterThan(part.start_time)
    const { outputs } = await denials(chain)
    for (const [part, job] of [
      [convert, 'ConvertJob'],
      [partition, 'PartitionJob'],
    ] as const) {
      const { StartedOn, CompletedOn } = await jobRun(part, outputs.get(job) ?? expect.fail(`no ${job}`))
      expect(part.start_time).toBeCloseTo((StartedOn?.getTime() ?? 0) / 1000, 2)
      expect(end(part)).toBeCloseTo((CompletedOn?.getTime() ?? 0) / 1000, 2)
    }
  })

  it('covers at least 95 % of the run, from the landing of the zip until its rows could be queried', async () => {
    const { root, stages } = await traced(run)
    expect(root.start_time).toBe(Date.parse(zip.landedAt) / 1000)
    expect(end(root)).toBe(Date.parse(run.endedAt ?? '') / 1000)
    const whole = end(root) - root.start_time
    expect(covered(root, stages) / whole).toBeGreaterThanOrEqual(0.95)
    expect(
      covered(
        root,
        stages.flatMap(({ subsegments = [] }) => subsegments),
      ) / whole,
    ).toBeGreaterThanOrEqual(0.95)
  })

  it('says what became of it, and is found by that; the trace of its zip is tied to it', async () => {
    const { root } = await traced(run)
    expect(root.annotations).toMatchObject({
      dataset: 'sales',
      sourceId: run.sourceId,
      runId: run.runId,
      state: 'delivered',
      rowsIn: 5000,
      accepted: 4999,
      rejected: 1,
      cause: 'live',
      replay: false,
    })
    const ofZip = await traced(zip)
    expect(ofZip.stages.map(({ name }) => name)).toEqual(['unzip'])
    expect((await found(`annotation.zipRunId = "${zip.runId}"`)).sort()).toEqual(
      [traceIdOf(run), traceIdOf(zip)].sort(),
    )
  })

  it("is found with the functions' own traces, which have the run's id, their steps and their calls", async () => {
    const traces = await eventually("the functions' traces", async () => {
      const ids = (await found(`annotation.runId = "${run.runId}"`)).filter((id) => id !== traceIdOf(run))
      return ids.length >= 3 ? ids : undefined
    })
    const steps = await eventually('their steps', async () => {
      const { Traces = [] } = await xray.batchGetTraces({ TraceIds: traces.slice(0, 5).map((id) => id ?? '') })
      const names = Traces.flatMap(({ Segments = [] }) =>
        Segments.flatMap(({ Document = '' }) => [...Document.matchAll(/"name": ?"([^"]+)"/g)].map(([, name]) => name)),
      )
      return names.filter((name) => name === 'publish').length >= 2 ? new Set(names) : undefined
    })
    expect([...steps]).toEqual(expect.arrayContaining(['event', 'settle', 'publish', 'dispatch', 'DynamoDB', 'Glue']))
  })
})

describe('the logs of the functions', () => {
  it('say of each stage which run it was about, and nothing of what is in the file', async () => {
    const lines = await eventually('the end of the run', async () => {
      const log = await readFile(join(stateDir, 'logs', 'test-trace', 'runtime.log'), 'utf8')
      const found = log.split('\n').filter((line) => line.startsWith('{"level"'))
      return found.some((line) => line.includes('A run ended') && line.includes(run.runId)) ? found : undefined
    })
    const mine = lines.map((line) => JSON.parse(line)).filter(({ runId }) => runId === run.runId)
    expect([...new Set(mine.map(({ service }) => service))].sort()).toEqual(['catalog', 'convert', 'partition'])
    expect(mine.find(({ message }) => message === 'A run ended')).toMatchObject({
      service: 'catalog',
      level: 'INFO',
      dataset: 'sales',
      sourceId: run.sourceId,
      state: 'delivered',
      cause: 'live',
      xray_trace_id: expect.stringMatching(/^1-/),
    })
    const [reject] = run.examples ?? []
    const values = [reject?.value, 'Cote d', 'Baby Food'].map((value) => value ?? expect.fail('no example of a reject'))
    for (const line of lines) for (const value of values) expect(line).not.toContain(value)
  })
})

describe.sequential('what does not go as usual', () => {
  it('a replay has a trace of its own, which names the run that it repeats', async () => {
    const name = await startReplay(
      chain.landfall,
      await planReplay(chain.landfall, { stage: 'partition', from: began }),
    )
    const { runs } = await followReplay(chain.landfall, name, { signal: AbortSignal.timeout(90_000) })
    const again = runs[0] ?? expect.fail('the replay has no run')
    const { root, stages } = await traced(again)
    expect(root.trace_id).not.toBe(traceIdOf(run))
    expect(root.annotations).toMatchObject({ runId: again.runId, replay: true, cause: name, original: run.runId })
    expect(stages.map(({ name }) => name)).toEqual(['partition', 'catalog'].slice(0, stages.length))
    expect(root.start_time).toBeGreaterThanOrEqual(end((await traced(run)).root))
    const whole = end(root) - root.start_time
    expect(covered(root, stages) / whole).toBeGreaterThanOrEqual(0.95)
    expect(await found(`annotation.original = "${run.runId}"`)).toContain(traceIdOf(again))
  }, 120_000)

  it('a job that fails is a fault, with its cause, on its job, its stage and the whole', async () => {
    const { without } = await denials(chain)
    const path = await chain.csv('unwritten.csv', await sales({ rows: 10, seed: 2, countries: 2 }))
    const [failed] = await without('s3:PutObject', ['PartitionGlue'], () => chain.landed(path))
    if (!failed) return expect.fail('no run')
    expect(failed).toMatchObject({ state: 'failed', problem: { code: 'partition_job_failed' } })
    const { root, stages } = await traced(failed)
    expect(stages.map(({ name, fault }) => [name, fault])).toEqual([
      ['convert', undefined],
      ['partition', true],
    ])
    const { cause } = stages[1] ?? expect.fail('no stage')
    expect(cause).toMatchObject({
      exceptions: [
        { type: 'partition_job_failed', message: expect.stringMatching(/the last time alone: [\s\S]*s3:PutObject/) },
      ],
    })
    expect(partsOf(stages.slice(1), 'job')).toMatchObject([{ fault: true, cause: root.cause }])
    expect(root).toMatchObject({ fault: true, annotations: { state: 'failed' } })
    expect(await found(`fault AND annotation.runId = "${failed.runId}"`)).toContain(traceIdOf(failed))
  }, 120_000)
})
