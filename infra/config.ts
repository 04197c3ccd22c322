import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core'

/** The project's root. CDK and esbuild get absolute paths from it, whatever the working directory is. */
export const PROJECT = join(dirname(fileURLToPath(import.meta.url)), '..')

/** What esbuild builds. The DuckDB jobs stay inside the project, where node_modules has their native module. */
export const DIST = join(PROJECT, 'dist')

export const STAGES = ['unzip', 'convert', 'partition', 'catalog', 'sweep'] as const
export type StageName = (typeof STAGES)[number]

export const JOB_STAGES = ['convert', 'partition'] as const
export type JobStage = (typeof JOB_STAGES)[number]

/** All that differs between AWS and a laptop. The constructs ask this object and never where they are. */
export interface Config {
  engine: 'spark' | 'duckdb'
  /** URI of each Glue job's script: what the runner of `engine` executes with `--manifest <uri>`. */
  jobScripts: Partial<Record<JobStage, string>>
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

  logRetention: RetentionDays
  logLevel: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'
  alarms: boolean

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
  /** Invocations of one stage at a time, at least 2. The mapping's, as reserved concurrency would burn receives. */
  maxConcurrency: number
  /** What each function gets besides its own environment. */
  environment: Record<string, string>
}

export const aws: Config = {
  engine: 'spark',
  jobScripts: {},
  assetsBucket: undefined,
  validateTemplates: true,
  removal: RemovalPolicy.RETAIN,
  protect: true,
  pointInTimeRecovery: true,
  noncurrentVersionsExpire: Duration.days(90),
  resultsExpire: Duration.days(30),
  logRetention: RetentionDays.THREE_MONTHS,
  logLevel: 'INFO',
  alarms: true,
  memory: { unzip: 1769, convert: 1024, partition: 1024, catalog: 512, sweep: 1024 },
  functionTimeout: Duration.minutes(5),
  visibilityTimeout: Duration.minutes(6),
  batchSize: 10,
  maxConcurrency: 5,
  environment: {},
}

/** The runtime of `infra/local`: nothing outlives it, so nothing is kept, and two cores do all the work. */
export const laptop = (overrides: Partial<Config> = {}): Config => ({
  ...aws,
  engine: 'duckdb',
  jobScripts: {
    convert: pathToFileURL(join(DIST, 'jobs', 'convert.mjs')).href,
    partition: pathToFileURL(join(DIST, 'jobs', 'partition.mjs')).href,
  },
  assetsBucket: 'landfall-assets',
  validateTemplates: false,
  removal: RemovalPolicy.DESTROY,
  protect: false,
  pointInTimeRecovery: false,
  noncurrentVersionsExpire: Duration.days(1),
  resultsExpire: Duration.days(1),
  logRetention: RetentionDays.ONE_DAY,
  alarms: false,
  memory: { unzip: 512, convert: 512, partition: 512, catalog: 512, sweep: 512 },
  functionTimeout: Duration.minutes(2),
  visibilityTimeout: Duration.seconds(125),
  maxConcurrency: 2,
  ...overrides,
})

/**
 * The script of each Glue job.
 * @throws while the configured engine has none: a job without a script would only fail when the first file lands.
 */
export function jobScripts({ engine, jobScripts: scripts }: Config): Record<JobStage, string> {
  const { convert, partition } = scripts
  if (convert && partition) return { convert, partition }
  const missing = JOB_STAGES.filter((stage) => !scripts[stage]).join(' and ')
  throw new Error(
    `There is no Spark job yet: the Glue jobs ${missing} of engine "${engine}" have no script. ` +
      'Deploying to AWS waits for issue 4 (Glue jobs in Spark). ' +
      'Until then run the same app on a laptop, where DuckDB does the work: npm start.',
  )
}
