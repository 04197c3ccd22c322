/** A list price as it was read. */
export type Price = {
  usd: number
  per: string
  /** Null where the source names none. */
  region: string | null
  /** AWS's own page, which fills in its figures in the browser. */
  list: string
  /** Where the figure was read, and when. */
  source: string
  read: string
}

export const READ_ON = '2026-11-24'
const read = READ_ON
const glue = { region: null, list: 'https://aws.amazon.com/glue/pricing/', read }
const lambda = { region: 'us-east-1', list: 'https://aws.amazon.com/lambda/pricing/', read }

/** List prices, without free tiers, discounts and taxes: the only place that knows an amount of money. */
export const PRICES = {
  /** Spark jobs of Glue 2.0 and later: by the second, a minute at least. */
  jobDpuHour: {
    usd: 0.44,
    per: 'DPU-hour of a Glue job',
    ...glue,
    source: 'https://awsnegotiations.com/glue-job-cost-optimization.html',
  },
  /** By the second, ten minutes at least a crawl. */
  crawlDpuHour: {
    usd: 0.44,
    per: 'DPU-hour of a Glue crawler',
    ...glue,
    source: 'https://awsnegotiations.com/glue-job-cost-optimization.html',
  },
  /** x86, by the millisecond. */
  functionGbSecond: {
    usd: 0.0000166667,
    per: 'GB-second of a function',
    ...lambda,
    source: 'https://cloudchipr.com/blog/aws-lambda-pricing',
  },
  /** PUT, COPY, POST and LIST of S3 Standard; deletes are free. */
  s3Writes: {
    usd: 0.005,
    per: '1,000 writes to S3',
    region: null,
    list: 'https://aws.amazon.com/s3/pricing/',
    source: 'https://c3x.dev/blog/s3-request-fees-explained',
    read,
  },
} as const satisfies Record<string, Price>

/** Seconds that are billed at least. Same sources. */
export const LEAST_SECONDS = { job: 60, crawl: 600 } as const

/** DPU of one worker. Same source as a job's price. */
export const WORKER_DPU = { 'G.1X': 1, 'G.2X': 2, 'G.4X': 4, 'G.8X': 8 } as const

/** AWS tells only afterwards how many a crawl took (`dpuHour` of its history), so the least there can be is counted. */
export const CRAWL_DPU = 1

/** What an estimate leaves out: no price of it could be sourced, or no run knows its part. */
export const NOT_COUNTED = [
  'reading and listing S3',
  'storage',
  'the ledger (DynamoDB)',
  'events and queues (EventBridge, SQS)',
  'logs, traces and metrics',
  'the catalog and queries (Glue, Athena)',
  'functions beyond extracting and publishing',
  'jobs that were tried again, and crawls that no run waited for',
] as const
