import type { Contract } from '../../schemas/contract.ts'
import type { SourceReport } from '../../schemas/report.ts'
import { endRun } from '../jobs/fail.ts'
import { type Arrival, type IntakeDeps, recordRefusal, takeIn } from '../jobs/intake.ts'
import { type PublishDeps, parseS3, publish } from '../jobs/publish.ts'
import type { ExecutedPlan, JobTimes } from '../jobs/settle.ts'
import { unknownDataset } from '../jobs/unknown-dataset.ts'
import { Failed } from '../lambda/errors.ts'
import type { Ending } from '../ledger/endings.ts'
import { processingKey } from '../ledger/ids.ts'
import { dueItem } from '../ledger/queue.ts'
import { type Problem, type Run, staysQueued } from '../ledger/run.ts'
import type { Write } from '../ledger/table.ts'

export type ConvertDeps = IntakeDeps & PublishDeps & { contracts: Map<string, Contract>; processingBucket: string }

const CSV = /\.csv(\.gz)?$/i

/** What a key in the raw zone's `data/` may be. */
export const judgeCsv =
  (contracts: Map<string, Contract>) =>
  (key: string, dataset: string | undefined): Ending | undefined => {
    const refused = (code: string, message: string): Ending => ({ state: 'refused', problem: { code, message } })
    if (!dataset || !contracts.has(dataset)) return refused('unknown_dataset', unknownDataset(key, dataset, contracts))
    if (!CSV.test(key))
      return refused(
        'not_a_csv',
        `${key} is not a CSV by its name: expected .csv or .csv.gz. Rename it, or keep it elsewhere.`,
      )
    return undefined
  }

/** Registers and queues a CSV; the stage dispatches afterwards. */
export async function csvLanded(deps: ConvertDeps, arrival: Arrival): Promise<string | undefined> {
  const run = await takeIn(deps, arrival, 'csv', judgeCsv(deps.contracts), (dataset) => {
    const mode = deps.contracts.get(dataset)?.sameContent
    return mode === 'allow' ? undefined : mode
  })
  return run && (run.state === 'queued' || staysQueued(run, 'convert')) ? run.dataset : undefined
}

/** The raw object of a run, pinned, or undefined where it is not the current one any more. */
export async function convertInputs({ objects, rawBucket }: Pick<PublishDeps, 'objects' | 'rawBucket'>, run: Run) {
  const current = await objects.head(rawBucket, run.key)
  if (current?.versionId !== run.versionId) return undefined
  const { versionId, etag, bytes } = current
  return [{ uri: `s3://${rawBucket}/${run.key}`, bytes, etag, versionId }]
}

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)

/** Rows in = accepted + rejected; accepted = rows written; rejected = rejects written. */
export function convertBalance(key: string, report: SourceReport): void {
  const { rowsIn, accepted, rejected, parts, rejects } = report
  const written = sum(parts.map(({ rows }) => rows))
  const kept = rejects?.rows ?? 0
  if (rowsIn === accepted + rejected && written === accepted && kept === rejected) return
  throw new Failed(
    'imbalance',
    `The books of ${key} do not balance: ${rowsIn} rows in, ${accepted} accepted (${written} written), ${rejected} rejected (${kept} kept). Nothing of it was published.`,
  )
}

export function tooManyRejects(
  key: string,
  { rowsIn, rejected, reasons }: SourceReport,
  most: number,
): Problem | undefined {
  if (rejected === 0 || rejected / rowsIn <= most) return undefined
  const share = (part: number) => `${Number((part * 100).toFixed(1))} %`
  const top = [...reasons].sort((a, b) => b.rows - a.rows)[0]
  const mostly = top
    ? ` Mostly: ${top.reason}${top.column ? ` in column "${top.column}"` : ''} (${top.rows} rows).`
    : ''
  const other =
    top?.reason === 'invalid_encoding'
      ? ' If it is Latin-1, have the contract say "source": { "encoding": "latin-1" }.'
      : ''
  return {
    code: 'too_many_rejects',
    message: `${rejected} of ${rowsIn} rows of ${key} are bad (${share(rejected / rowsIn)}); the contract takes at most ${share(most)}, so none was taken.${mostly}${other} Mend the file, or the contract's maxRejectShare, and land it again.`,
  }
}

/** Publishes one converted source, or ends its run in the state that the report calls for. */
export async function settleConverted(
  deps: ConvertDeps,
  run: Run,
  report: SourceReport,
  times: JobTimes,
  leave: Write,
  batch: string,
  { version: contractVersion }: ExecutedPlan,
): Promise<void> {
  const { ledger, objects, quarantineBucket, processingBucket } = deps
  const { dataset, sourceId, runId } = run
  const span = () => ({ queuedAt: run.registeredAt, ...times, endedAt: ledger.instant() })
  const { refusal } = report
  if (refusal?.code === 'gone')
    return await endRun(ledger, run, 'superseded', { code: 'superseded', message: refusal.message }, [leave], {
      spanConvert: span(),
      convertBatch: batch,
    })
  if (refusal) return await refuse(deps, run, refusal, leave, { spanConvert: span(), convertBatch: batch })

  convertBalance(run.key, report)
  const { rowsIn, accepted, rejected, reasons, examples } = report
  const counts = { contractVersion, rowsIn, accepted, rejected, reasons, examples, convertBatch: batch }
  if (report.rejects) {
    const { bucket, key } = parseS3(report.rejects.uri)
    await objects.copy(
      { bucket, key, etag: report.rejects.etag, bytes: report.rejects.bytes },
      { bucket: quarantineBucket, key: `rejects/${dataset}/${sourceId}/${runId}.parquet` },
    )
  }
  const limit = deps.contracts.get(dataset)?.maxRejectShare ?? 1
  const problem = tooManyRejects(run.key, report, limit)
  if (problem) return await refuse(deps, run, problem, leave, { ...counts, spanConvert: span(), accepted: 0 })

  const published = await publish(deps, run, {
    zone: 'processing',
    bucket: processingBucket,
    objects: report.parts.map((staged, i) => ({
      staged,
      key: processingKey(dataset, sourceId, runId, i + 1, report.parts.length),
    })),
    effects: () => ({
      run: {
        ...counts,
        spanConvert: span(),
        state: 'converted',
        parts: report.parts.length,
        processingRows: sum(report.parts.map(({ rows }) => rows)),
      },
      more: [leave, { put: dueItem(run, ledger.now().getTime()) }],
    }),
  })
  if (published.outcome === 'superseded')
    await endRun(ledger, run, 'superseded', { code: 'superseded', message: published.why }, [leave], {
      ...counts,
      spanConvert: span(),
    })
}

async function refuse(deps: ConvertDeps, run: Run, problem: Problem, leave: Write, more: Partial<Run>) {
  await recordRefusal(deps, { ...run, problem })
  await endRun(deps.ledger, run, 'refused', problem, [leave], more)
}
