import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createRole, eventually, listen, processesNaming, startLocal } from './support.ts'

const local = await startLocal({ LANDFALL_GLUE_SLOT_LAG: '1.5', LANDFALL_SAYS: 'hello' })
afterAll(() => local.stop())
const { glue, s3 } = local

const Bucket = 'jobs'
await s3.createBucket({ Bucket })
const Role = await createRole(local, Bucket, 'glue.amazonaws.com')
const events = await listen(local, 'job-events', { source: ['aws.glue'], 'detail-type': ['Glue Job State Change'] })

const Script = `file://${join(import.meta.dirname, 'fixtures/job.mjs')}`
async function job(Name: string, options: { ScriptLocation?: string; MaxConcurrentRuns?: number } = {}) {
  const { ScriptLocation = Script, MaxConcurrentRuns = 1 } = options
  await glue.createJob({
    Name,
    Role,
    Command: { Name: 'glueetl', ScriptLocation },
    DefaultArguments: { '--bucket': Bucket, '--enable-metrics': 'true', '--TempDir': 's3://nowhere/' },
    ExecutionProperty: { MaxConcurrentRuns },
    WorkerType: 'G.1X',
    NumberOfWorkers: 10,
    Timeout: 60,
  })
  return Name
}
const start = async (JobName: string, Arguments: Record<string, string>, Timeout?: number) =>
  (await glue.startJobRun({ JobName, Arguments, Timeout })).JobRunId ?? ''
const state = async (JobName: string, RunId: string) => (await glue.getJobRun({ JobName, RunId })).JobRun
const running = (JobName: string, id: string) =>
  eventually('the run to run', async () => ((await state(JobName, id))?.JobRunState === 'RUNNING' ? true : undefined))

describe('a Glue run', () => {
  it('is a node process with the arguments of the job and of the run, and none that are meant for Glue', async () => {
    const JobName = await job('reports')
    const id = await start(JobName, { '--do': 'report', '--key': 'allowed/a.json', '--manifest': 's3://m/1.json' })
    expect(id).toMatch(/^jr_[0-9a-f]{64}$/)
    const { detail } = await events.next()
    expect(detail).toEqual({
      jobName: JobName,
      severity: 'INFO',
      state: 'SUCCEEDED',
      jobRunId: id,
      message: 'Job run succeeded',
    })
    const { Body } = await s3.getObject({ Bucket, Key: 'allowed/a.json' })
    const seen = JSON.parse((await Body?.transformToString()) ?? '')
    const given = ['--bucket', Bucket, '--do', 'report', '--key', 'allowed/a.json', '--manifest', 's3://m/1.json']
    expect(seen.argv).toEqual(given)
    expect(seen.env).toEqual(
      expect.arrayContaining(['AWS_ENDPOINT_URL', 'AWS_SESSION_TOKEN', 'LANDFALL_SAYS', 'PATH', 'TMPDIR']),
    )
    expect(seen.env).not.toContain('GATEWAY_PORT')
    const run = await state(JobName, id)
    expect(run?.Arguments).toEqual({ '--do': 'report', '--key': 'allowed/a.json', '--manifest': 's3://m/1.json' })
    expect(run).toMatchObject({ JobRunState: 'SUCCEEDED', ExecutionTime: expect.any(Number) })
    expect(run?.CompletedOn?.getTime()).toBeGreaterThanOrEqual(run?.StartedOn?.getTime() ?? Number.NaN)
  })

  it('logs its output beside the log of the runtime', () => {
    const logs = readdirSync(dirname(local.logFile)).filter((name) => name.startsWith('glue-reports-jr_'))
    expect(logs).toHaveLength(1)
    expect(readFileSync(join(dirname(local.logFile), logs[0] ?? ''), 'utf8')).toBe('a line on stdout\n')
  })

  it('is denied what the role of its job lacks', async () => {
    const JobName = await job('trespasses')
    const id = await start(JobName, { '--do': 'report', '--key': 'elsewhere/a.json' })
    expect((await events.next()).detail).toMatchObject({
      state: 'FAILED',
      severity: 'ERROR',
      message: expect.stringContaining('s3:PutObject'),
    })
    expect((await state(JobName, id))?.ErrorMessage).toContain('GlueJobRunnerSession')
  })

  it('fails with the last lines of its stderr', async () => {
    const JobName = await job('fails')
    const id = await start(JobName, { '--do': 'fail' })
    expect((await events.next()).detail).toMatchObject({ state: 'FAILED', message: 'the disk is full' })
    expect(await state(JobName, id)).toMatchObject({ JobRunState: 'FAILED', ErrorMessage: 'the disk is full' })
  })

  it.each([
    ['a script that is not there', 'file:///nowhere/job.mjs', "The job's file file:///nowhere/job.mjs does not exist."],
    ['a Spark job without a Python for it', 's3://jobs/job.py', 'LANDFALL_SPARK_PYTHON is not set'],
    ['a script in another language', Script.replace('.mjs', '.scala'), 'does not exist'],
  ])('fails in words for %s', async (name, ScriptLocation, message) => {
    await s3.putObject({ Bucket, Key: 'job.py', Body: 'print(1)' })
    await start(await job(name, { ScriptLocation }), {})
    expect((await events.next()).detail).toMatchObject({ state: 'FAILED', message: expect.stringContaining(message) })
  })

  it('holds a slot until a little after its end event', async () => {
    const JobName = await job('one at a time')
    const first = await start(JobName, { '--do': 'hang' })
    await expect(start(JobName, { '--do': 'fail' })).rejects.toMatchObject({
      name: 'ConcurrentRunsExceededException',
      $metadata: { httpStatusCode: 400 },
    })
    await running(JobName, first)
    await glue.batchStopJobRun({ JobName, JobRunIds: [first] })
    expect((await events.next()).detail).toMatchObject({ state: 'STOPPED', severity: 'INFO', jobRunId: first })
    await expect(start(JobName, { '--do': 'fail' })).rejects.toThrow('Concurrent runs exceeded')
    const second = await eventually('a free slot', () => start(JobName, { '--do': 'fail' }).catch(() => undefined))
    expect((await events.next()).detail).toMatchObject({ state: 'FAILED', jobRunId: second })
  })

  it('that is stopped leaves no process', async () => {
    const mark = `stop-me-${process.pid}`
    const JobName = await job('stops')
    const id = await start(JobName, { '--do': 'hang', '--mark': mark })
    await running(JobName, id)
    await eventually('the process', () => processesNaming(mark)[0])
    const answer = await glue.batchStopJobRun({ JobName, JobRunIds: [id, 'jr_unknown'] })
    expect(answer.SuccessfulSubmissions).toEqual([{ JobName, JobRunId: id }])
    expect(answer.Errors?.[0]?.ErrorDetail?.ErrorCode).toBe('EntityNotFoundException')
    expect((await events.next()).detail).toMatchObject({ state: 'STOPPED' })
    expect(processesNaming(mark)).toEqual([])
    expect((await state(JobName, id))?.JobRunState).toBe('STOPPED')
  })

  it('ends as TIMEOUT when its time is up', async () => {
    const JobName = await job('dawdles')
    const id = await start(JobName, { '--do': 'hang' }, 0.005)
    expect((await events.next()).detail).toMatchObject({ state: 'TIMEOUT', severity: 'WARN', jobRunId: id })
    expect((await state(JobName, id))?.ErrorMessage).toContain('timeout of 0.005 minutes')
  })

  it('has the workers and the time that it was started with, else those of its job', async () => {
    const JobName = await job('sizes', { MaxConcurrentRuns: 2 })
    const own = { WorkerType: 'G.4X', NumberOfWorkers: 25, Timeout: 90 } as const
    const { JobRunId = '' } = await glue.startJobRun({ JobName, Arguments: { '--do': 'fail' }, ...own })
    expect(await state(JobName, JobRunId)).toMatchObject(own)
    const plain = await start(JobName, { '--do': 'fail' })
    expect(await state(JobName, plain)).toMatchObject({ WorkerType: 'G.1X', NumberOfWorkers: 10, Timeout: 60 })
    const ends = [(await events.next()).detail, (await events.next()).detail]
    expect(ends).toEqual([expect.objectContaining({ state: 'FAILED' }), expect.objectContaining({ state: 'FAILED' })])
  })

  it('is listed newest first, a page at a time', async () => {
    const JobName = await job('lists', { MaxConcurrentRuns: 3 })
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push(await start(JobName, { '--do': 'fail' }))
    const first = await glue.getJobRuns({ JobName, MaxResults: 2 })
    const second = await glue.getJobRuns({ JobName, MaxResults: 2, NextToken: first.NextToken })
    expect([...(first.JobRuns ?? []), ...(second.JobRuns ?? [])].map(({ Id }) => Id)).toEqual(ids.reverse())
    expect(second.NextToken).toBeUndefined()
  })
})
