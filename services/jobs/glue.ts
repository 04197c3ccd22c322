import {
  BatchCreatePartitionCommand,
  BatchDeletePartitionCommand,
  CreateTableCommand,
  DeleteTableCommand,
  GetCrawlerCommand,
  GetJobRunCommand,
  GetJobRunsCommand,
  GetPartitionsCommand,
  GetTableCommand,
  type GlueClient,
  type JobRun,
  StartCrawlerCommand,
  StartJobRunCommand,
  type StorageDescriptor,
  UpdateTableCommand,
} from '@aws-sdk/client-glue'
import type { GlueView } from '../../schemas/compiler/glue-view.ts'
import type { EngineSize } from '../../schemas/contract.ts'
import { Failed, isRefusal, TryAgain } from '../lambda/errors.ts'

export type JobState = 'running' | 'succeeded' | 'failed'
/** `why` is Glue's word for an end that is no success: FAILED, TIMEOUT, STOPPED, ERROR. */
export type JobStatus = {
  id: string
  state: JobState
  why?: string
  message?: string
  startedAt?: string
  endedAt?: string
  manifest?: string
  /** What it bills of a run that has ended, where it scaled by itself. */
  dpuSeconds?: number
}
export type TableName = { database: string; name: string }
/** A partition of a table with one key: its value and where its objects are. */
export type CatalogPartition = { value: string; location: string }
/** An entry of the catalog, as far as it matters whether it is a table or a view, and of what. */
export type CatalogTable = { isView: boolean; parameters: Record<string, string>; viewText?: string }

/** What stages need of Glue. */
export interface Glue {
  /** Throws TryAgain when Glue has no slot or throttles, Failed when it refuses: a right or the job is missing. */
  startJob(job: string, manifest: string, size: EngineSize): Promise<string>
  job(job: string, id: string): Promise<JobStatus | undefined>
  /** The newest run that was given this manifest; the answer to "did my StartJobRun arrive?". */
  jobByManifest(job: string, manifest: string): Promise<JobStatus | undefined>
  /** Throws TryAgain while the crawler runs or is stopping, Failed when Glue refuses. */
  startCrawler(crawler: string): Promise<void>
  crawlerReady(crawler: string): Promise<boolean>
  partitions(table: TableName): Promise<CatalogPartition[]>
  addPartitions(table: TableName, partitions: CatalogPartition[]): Promise<void>
  dropPartitions(table: TableName, values: string[]): Promise<void>
  /** Undefined where the catalog has no such table. */
  table(table: TableName): Promise<CatalogTable | undefined>
  /** In one step. False where Glue does not take the view in the place of what is there. */
  putView(database: string, view: GlueView): Promise<boolean>
  /** Throws TryAgain where the name is taken: someone else was faster. */
  createView(database: string, view: GlueView): Promise<void>
  /** With its partitions. Nothing happens where there is no such table. */
  dropTable(table: TableName): Promise<void>
}

const RUNNING = ['STARTING', 'RUNNING', 'STOPPING', 'WAITING']
/** Limits of BatchCreatePartition and BatchDeletePartition. */
const CREATE_BATCH = 100
const DELETE_BATCH = 25
/** Glue's answers that mean "not now": nothing was started. https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-exceptions.html */
const NOT_NOW = [
  'ConcurrentRunsExceededException',
  'CrawlerRunningException',
  'CrawlerStoppingException',
  'ResourceNumberLimitExceededException',
  'ThrottlingException',
]

const nameOf = (error: unknown) => (error instanceof Error ? error.name : '')

const notNow = (what: string) => (error: unknown) => {
  if (NOT_NOW.includes(nameOf(error)))
    throw new TryAgain('glue_busy', `Glue would not start ${what} now: ${nameOf(error)}.`, error)
  if (isRefusal(error) && error instanceof Error)
    throw new Failed('glue_refused', `Glue refuses to start ${what}: ${error.name}: ${error.message}.`, error)
  throw error
}

const status = (run: JobRun): JobStatus => ({
  id: run.Id ?? '',
  state: RUNNING.includes(run.JobRunState ?? '') ? 'running' : run.JobRunState === 'SUCCEEDED' ? 'succeeded' : 'failed',
  why: run.JobRunState,
  message: run.ErrorMessage || undefined,
  startedAt: run.StartedOn?.toISOString(),
  endedAt: run.CompletedOn?.toISOString(),
  manifest: run.Arguments?.['--manifest'],
  dpuSeconds: run.DPUSeconds,
})

function* chunks<T>(items: T[], size: number) {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size)
}

export class AwsGlue implements Glue {
  readonly #glue: GlueClient

  constructor(glue: GlueClient) {
    this.#glue = glue
  }

  async startJob(job: string, manifest: string, { workers, timeoutMinutes }: EngineSize): Promise<string> {
    const { JobRunId = '' } = await this.#glue
      .send(
        new StartJobRunCommand({
          JobName: job,
          Arguments: { '--manifest': manifest },
          WorkerType: workers.type,
          NumberOfWorkers: workers.most,
          Timeout: timeoutMinutes,
        }),
      )
      .catch(notNow(`a run of ${job}`))
    return JobRunId
  }

  async job(job: string, id: string): Promise<JobStatus | undefined> {
    try {
      const { JobRun } = await this.#glue.send(new GetJobRunCommand({ JobName: job, RunId: id }))
      return JobRun && status(JobRun)
    } catch (error) {
      if (nameOf(error) === 'EntityNotFoundException') return undefined
      throw error
    }
  }

  async jobByManifest(job: string, manifest: string): Promise<JobStatus | undefined> {
    let NextToken: string | undefined
    do {
      const page = await this.#glue.send(new GetJobRunsCommand({ JobName: job, NextToken }))
      const found = page.JobRuns?.find((run) => run.Arguments?.['--manifest'] === manifest)
      if (found) return status(found)
      NextToken = page.NextToken
    } while (NextToken)
    return undefined
  }

  async startCrawler(crawler: string): Promise<void> {
    await this.#glue.send(new StartCrawlerCommand({ Name: crawler })).catch(notNow(crawler))
  }

  async crawlerReady(crawler: string): Promise<boolean> {
    const { Crawler } = await this.#glue.send(new GetCrawlerCommand({ Name: crawler }))
    return Crawler?.State === 'READY'
  }

  async partitions({ database, name }: TableName): Promise<CatalogPartition[]> {
    const found: CatalogPartition[] = []
    let NextToken: string | undefined
    do {
      const page = await this.#glue.send(
        new GetPartitionsCommand({ DatabaseName: database, TableName: name, ExcludeColumnSchema: true, NextToken }),
      )
      for (const { Values, StorageDescriptor } of page.Partitions ?? [])
        found.push({ value: Values?.[0] ?? '', location: StorageDescriptor?.Location ?? '' })
      NextToken = page.NextToken
    } while (NextToken)
    return found
  }

  async addPartitions({ database, name }: TableName, partitions: CatalogPartition[]): Promise<void> {
    const { Table } = await this.#glue.send(new GetTableCommand({ DatabaseName: database, Name: name }))
    const inherited: StorageDescriptor | undefined = Table?.StorageDescriptor
    for (const chunk of chunks(partitions, CREATE_BATCH)) {
      const { Errors = [] } = await this.#glue.send(
        new BatchCreatePartitionCommand({
          DatabaseName: database,
          TableName: name,
          PartitionInputList: chunk.map(({ value, location }) => ({
            Values: [value],
            StorageDescriptor: { ...inherited, Location: location },
          })),
        }),
      )
      const real = Errors.filter(({ ErrorDetail }) => ErrorDetail?.ErrorCode !== 'AlreadyExistsException')
      if (real[0])
        throw new TryAgain(
          'partition_not_added',
          `Glue did not add ${real.length} partitions to ${database}.${name}, first ${real[0].PartitionValues}: ${real[0].ErrorDetail?.ErrorMessage}`,
        )
    }
  }

  async dropPartitions({ database, name }: TableName, values: string[]): Promise<void> {
    for (const chunk of chunks(values, DELETE_BATCH)) {
      const { Errors = [] } = await this.#glue.send(
        new BatchDeletePartitionCommand({
          DatabaseName: database,
          TableName: name,
          PartitionsToDelete: chunk.map((value) => ({ Values: [value] })),
        }),
      )
      const real = Errors.filter(({ ErrorDetail }) => ErrorDetail?.ErrorCode !== 'EntityNotFoundException')
      if (real[0])
        throw new TryAgain(
          'partition_not_dropped',
          `Glue did not drop ${real.length} partitions of ${database}.${name}, first ${real[0].PartitionValues}: ${real[0].ErrorDetail?.ErrorMessage}`,
        )
    }
  }

  async table({ database, name }: TableName): Promise<CatalogTable | undefined> {
    try {
      const { Table } = await this.#glue.send(new GetTableCommand({ DatabaseName: database, Name: name }))
      if (!Table) return undefined
      const { TableType, Parameters = {}, ViewOriginalText } = Table
      return {
        isView: TableType === 'VIRTUAL_VIEW',
        parameters: Parameters,
        ...(ViewOriginalText && { viewText: ViewOriginalText }),
      }
    } catch (error) {
      if (nameOf(error) === 'EntityNotFoundException') return undefined
      throw error
    }
  }

  async putView(database: string, view: GlueView): Promise<boolean> {
    try {
      await this.#glue.send(new UpdateTableCommand({ DatabaseName: database, TableInput: view }))
      return true
    } catch (error) {
      if (nameOf(error) === 'InvalidInputException') return false
      throw error
    }
  }

  async createView(database: string, view: GlueView): Promise<void> {
    try {
      await this.#glue.send(new CreateTableCommand({ DatabaseName: database, TableInput: view }))
    } catch (error) {
      if (nameOf(error) === 'AlreadyExistsException')
        throw new TryAgain('table_exists', `${database}.${view.Name} came to be meanwhile.`, error)
      throw error
    }
  }

  async dropTable({ database, name }: TableName): Promise<void> {
    try {
      await this.#glue.send(new DeleteTableCommand({ DatabaseName: database, Name: name }))
    } catch (error) {
      if (nameOf(error) !== 'EntityNotFoundException') throw error
    }
  }
}
