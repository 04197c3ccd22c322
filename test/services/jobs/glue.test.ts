import {
  BatchDeletePartitionCommand,
  type GlueClient,
  StartJobRunCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-glue'
import { describe, expect, it } from 'vitest'
import { glueView } from '../../../schemas/compiler/glue-view.ts'
import type { EngineSize } from '../../../schemas/contract.ts'
import { AwsGlue } from '../../../services/jobs/glue.ts'
import { contractOfVersion } from '../memory/world.ts'

const table = { database: 'db', name: 'tab' }
const view = glueView(contractOfVersion(2))
const size: EngineSize = { workers: { type: 'G.4X', most: 25 }, timeoutMinutes: 90 }
const answering = (answer: (command: object) => unknown) =>
  new AwsGlue({ send: async (command: object) => answer(command) } as unknown as GlueClient)
const failing = (name: string, httpStatusCode = 400) =>
  answering(() => {
    throw Object.assign(new Error('no'), { name, $metadata: { httpStatusCode } })
  })
const errors = (ErrorCode: string) => ({
  Errors: [{ PartitionValues: ['Chad'], ErrorDetail: { ErrorCode, ErrorMessage: 'why' } }],
})

describe('Glue', () => {
  it("starts a run with its manifest, and with workers and a time of its own in place of the job's", async () => {
    let asked: object | undefined
    const glue = answering((command) => {
      if (command instanceof StartJobRunCommand) asked = command.input
      return { JobRunId: 'jr_1' }
    })
    expect(await glue.startJob('convert', 's3://m', size)).toBe('jr_1')
    expect(asked).toEqual({
      JobName: 'convert',
      Arguments: { '--manifest': 's3://m' },
      WorkerType: 'G.4X',
      NumberOfWorkers: 25,
      Timeout: 90,
    })
  })

  it.each(['ConcurrentRunsExceededException', 'ThrottlingException'])(
    'is busy when it answers a start with %s',
    async (name) => {
      await expect(failing(name).startJob('convert', 's3://m', size)).rejects.toMatchObject({
        retryable: true,
        message: `Glue would not start a run of convert now: ${name}.`,
      })
    },
  )

  it.each(['AccessDeniedException', 'EntityNotFoundException', 'InvalidInputException'])(
    'refuses a start in words when it answers with %s',
    async (name) => {
      const message = (what: string) => `Glue refuses to start ${what}: ${name}: no.`
      await expect(failing(name).startJob('convert', 's3://m', size)).rejects.toMatchObject({
        retryable: false,
        message: message('a run of convert'),
      })
      await expect(failing(name).startCrawler('c')).rejects.toMatchObject({ retryable: false, message: message('c') })
    },
  )

  it.each([
    ['has an outage', 'InternalServiceException', 500],
    ['was too slow to say what became of it', 'OperationTimeoutException', 400],
  ])('neither is busy nor refuses when it %s', async (_, name, status) => {
    const start = failing(name, status).startJob('convert', 's3://m', size)
    await expect(start).rejects.toThrow('no')
    await expect(start).rejects.not.toHaveProperty('retryable')
  })

  it.each(['CrawlerRunningException', 'CrawlerStoppingException'])(
    'is busy while the crawler answers with %s',
    async (name) => {
      await expect(failing(name).startCrawler('c')).rejects.toMatchObject({ retryable: true })
    },
  )

  it('drops partitions 25 at a time, as its API takes them', async () => {
    const sizes: number[] = []
    const glue = answering((command) => {
      if (command instanceof BatchDeletePartitionCommand) sizes.push(command.input.PartitionsToDelete?.length ?? 0)
      return {}
    })
    await glue.dropPartitions(
      table,
      Array.from({ length: 60 }, (_, i) => `${i}`),
    )
    expect(sizes).toEqual([25, 25, 10])
  })

  it('does not hide a partition that it could not drop, but for one that is gone already', async () => {
    await answering(() => errors('EntityNotFoundException')).dropPartitions(table, ['Chad'])
    await expect(
      answering(() => errors('InternalServiceException')).dropPartitions(table, ['Chad']),
    ).rejects.toMatchObject({
      retryable: true,
      message: 'Glue did not drop 1 partitions of db.tab, first Chad: why',
    })
  })

  it('does not hide a partition that it could not add, but for one that is there already', async () => {
    const add = (code: string) =>
      answering(() => errors(code)).addPartitions(table, [{ value: 'Chad', location: 's3://d/COUNTRY=Chad/' }])
    await add('AlreadyExistsException')
    await expect(add('InternalServiceException')).rejects.toThrow('Glue did not add 1 partitions to db.tab, first Chad')
  })

  it('finds the run of a manifest on a later page', async () => {
    let page = 0
    const glue = answering(() =>
      page++ === 0
        ? { JobRuns: [{ Id: 'jr_2', Arguments: { '--manifest': 'other' } }], NextToken: 'more' }
        : { JobRuns: [{ Id: 'jr_1', JobRunState: 'TIMEOUT', Arguments: { '--manifest': 'mine' } }] },
    )
    expect(await glue.jobByManifest('convert', 'mine')).toMatchObject({ id: 'jr_1', state: 'failed', why: 'TIMEOUT' })
  })

  it('tells a view from a table, and both from none', async () => {
    const parameters = { 'landfall.version': '2' }
    const text = '/* Presto View: e30= */'
    const Table = { TableType: 'VIRTUAL_VIEW', Parameters: parameters, ViewOriginalText: text }
    expect(await answering(() => ({ Table })).table(table)).toEqual({ isView: true, parameters, viewText: text })
    expect(await answering(() => ({ Table: { TableType: 'EXTERNAL_TABLE' } })).table(table)).toEqual({
      isView: false,
      parameters: {},
    })
    expect(await failing('EntityNotFoundException').table(table)).toBeUndefined()
    await expect(failing('AccessDeniedException').table(table)).rejects.toThrow('no')
  })

  it('says so when it does not take a view, and only then', async () => {
    const commands: object[] = []
    const glue = answering((command) => void commands.push(command))
    expect(await glue.putView('db', view)).toBe(true)
    expect(commands).toEqual([expect.any(UpdateTableCommand)])
    expect(commands[0]).toMatchObject({ input: { DatabaseName: 'db', TableInput: view } })
    expect(await failing('InvalidInputException').putView('db', view)).toBe(false)
    for (const name of ['AccessDeniedException', 'EntityNotFoundException', 'ConcurrentModificationException'])
      await expect(failing(name).putView('db', view)).rejects.toThrow('no')
  })

  it('is asked again when the name of a new view was taken meanwhile', async () => {
    const create = failing('AlreadyExistsException').createView('db', view)
    await expect(create).rejects.toMatchObject({ retryable: true, message: 'db.tab came to be meanwhile.' })
  })

  it('drops a table that is gone already', async () => {
    await failing('EntityNotFoundException').dropTable(table)
    await expect(failing('AccessDeniedException').dropTable(table)).rejects.toThrow('no')
  })
})
