import { describe, expect, it } from 'vitest'
import { runIdOf } from '../../../services/ledger/ids.ts'
import type { Run } from '../../../services/ledger/run.ts'
import { isSampled, traceIdOf } from '../../../services/trace/ids.ts'
import { type Segment, type Subsegment, traceOf } from '../../../services/trace/segments.ts'
import { MOST_BYTES, SegmentDocument } from './document.ts'

/** Seconds after 2026-01-01T00:00:00Z. */
const t = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString()
const landed = { bucket: 'raw', versionId: 'v1', etag: 'e', bytes: 10 }
const zipKey = 'landing/sales/x.zip'
const key = 'data/sales/x~1/a.csv'

const zip: Run = {
  ...landed,
  kind: 'zip',
  key: zipKey,
  dataset: 'sales',
  sourceId: 'x-1',
  runId: runIdOf(zipKey, 'v1', 'live'),
  cause: 'live',
  seq: 1,
  landedAt: t(0),
  registeredAt: t(1),
  state: 'extracted',
  endedAt: t(3),
  members: [{ name: 'a.csv', key, sourceId: 'a-1', bytes: 30, versionId: 'v1' }],
  spanUnzip: { queuedAt: t(0), startedAt: t(1), endedAt: t(3) },
}

const run: Run = {
  ...landed,
  kind: 'csv',
  key,
  dataset: 'sales',
  sourceId: 'a-1',
  runId: runIdOf(key, 'v1', 'live'),
  cause: 'live',
  seq: 1,
  landedAt: t(2.5),
  registeredAt: t(4),
  state: 'delivered',
  endedAt: t(30),
  rowsIn: 5,
  accepted: 4,
  rejected: 1,
  zip: { key: zipKey, runId: zip.runId },
  convertBatch: 'sales~1',
  partitionBatch: 'sales~2',
  spanConvert: {
    queuedAt: t(4),
    startedAt: t(5),
    jobStartedAt: t(6),
    workStartedAt: t(8),
    workEndedAt: t(10),
    jobEndedAt: t(11),
    endedAt: t(12),
    jobRunId: 'jr_1',
  },
  spanPartition: {
    queuedAt: t(13),
    startedAt: t(14),
    jobStartedAt: t(15),
    workStartedAt: t(16),
    workEndedAt: t(18),
    jobEndedAt: t(19),
    endedAt: t(21),
    jobRunId: 'jr_2',
  },
  spanCatalog: { queuedAt: t(21), startedAt: t(22), jobEndedAt: t(29), endedAt: t(30) },
}

/** `convert/job 6-11`: each segment and part with its seconds. */
const waterfall = (trace: Segment[]): string[] => {
  const line = (place: string, { start_time, end_time }: Subsegment): string => {
    const second = (time?: number) =>
      time === undefined ? '' : Math.round((time - Date.UTC(2026, 0, 1) / 1000) * 1000) / 1000
    return `${place} ${second(start_time)}-${second(end_time)}`
  }
  const lines = (above: string, each: Subsegment): string[] => [
    line(`${above}${each.name}`, each),
    ...(each.subsegments ?? []).flatMap((inner) => lines(`${above}${each.name}/`, inner)),
  ]
  return trace.flatMap((segment) => lines('', segment))
}
const named = (trace: Segment[], name: string) => trace.find((each) => each.name === name) ?? expect.fail(`no ${name}`)
const partOf = (trace: Segment[], stage: string, part: string) =>
  named(trace, stage).subsegments?.find(({ name }) => name === part)

describe('the trace of a member of a zip', () => {
  it('is its journey from the landing of the zip until it is queryable, stage by stage', () => {
    expect(waterfall(traceOf(run, zip))).toEqual([
      'landfall sales 0-30',
      'unzip 0-3',
      'unzip/waiting 0-1',
      'unzip/working 1-3',
      'convert 2.5-12',
      'convert/arriving 2.5-4',
      'convert/waiting 4-5',
      'convert/starting 5-8',
      'convert/job 6-11',
      'convert/job/working 8-10',
      'convert/publishing 11-12',
      'partition 12-21',
      'partition/arriving 12-13',
      'partition/waiting 13-14',
      'partition/starting 14-16',
      'partition/job 15-19',
      'partition/job/working 16-18',
      'partition/publishing 19-21',
      'catalog 21-30',
      'catalog/waiting 21-22',
      'catalog/crawl 22-29',
      'catalog/comparing 29-30',
    ])
  })

  it('says on its root what one searches for, and on its jobs which run of Glue they were', () => {
    const trace = traceOf(run, zip)
    expect(trace[0]?.annotations).toEqual({
      dataset: 'sales',
      sourceId: 'a-1',
      runId: run.runId,
      state: 'delivered',
      rowsIn: 5,
      accepted: 4,
      rejected: 1,
      cause: 'live',
      replay: false,
      contractVersion: 1,
      zipRunId: zip.runId,
      zip: zipKey,
    })
    expect(trace[0]?.metadata?.landfall).toMatchObject({ key, versionId: 'v1' })
    expect(partOf(trace, 'partition', 'job')).toMatchObject({
      namespace: 'remote',
      metadata: { landfall: { jobRunId: 'jr_2', batch: 'sales~2' } },
    })
    expect(partOf(trace, 'catalog', 'crawl')).toMatchObject({ namespace: 'remote' })
  })

  it('has no unzip stage where the key has landed by itself since', () => {
    const since = { ...run, versionId: 'v2' }
    const trace = traceOf(since, zip)
    expect(waterfall(trace)[0]).toBe('landfall sales 2.5-30')
    expect(trace.map(({ name }) => name)).toEqual(['landfall sales', 'convert', 'partition', 'catalog'])
    expect(trace[0]?.annotations).not.toHaveProperty('zipRunId')
  })

  it('is tied to that of its zip, which is of the zip alone', () => {
    const trace = traceOf(zip)
    expect(waterfall(trace)).toEqual(['landfall sales 0-3', 'unzip 0-3', 'unzip/waiting 0-1', 'unzip/working 1-3'])
    expect(trace[0]?.annotations).toMatchObject({ zipRunId: zip.runId, zip: zipKey, members: 1 })
    expect(traceIdOf(zip)).not.toBe(traceIdOf(run))
  })
})

describe('what is done again', () => {
  it('has a trace of its own, that begins when it is taken up and names its original', () => {
    const again: Run = {
      ...run,
      cause: 'partition-1',
      runId: runIdOf(key, 'v1', 'partition-1'),
      registeredAt: t(100),
      endedAt: t(110),
      typedBy: { runId: run.runId, seq: 1 },
      spanConvert: undefined,
      spanPartition: { queuedAt: t(100), startedAt: t(101), jobStartedAt: t(102), jobEndedAt: t(105), endedAt: t(106) },
      spanCatalog: { queuedAt: t(106), endedAt: t(110) },
    }
    const trace = traceOf(again, zip)
    expect(waterfall(trace)).toEqual([
      'landfall sales 100-110',
      'partition 100-106',
      'partition/waiting 100-101',
      'partition/starting 101-102',
      'partition/job 102-105',
      'partition/publishing 105-106',
      'catalog 106-110',
      'catalog/waiting 106-110',
    ])
    expect(trace[0]?.annotations).toMatchObject({ cause: 'partition-1', replay: true, original: run.runId })
    expect(trace[0]?.annotations).toMatchObject({ zipRunId: zip.runId })
    expect(trace[0]?.trace_id).not.toBe(traceIdOf(run))
  })

  it('of a zip is told by its members, too, which land again as they come out of it', () => {
    const [zipAgain, memberAgain] = [
      { ...zip, runId: 'z2', cause: 'unzip-1', registeredAt: t(1) },
      { ...run, zip: { key: zipKey, runId: 'z2' } },
    ]
    expect(traceOf(zipAgain)[0]?.annotations).toMatchObject({ cause: 'unzip-1', replay: true, original: zip.runId })
    const trace = traceOf(memberAgain, zipAgain)
    expect(trace[0]?.annotations).toMatchObject({ cause: 'unzip-1', replay: true })
    expect(trace[0]?.annotations).not.toHaveProperty('original')
  })

  it('after its cause was mended replaces the trace that said it had failed', () => {
    const problem = { code: 'catalog_refused', message: 'No right.' }
    const failed = traceOf({ ...run, state: 'failed', problem, endedAt: t(25), spanCatalog: { queuedAt: t(21) } }, zip)
    const ids = (trace: Segment[]) => trace.map(({ trace_id, id }) => `${trace_id} ${id}`)
    expect(ids(failed)).toEqual(ids(traceOf(run, zip)))
  })
})

describe('a run that did not go well', () => {
  const problem = { code: 'partition_job_failed', message: 'The partition job failed, twice: no memory.' }

  it('is a fault with its cause where it ended: on its stage, on the job that failed, and on the root', () => {
    const { queuedAt, startedAt, jobStartedAt, jobEndedAt, jobRunId } = run.spanPartition ?? expect.fail('no span')
    const spanPartition = { queuedAt, startedAt, jobStartedAt, jobEndedAt, jobRunId }
    const trace = traceOf(
      { ...run, state: 'failed', problem, endedAt: t(21), spanPartition, spanCatalog: undefined },
      zip,
    )
    const stage = named(trace, 'partition')
    const id = expect.stringMatching(/^[0-9a-f]{16}$/)
    expect(stage).toMatchObject({
      fault: true,
      cause: { exceptions: [{ id, type: 'partition_job_failed', message: problem.message }] },
    })
    const exception = typeof stage.cause === 'object' ? stage.cause.exceptions[0]?.id : undefined
    expect(trace[0]).toMatchObject({ fault: true, cause: exception })
    expect(partOf(trace, 'partition', 'job')).toMatchObject({ fault: true, cause: exception })
    expect(named(trace, 'convert')).not.toHaveProperty('fault')
    expect(waterfall(trace).slice(-4)).toEqual([
      'partition/waiting 13-14',
      'partition/starting 14-15',
      'partition/job 15-19',
      'partition/settling 19-21',
    ])
  })

  it('is an error where the file was refused, and neither where another took its place', () => {
    const short: Run = { ...run, zip: undefined, endedAt: t(12), spanPartition: undefined, spanCatalog: undefined }
    const refused = traceOf({ ...short, state: 'refused', problem: { code: 'header_mismatch', message: 'No.' } })
    expect(named(refused, 'convert')).toMatchObject({
      error: true,
      cause: { exceptions: [{ type: 'header_mismatch' }] },
    })
    expect(named(refused, 'convert')).not.toHaveProperty('fault')
    const superseded = traceOf({ ...short, state: 'superseded', problem: { code: 'superseded', message: 'Newer.' } })
    for (const segment of superseded)
      for (const flag of ['fault', 'error', 'cause']) expect(segment).not.toHaveProperty(flag)
    expect(superseded[0]?.annotations).toMatchObject({ state: 'superseded', problem: 'superseded' })
  })

  it('superseded on its way to partition has a stage that says it was on its way', () => {
    const gone = {
      ...run,
      parts: 1,
      state: 'superseded',
      endedAt: t(20),
      spanPartition: undefined,
      spanCatalog: undefined,
    } as const
    expect(waterfall(traceOf(gone, zip)).slice(-2)).toEqual(['partition 12-20', 'partition/arriving 12-20'])
  })

  it('stays within the limits, whatever its problem and its key are', () => {
    // S3 takes keys of 1,024 bytes; a message has what Glue or a job said, and JSON writes one such character as six.
    const key = `data/€${'𝒳'.repeat(250)}/a.csv`
    const problem = { code: 'x', message: '\u0001'.repeat(100_000) }
    const worst: Run = { ...run, key, dataset: key.split('/')[1] ?? '', state: 'failed', problem }
    for (const segment of traceOf(worst)) {
      SegmentDocument.parse(JSON.parse(JSON.stringify(segment)))
      expect(Buffer.byteLength(JSON.stringify(segment))).toBeLessThan(MOST_BYTES)
    }
  })
})

describe('clocks that differ', () => {
  it("cannot turn time round: Glue's instants are moved between ours, and named", () => {
    const span = { ...run.spanConvert, queuedAt: t(4), jobStartedAt: t(4.5), jobEndedAt: t(12.5) }
    const trace = traceOf({ ...run, spanConvert: span }, zip)
    expect(waterfall(trace)).toContain('convert/job 5-12')
    expect(named(trace, 'convert').metadata?.landfall).toMatchObject({ clamped: ['jobStartedAt', 'jobEndedAt'] })
    expect(traceOf(run, zip).some(({ metadata }) => 'clamped' in (metadata?.landfall ?? {}))).toBe(false)
  })

  it("cannot let a file land after it was registered, as S3's may say", () => {
    const trace = traceOf({ ...run, zip: undefined, landedAt: t(4.2) })
    expect(waterfall(trace).slice(0, 3)).toEqual(['landfall sales 4-30', 'convert 4-12', 'convert/waiting 4-5'])
    expect(trace[0]?.metadata?.landfall).toMatchObject({ clamped: ['landedAt'] })
  })
})

it('a run that has not ended is in progress, as is the part that it is in', () => {
  const trace = traceOf({ ...run, state: 'published', endedAt: undefined, spanCatalog: { queuedAt: t(21) } }, zip)
  expect(waterfall(trace).filter((line) => line.endsWith('-'))).toEqual([
    'landfall sales 0-',
    'catalog 21-',
    'catalog/waiting 21-',
  ])
  expect(trace[0]).toMatchObject({ in_progress: true })
  for (const segment of trace) SegmentDocument.parse(JSON.parse(JSON.stringify(segment)))
})

it('a share of the runs is sampled, always the same ones', () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => runIdOf('data/sales/a.csv', `v${i}`, 'live'))
  const share = (of: number) => ids.filter((id) => isSampled(id, of))
  expect(share(1)).toHaveLength(10_000)
  expect(share(0)).toEqual([])
  expect(share(0.1).length / 10_000).toBeCloseTo(0.1, 1)
  expect(share(0.5)).toEqual(expect.arrayContaining(share(0.1)))
})
