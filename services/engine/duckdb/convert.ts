import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest, ManifestSource } from '../../../schemas/manifest.ts'
import { RejectReason, type SourceReport } from '../../../schemas/report.ts'
import { keyOf, type ObjectIo } from '../io/object-io.ts'
import { type JobResult, runJob } from '../run-job.ts'
import type { Prepared } from './cleaner.ts'
import { copyAccepted, copyNothing, copyRejects, countRows, NO_FILTER_PUSHDOWN, selectRejected } from './convert-sql.ts'
import { LineReader } from './line-reader.ts'
import { BYTE_ORDER_MARK, prepare } from './prepare.ts'
import { RejectLog } from './rejects.ts'
import { openSession, type Session } from './session.ts'
import { fromHex } from './sql.ts'

/**
 * CSV sources to typed parquet: for each exactly one file of its accepted rows, and one of its rejects if there are any.
 * @returns what became of the job; a refused source is part of a finished one
 * @throws Error naming the source that could not be converted through no fault of its own
 */
export const runConvert = (manifest: Manifest, io: ObjectIo): Promise<JobResult> =>
  runJob(manifest, io, async (dir) => {
    const session = await openSession(dir)
    await session.run(NO_FILTER_PUSHDOWN)
    return {
      source: (source, staging) => convertSource({ manifest, io, session, dir: join(dir, 'source'), source, staging }),
      close: () => session.close(),
    }
  })

interface Conversion {
  manifest: Manifest
  io: ObjectIo
  session: Session
  dir: string
  source: ManifestSource
  /** Folder of this source's objects. */
  staging: string
}

async function convertSource(conversion: Conversion): Promise<SourceReport> {
  const { manifest, io, dir, source } = conversion
  const [input, ...more] = source.inputs
  if (!input || more.length > 0) throw new Error(`convert takes one input a source, not ${source.inputs.length}.`)
  await mkdir(dir, { recursive: true })
  const rejects = await RejectLog.create(join(dir, 'rejects.json'))
  try {
    const file = join(dir, 'clean.csv')
    const prepared = await prepare(await io.read(input), { plan: manifest.plan, key: keyOf(input.uri), file, rejects })
    return await convertPrepared(conversion, prepared, file, rejects)
  } finally {
    await rejects.close()
    await rm(dir, { recursive: true, force: true })
  }
}

async function convertPrepared(
  { manifest, io, session, dir, source, staging }: Conversion,
  { layout, rowsIn, clean, lineNumbers }: Prepared,
  file: string,
  rejects: RejectLog,
): Promise<SourceReport> {
  const { plan } = manifest
  const rowsOf = async (parquet: string) => Number((await session.rows(countRows([parquet])))[0]?.rows)
  const stage = async (local: string, rows: number): Promise<NonNullable<SourceReport['rejects']>> => {
    const uri = `${staging}${local}`
    return { uri, rows, ...(await io.upload(join(dir, local), uri)) }
  }

  const part = 'part-00001.parquet'
  const target = join(dir, part)
  await session.run(clean > 0 ? copyAccepted(plan, layout, file, target) : copyNothing(plan, target))
  const accepted = await rowsOf(target)
  if (accepted < clean)
    await logWrongValues(session, selectRejected(plan, layout, file), file, rejects, { plan, lineNumbers })
  await rejects.flush()
  let rejected = 0
  if (rejects.count > 0) {
    const constants = { dataset: manifest.dataset, source_id: source.sourceId, run_id: source.runId }
    const local = join(dir, 'rejects.parquet')
    await session.run(copyRejects(RejectLog.columns, rejects.file, local, constants))
    rejected = await rowsOf(local)
  }
  // Nothing is made to fit here: settling compares rowsIn, counted over the bytes, with what the parquet files hold.
  return {
    runId: source.runId,
    sourceId: source.sourceId,
    rowsIn,
    accepted,
    rejected,
    refusal: null,
    reasons: rejects.reasons,
    examples: rejects.examples,
    parts: [await stage(part, accepted)],
    rejects: rejected > 0 ? await stage('rejects.parquet', rejected) : null,
  }
}

async function logWrongValues(
  session: Session,
  sql: string,
  file: string,
  rejects: RejectLog,
  { plan, lineNumbers }: Pick<Prepared, 'lineNumbers'> & Pick<Manifest, 'plan'>,
): Promise<void> {
  const lines = await LineReader.open(file, BYTE_ORDER_MARK.length)
  try {
    for await (const rows of session.stream(sql)) {
      for (const { n, i, value, reason } of rows) {
        const ordinal = Number(n)
        rejects.add({
          line: lineNumbers.of(ordinal),
          column: plan.columns[Number(i)]?.source ?? null,
          value: fromHex(value),
          reason: RejectReason.parse(reason),
          original: await lines.line(ordinal),
        })
      }
      await rejects.flush(false)
    }
  } finally {
    await lines.close()
  }
}
