import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'
import { MEMORY_MB } from '../services/lambda/memory.ts'
import { ASSUMED_BYTES_PER_SECOND } from '../services/unzip/time.ts'
import type { Engine } from './engine.ts'

/** The project's root. CDK and esbuild get absolute paths from it, whatever the working directory is. */
export const PROJECT = join(dirname(fileURLToPath(import.meta.url)), '..')

/** The contracts: a dataset is a file here. */
export const DATASETS = join(PROJECT, 'schemas', 'datasets')

/** What esbuild builds. The DuckDB jobs stay inside the project, where node_modules has their native module. */
export const DIST = join(PROJECT, 'dist')

export const STAGES = ['unzip', 'convert', 'partition', 'catalog', 'sweep'] as const
export type StageName = (typeof STAGES)[number]

export const JOB_STAGES = ['convert', 'partition'] as const
export type JobStage = (typeof JOB_STAGES)[number]

/**
 * The files of the Glue jobs. Spark's are uploaded, and are the same ones everywhere; DuckDB's run where they are, with the
 * project's node_modules.
 */
export type JobCode =
  | {
      engine: 'spark'
      scripts: Record<JobStage, string>
      /** The folder that has the Python package which both scripts import. */
      packages: string
    }
  | { engine: 'duckdb'; scripts: Record<JobStage, string> }

const scripts = (path: (stage: JobStage) => string): Record<JobStage, string> => ({
  convert: path('convert'),
  partition: path('partition'),
})

/** The jobs of each engine. */
export const JOB_CODE: { [E in Engine]: Extract<JobCode, { engine: E }> } = {
  spark: {
    engine: 'spark',
    scripts: scripts((stage) => join(PROJECT, 'services', stage, 'job.py')),
    packages: join(PROJECT, 'services', 'engine', 'spark'),
  },
  duckdb: { engine: 'duckdb', scripts: scripts((stage) => join(DIST, 'jobs', `${stage}.mjs`)) },
}

/** All that differs between AWS and a laptop. The constructs ask this object and never where they are. */
export interface Config {
  /** The folder of the contracts. */
  datasets: string
  jobs: JobCode
  /** Where a deployer uploads the functions' code, or undefined for the bootstrapped bucket of the account. */
  assetsBucket: string | undefined
  /** CDK checks its templates against CloudFormation's own schemas before anything is deployed. It takes a second. */
  validateTemplates: boolean

  /** Buckets, ledger and catalog. Deleting data takes this one and `protect`, and empty buckets: CDK never empties one. */
  removal: RemovalPolicy
  /** Refuses deletion of the ledger and of the stateful stack. */
  protect: boolean
  /** The ledger can be put back to any second of the last 35 days. */
  pointInTimeRecovery: boolean
  /** How long a replaced or deleted object of a versioned bucket can still be had back. */
  noncurrentVersionsExpire: Duration
  resultsExpire: Duration
  /**
   * How long object events are kept for replays, in whole days; EventBridge counts from when an event came. A replay that
   * reaches further back than this finds nothing there: a rerun, which lists the bucket, still does.
   */
  archiveRetention: Duration
  /**
   * Reruns by the clock: for each dataset named here, when all its sources are run again, as EventBridge writes schedules:
   * `cron(0 3 ? * SUN *)`, `rate(7 days)`, in UTC.
   */
  rerunSchedule: Record<string, string>

  /**
   * Share of the runs whose trace goes to X-Ray when they end, 0 to 1. At 0 nothing is traced, functions neither. A run's trace
   * has some five segments; X-Ray's price is by trace.
   */
  traceSampling: number
  logRetention: RetentionDays
  logLevel: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'
  /** Alarms, the topic that they tell, and the dashboard. */
  alarms: boolean
  /** Who gets a mail of each alarm; each address has to confirm it once. Others can subscribe to the topic. */
  alarmEmails: string[]
  /** Longer than this is an alarm. A job's own time is within both: raise them with `engine.timeoutMinutes`. */
  alarmAbove: {
    /** From landing to queryable, of 95 of 100 files. */
    landedToQueryable: Duration
    /** What one file waits for a job or a crawl, those before it included. */
    queueAge: Duration
  }

  /** MB. On AWS it also buys CPU: 1769 MB is one whole core. */
  memory: Record<StageName, number>
  functionTimeout: Duration
  /**
   * A message that failed comes back after this. It must exceed `functionTimeout`, or a message would be handed out a
   * second time while its first attempt still runs. AWS's advice of six times the timeout makes room for throttled
   * invocations; the mapping's MaximumConcurrency leaves none.
   */
  visibilityTimeout: Duration
  batchSize: number
  /** Of unzip: a zip may need all the time of a function. */
  unzipBatchSize: number
  /**
   * Uncompressed bytes that unzip surely writes in a second. A zip that declares more than it can write in `functionTimeout` at
   * that rate is refused before it is begun, as `too_long`.
   */
  unzipBytesPerSecond: number
  /** Invocations of one stage at a time, at least 2. The mapping's, as reserved concurrency would burn receives. */
  maxConcurrency: number
  /** What each function gets besides its own environment. */
  environment: Record<string, string>
}

export const aws: Config = {
  datasets: DATASETS,
  jobs: JOB_CODE.spark,
  assetsBucket: undefined,
  validateTemplates: true,
  removal: RemovalPolicy.RETAIN,
  protect: true,
  pointInTimeRecovery: true,
  noncurrentVersionsExpire: Duration.days(90),
  resultsExpire: Duration.days(30),
  archiveRetention: Duration.days(90),
  rerunSchedule: {},
  traceSampling: 1,
  logRetention: RetentionDays.THREE_MONTHS,
  logLevel: 'INFO',
  alarms: true,
  alarmEmails: [],
  alarmAbove: { landedToQueryable: Duration.minutes(30), queueAge: Duration.hours(2) },
  memory: MEMORY_MB,
  functionTimeout: Duration.minutes(5),
  visibilityTimeout: Duration.minutes(6),
  batchSize: 10,
  unzipBatchSize: 1,
  unzipBytesPerSecond: ASSUMED_BYTES_PER_SECOND,
  maxConcurrency: 5,
  environment: {},
}

/** The runtime of `infra/local`: nothing outlives it, so nothing is kept, and two cores do all the work. */
export const laptop = (overrides: Partial<Config> = {}): Config => ({
  ...aws,
  jobs: JOB_CODE.duckdb,
  assetsBucket: 'landfall-assets',
  validateTemplates: false,
  removal: RemovalPolicy.DESTROY,
  protect: false,
  pointInTimeRecovery: false,
  noncurrentVersionsExpire: Duration.days(1),
  resultsExpire: Duration.days(1),
  archiveRetention: Duration.days(1),
  logRetention: RetentionDays.ONE_DAY,
  alarms: false,
  memory: { unzip: 512, convert: 512, partition: 512, catalog: 512, sweep: 512 },
  functionTimeout: Duration.minutes(2),
  visibilityTimeout: Duration.seconds(125),
  maxConcurrency: 2,
  ...overrides,
})
