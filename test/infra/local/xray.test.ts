import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { XRay } from '@aws-sdk/client-xray'
import { afterAll, describe, expect, it } from 'vitest'
import { projectRoot } from '../../../infra/local/paths.ts'
import { clientConfig } from '../../../infra/local/runtime.ts'
import { createStack, eventually, functionOf, invoke, startLocal, userWith } from './support.ts'

const local = await startLocal()
afterAll(() => local.stop())
const xray = new XRay(clientConfig(local.endpoint))

const now = Math.floor(Date.now() / 1000)
let ids = 0
const hex = (length: number) => (++ids).toString(16).padStart(length, '0')
const newTrace = () => `1-${now.toString(16).padStart(8, '0')}-${hex(24)}`
const segment = (trace_id: string, more: object = {}) => ({
  name: 'convert',
  id: hex(16),
  trace_id,
  start_time: now - 10,
  end_time: now - 8.5,
  ...more,
})
async function put(...documents: object[]) {
  const TraceSegmentDocuments = documents.map((document) => JSON.stringify(document))
  return (await xray.putTraceSegments({ TraceSegmentDocuments })).UnprocessedTraceSegments
}
async function get(id: string) {
  const { Traces: [trace] = [] } = await xray.batchGetTraces({ TraceIds: [id] })
  return trace && { ...trace, documents: trace.Segments?.map(({ Document = '' }) => JSON.parse(Document)) ?? [] }
}
const range = { StartTime: new Date((now - 60) * 1000), EndTime: new Date((now + 60) * 1000) }
async function found(FilterExpression: string) {
  const { TraceSummaries = [] } = await xray.getTraceSummaries({ ...range, FilterExpression })
  return TraceSummaries.map(({ Id }) => Id)
}

describe('PutTraceSegments', () => {
  const refusals: [what: string, change: object, code: string][] = [
    ['no name', { name: undefined }, 'MissingName'],
    ['a name with a tilde', { name: 'a~b' }, 'InvalidName'],
    ['a name of 201 letters', { name: 'a'.repeat(201) }, 'InvalidName'],
    ['no id', { id: undefined }, 'MissingId'],
    ['an id of 15 digits', { id: '0'.repeat(15) }, 'InvalidId'],
    ['no trace id', { trace_id: undefined }, 'MissingTraceId'],
    ['a trace id of another form', { trace_id: '1-0-0' }, 'InvalidTraceId'],
    ['no start', { start_time: undefined }, 'MissingStartTime'],
    ['a start in words', { start_time: 'now' }, 'InvalidStartTime'],
    ['a start 31 days ago', { start_time: now - 31 * 24 * 3600 }, 'InvalidStartTime'],
    ['neither end nor in_progress', { end_time: undefined }, 'MissingEndTime'],
    ['a subsegment alone without a parent', { type: 'subsegment' }, 'MissingParentId'],
    ['a subsegment inside without an id', { subsegments: [{ name: 'a', start_time: 1, end_time: 2 }] }, 'MissingId'],
    ['more than 64 KiB', { metadata: { text: 'x'.repeat(65_536) } }, 'InvalidSegment'],
  ]
  it.each(refusals)('gives back a document with %s, and takes the others', async (_, change, ErrorCode) => {
    const trace = newTrace()
    const good = segment(trace)
    const bad = segment(trace, change)
    const Message = expect.stringMatching(ErrorCode === 'InvalidSegment' ? /65536 bytes/ : ErrorCode)
    const Id = 'id' in change && change.id === undefined ? undefined : bad.id
    const sub = 'subsegments' in change
    expect(await put(good, bad)).toEqual([{ ...(Id && !sub ? { Id } : {}), ErrorCode, Message }])
    expect((await get(trace))?.documents).toEqual([good])
  })

  it('gives back what is not JSON', async () => {
    const { UnprocessedTraceSegments } = await xray.putTraceSegments({ TraceSegmentDocuments: ['{'] })
    expect(UnprocessedTraceSegments).toEqual([
      { ErrorCode: 'ParseError', Message: expect.stringContaining('not JSON') },
    ])
  })

  it('refuses more than 50 documents', async () => {
    const documents = Array.from({ length: 51 }, () => segment(newTrace()))
    await expect(put(...documents)).rejects.toThrow('may have 50 documents, found 51')
  })

  it('lets a complete segment take the place of the one in progress', async () => {
    const trace = newTrace()
    const begun = segment(trace, { end_time: undefined, in_progress: true })
    await put(begun)
    expect(await found('partial')).toContain(trace)
    const ended = { ...begun, in_progress: undefined, end_time: now - 9 }
    await put(ended)
    expect(await found('partial')).not.toContain(trace)
    expect(await get(trace)).toMatchObject({ Duration: 1, documents: [{ id: begun.id, end_time: now - 9 }] })
  })

  it('says when a trace has become too large', async () => {
    const trace = newTrace()
    const large = Array.from({ length: 9 }, () => segment(trace, { metadata: { text: 'x'.repeat(60_000) } }))
    expect(await put(...large)).toMatchObject([{ Message: expect.stringContaining('Trace Size Exceeded') }])
    expect((await get(trace))?.LimitExceeded).toBe(true)
  })
})

describe('BatchGetTraces', () => {
  it('puts subsegments that were sent alone into their parents, in whatever order they come', async () => {
    const trace = newTrace()
    const parent = segment(trace)
    const child = segment(trace, { name: 'S3', type: 'subsegment', parent_id: parent.id, namespace: 'aws' })
    const grandchild = segment(trace, { name: 'dns', type: 'subsegment', parent_id: child.id })
    const orphan = segment(trace, { name: 'lost', type: 'subsegment', parent_id: 'f'.repeat(16) })
    await put(grandchild, child, orphan, parent)
    const documents = (await get(trace))?.documents ?? []
    expect(documents.map(({ name }) => name)).toEqual(['lost', 'convert'])
    const { id, name, start_time, end_time } = child
    const inside = { id, name, start_time, end_time, namespace: 'aws' }
    expect(documents[1].subsegments).toEqual([{ ...inside, subsegments: [expect.objectContaining({ name: 'dns' })] }])
  })

  it('names the traces that it does not have, and takes five at most', async () => {
    const trace = newTrace()
    await put(segment(trace))
    const none = newTrace()
    const { Traces, UnprocessedTraceIds } = await xray.batchGetTraces({ TraceIds: [trace, none] })
    expect(Traces?.map(({ Id }) => Id)).toEqual([trace])
    expect(UnprocessedTraceIds).toEqual([none])
    const six = Array.from({ length: 6 }, newTrace)
    await expect(xray.batchGetTraces({ TraceIds: six })).rejects.toThrow('1 to 5 ids')
  })
})

describe('GetTraceSummaries', () => {
  const trace = newTrace()
  const other = newTrace()
  const root = segment(trace, {
    name: 'landfall',
    fault: true,
    annotations: { runId: 'run "1"', rows: 5000, replayed: false, 'not-indexed': 'x' },
    subsegments: [{ name: 'DynamoDB', id: hex(16), start_time: now - 10, end_time: now - 9, namespace: 'aws' }],
  })
  const stage = segment(trace, { name: 'stage', parent_id: root.id, error: true, annotations: { state: 'failed' } })

  it.each<[string, boolean]>([
    [String.raw`annotation.runId = "run \"1\""`, true],
    ['annotation.runId = "run"', false],
    ['annotation[rows] > 4999', true],
    ['annotation.rows > 5000', false],
    ['annotation.rows = "5000"', false],
    ['annotation.replayed = false', true],
    ['annotation.runId BEGINSWITH "run"', true],
    ['annotation.state = "failed" AND fault', true],
    ['annotation.state = "failed" and !fault', false],
    ['annotation.state = "failed" AND (ok OR duration >= 1.5)', true],
    ['duration > 1.5', false],
    ['error', false],
    ['service("stage") { error }', true],
    ['service("stage") { fault }', false],
    ['service("DynamoDB")', true],
    ['service("S3")', false],
  ])('looks for %s', async (expression, matches) => {
    await put(root, stage, segment(other))
    const traces = await found(`annotation.runId BEGINSWITH "run" OR ok`)
    expect(traces).toEqual(expect.arrayContaining([trace, other]))
    expect((await found(expression)).includes(trace)).toBe(matches)
  })

  it('sums a trace up', async () => {
    await put(root, stage)
    const { TraceSummaries = [] } = await xray.getTraceSummaries({ ...range, FilterExpression: 'fault' })
    expect(TraceSummaries.find(({ Id }) => Id === trace)).toMatchObject({
      StartTime: new Date((now - 10) * 1000),
      Duration: 1.5,
      ResponseTime: 1.5,
      HasFault: true,
      HasError: false,
      IsPartial: false,
      EntryPoint: { Name: 'landfall' },
      Annotations: {
        rows: [{ AnnotationValue: { NumberValue: 5000 }, ServiceIds: [{ Name: 'landfall' }] }],
        state: [{ AnnotationValue: { StringValue: 'failed' }, ServiceIds: [{ Name: 'stage' }] }],
      },
    })
    const { Annotations } = TraceSummaries.find(({ Id }) => Id === trace) ?? {}
    expect(Annotations).not.toHaveProperty('not-indexed')
  })

  it('refuses an expression that it cannot read, and one that it does not know', async () => {
    await expect(found('fault AND')).rejects.toThrow(/expected annotation, service, .*, found its end/)
    await expect(found('http.url = "x"')).rejects.toThrow('found http')
  })

  it('goes through many by pages, and only through those of the time', async () => {
    const annotations = { many: true }
    const start_time = now - 7200
    const old = Array.from({ length: 130 }, () =>
      segment(newTrace(), { start_time, end_time: now - 7199, annotations }),
    )
    for (let at = 0; at < old.length; at += 50) await put(...old.slice(at, at + 50))
    const FilterExpression = 'annotation.many = true'
    expect(await found(FilterExpression)).toEqual([])
    const hours = { StartTime: new Date((now - 7300) * 1000), EndTime: new Date((now - 7100) * 1000) }
    const first = await xray.getTraceSummaries({ ...hours, FilterExpression })
    const second = await xray.getTraceSummaries({ ...hours, FilterExpression, NextToken: first.NextToken })
    expect(second.NextToken).toBeUndefined()
    const both = [...(first.TraceSummaries ?? []), ...(second.TraceSummaries ?? [])].map(({ Id }) => Id)
    expect(both).toEqual(old.map(({ trace_id }) => trace_id))
  })
})

describe('rights', () => {
  it('are those of each action', async () => {
    const may = [{ Effect: 'Allow', Action: 'xray:PutTraceSegments', Resource: '*' }]
    const credentials = await userWith(local.endpoint, 'sender', may)
    const user = new XRay({ ...clientConfig(local.endpoint), credentials })
    const TraceSegmentDocuments = [JSON.stringify(segment(newTrace()))]
    expect((await user.putTraceSegments({ TraceSegmentDocuments })).UnprocessedTraceSegments).toEqual([])
    const denied = { name: 'AccessDeniedException', message: expect.stringContaining('xray:BatchGetTraces') }
    await expect(user.batchGetTraces({ TraceIds: [newTrace()] })).rejects.toMatchObject(denied)
    await expect(user.getTraceSummaries(range)).rejects.toThrow('xray:GetTraceSummaries')
  })
})

describe("the daemon's port", () => {
  it('takes a packet from a function, and hears the next after a bad one', async () => {
    const code = `exports.handler = async () => ({ address: process.env.AWS_XRAY_DAEMON_ADDRESS })`
    await createStack(local, 'reporter', functionOf('reporter', code), {})
    const { address } = await invoke(local.endpoint, 'reporter')
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
    const [host, port] = address.split(':')
    const socket = createSocket('udp4')
    const send = (text: string) =>
      new Promise<void>((resolve, reject) =>
        socket.send(text, Number(port), host, (error) => (error ? reject(error) : resolve())),
      )
    const trace = newTrace()
    await send('not a header')
    await send('{"format": "json", "version": 1}\n{"name": "nameless"}')
    await send(`{"format": "json", "version": 1}\n${JSON.stringify(segment(trace))}`)
    socket.close()
    expect((await eventually('the trace', () => get(trace))).documents).toHaveLength(1)
    expect(readFileSync(local.logFile, 'utf8')).toMatch(/does not begin with[\s\S]*Unprocessed segment None: MissingId/)
  })

  it("takes what Powertools' tracer sends from within a function, each call in a trace of its own", async () => {
    const code = `
      const { Tracer } = require(${JSON.stringify(join(projectRoot, 'node_modules/@aws-lambda-powertools/tracer'))})
      const tracer = new Tracer({ serviceName: 'traced' })
      exports.handler = async () => {
        const segment = tracer.getSegment()
        const handler = segment.addNewSubsegment('## index.handler')
        tracer.setSegment(handler)
        tracer.putAnnotation('runId', 'the run')
        handler.addNewSubsegment('### publish').close()
        handler.close()
        tracer.setSegment(segment)
        return { trace: process.env._X_AMZN_TRACE_ID }
      }`
    await createStack(local, 'traced', functionOf('traced', code), {})
    const calls = [await invoke(local.endpoint, 'traced'), await invoke(local.endpoint, 'traced')]
    const traces = calls.map(({ trace }) => /Root=([^;]+)/.exec(trace)?.[1] ?? '')
    expect(new Set(traces).size).toBe(2)
    for (const [at, trace] of traces.entries()) {
      const { documents } = await eventually(`trace ${trace}`, async () => {
        const seen = await get(trace)
        return JSON.stringify(seen?.documents ?? '').includes('### publish') ? seen : undefined
      })
      expect(documents).toMatchObject([
        { name: '## index.handler', annotations: { runId: 'the run' }, subsegments: [{ name: '### publish' }] },
      ])
      expect(calls[at]?.trace).toContain(`Parent=${documents[0].parent_id}`)
    }
    expect(await found('annotation.runId = "the run"')).toEqual(expect.arrayContaining(traces))
  })
})

it('has one sampling rule, the default of AWS', async () => {
  const { SamplingRuleRecords = [] } = await xray.getSamplingRules({})
  expect(SamplingRuleRecords).toMatchObject([
    { SamplingRule: { RuleName: 'Default', FixedRate: 0.05, ReservoirSize: 1 } },
  ])
  const counted = { ClientID: hex(24), Timestamp: new Date(), RequestCount: 1, SampledCount: 1, BorrowCount: 0 }
  const SamplingStatisticsDocuments = [{ RuleName: 'Default', ...counted }]
  const { SamplingTargetDocuments } = await xray.getSamplingTargets({ SamplingStatisticsDocuments })
  expect(SamplingTargetDocuments).toMatchObject([{ RuleName: 'Default', FixedRate: 0.05 }])
})

// The last, for it drives out what the others have sent.
it('keeps the newest 2,000 traces', async () => {
  const traces = Array.from({ length: 2050 }, newTrace)
  for (let at = 0; at < traces.length; at += 50) await put(...traces.slice(at, at + 50).map((trace) => segment(trace)))
  const has = async (at: number) => (await get(traces[at] ?? '')) !== undefined
  expect([await has(0), await has(49), await has(50), await has(2049)]).toEqual([false, false, true, true])
})
