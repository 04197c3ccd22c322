import { MEMORY_MB } from '../lambda/memory.ts'
import { cameIn } from '../ledger/lineage.ts'
import type { Run, Span } from '../ledger/run.ts'
import { CRAWL_DPU, LEAST_SECONDS, PRICES } from './prices.ts'
import { sharesOf } from './shares.ts'

export const COST_PARTS = ['unzip', 'convert job', 'partition job', 'crawl', 'publishing', 'S3 writes'] as const
/** What was bought for a run, at list prices. `how`: the quantities, in words. */
export type CostPart = { part: (typeof COST_PARTS)[number]; usd: number; how: string }
/** An estimate: of what has its own price and is known of the run. The parts sum to `usd`. */
export type Cost = { usd: number; parts: CostPart[] }

/** Bytes of one part of a multipart upload, as `unzip` makes them. */
const UPLOAD_PART = 8 * 1024 ** 2

/**
 * What a run costs on AWS by list prices: its share of the jobs and the crawl that it was in with others, by bytes, and what
 * was done for it alone. Without `zip`, the estimates of all runs sum to what they cost together.
 * @param zip what a member came in, to add its share of the zip's own cost
 */
export function estimate(run: Run, zip?: Run): Cost {
  const parts = [
    ...(zip && cameIn(run, zip) ? extraction(zip, memberShare(zip, run)) : []),
    ...(run.kind === 'zip' ? extraction(run, 1) : []),
    ...job('convert job', run.spanConvert),
    ...job('partition job', run.spanPartition),
    ...crawl(run.spanCatalog),
    ...publishing(run),
    ...writes(run),
  ].filter(({ usd }) => usd > 0)
  return { usd: parts.reduce((sum, { usd }) => sum + usd, 0), parts }
}

const seconds = (from: string | undefined, to: string | undefined): number | undefined =>
  from === undefined || to === undefined ? undefined : Math.max(0, Date.parse(to) - Date.parse(from)) / 1000

const rounded = (n: number) => Number(n.toPrecision(3)).toLocaleString('en')
const shared = (share: number) => (share === 1 ? '' : `, of which ${rounded(share * 100)} % for its bytes`)

/** Glue says how many DPU-seconds it bills where it scales by itself; else all workers that the job may have are counted. */
function job(part: 'convert job' | 'partition job', span: Span | undefined): CostPart[] {
  const took = seconds(span?.jobStartedAt, span?.jobEndedAt)
  if (took === undefined || span?.dpu === undefined || span.share === undefined) return []
  const { dpu, dpuSeconds, share } = span
  const billed = dpuSeconds ?? dpu * Math.max(took, LEAST_SECONDS.job)
  const how =
    dpuSeconds === undefined
      ? `at most ${dpu} DPU for ${rounded(took)} s, billed as ${rounded(Math.max(took, LEAST_SECONDS.job))} s`
      : `${rounded(dpuSeconds)} DPU-seconds, as Glue says`
  return [{ part, usd: (billed / 3600) * PRICES.jobDpuHour.usd * share, how: how + shared(share) }]
}

function crawl(span: Span | undefined): CostPart[] {
  const took = seconds(span?.startedAt, span?.endedAt)
  if (took === undefined || span?.share === undefined) return []
  const billed = Math.max(took, LEAST_SECONDS.crawl)
  const usd = ((billed * CRAWL_DPU) / 3600) * PRICES.crawlDpuHour.usd * span.share
  const how = `at least ${CRAWL_DPU} DPU for ${rounded(took)} s, billed as ${rounded(billed)} s`
  return [{ part: 'crawl', usd, how: how + shared(span.share) }]
}

const functionUsd = (of: keyof typeof MEMORY_MB, took: number) =>
  (MEMORY_MB[of] / 1024) * took * PRICES.functionGbSecond.usd

/** The function works on one zip at a time, so its time is the zip's. */
function extraction(zip: Run, share: number): CostPart[] {
  const took = seconds(zip.spanUnzip?.startedAt, zip.spanUnzip?.endedAt)
  if (took === undefined) return []
  const uploads = (zip.members ?? []).reduce(
    (sum, { bytes }) => sum + 2 + Math.max(1, Math.ceil(bytes / UPLOAD_PART)),
    0,
  )
  const copies = zip.archived ? 1 : 0
  const usd = functionUsd('unzip', took) + s3(uploads + copies)
  const how = `a function of ${MEMORY_MB.unzip} MB for ${rounded(took)} s, ${uploads + copies} writes to S3`
  return [{ part: 'unzip', usd: usd * share, how: how + shared(share) }]
}

function memberShare({ members = [] }: Run, { key }: Run): number {
  return sharesOf(members)[members.findIndex((member) => member.key === key)] ?? 0
}

/** From a job's end until its results are published, a function works on its whole batch. */
function publishing({ spanConvert, spanPartition }: Run): CostPart[] {
  const of = (stage: 'convert' | 'partition', span: Span | undefined) =>
    functionUsd(stage, (seconds(span?.jobEndedAt, span?.endedAt) ?? 0) * (span?.share ?? 0))
  const usd = of('convert', spanConvert) + of('partition', spanPartition)
  return [{ part: 'publishing', usd, how: 'functions from the ends of its jobs on, as long as they worked on it' }]
}

const s3 = (writes: number) => (writes / 1000) * PRICES.s3Writes.usd

/** A job writes each object to staging, and publishing copies it. */
function writes({ kind, parts = 0, rejected = 0, deliveredObjects = 0, state }: Run): CostPart[] {
  if (kind === 'zip') return []
  const objects = parts + (rejected > 0 ? 1 : 0) + deliveredObjects
  const count = 2 * objects + (state === 'refused' ? 1 : 0)
  return [{ part: 'S3 writes', usd: s3(count), how: `${count.toLocaleString('en')} of parquet and reasons` }]
}
