import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest, ManifestSource } from '../../../schemas/manifest.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { RejectReason, type SourceReport, type StagedPart } from '../../../schemas/report.ts'
import { keyOf, type ObjectIo } from '../io/object-io.ts'
import { type DoSource, type JobResult, LANES, runJob } from '../run-job.ts'
import { BLOCK_BYTES } from './blocks.ts'
import {
  addSeen,
  copyAccepted,
  copyRejects,
  countRows,
  createOdd,
  createSeen,
  dropOdd,
  dropSeen,
  selectRejected,
} from './convert-sql.ts'
import type { Layout } from './header.ts'
import { OddLineReader } from './odd-lines.ts'
import { prepare, type Segment } from './prepare.ts'
import { RejectLog } from './rejects.ts'
import { openSession, type Session } from './session.ts'
import { fromHex } from './sql.ts'

/**
 * CSV sources to typed parquet: for each its accepted rows, in one file or, of a large source, several; and one file of its
 * rejects if there are any.
 * @returns what became of the job; a refused source is part of a finished one
 * @throws Error naming the source that could not be converted through no fault of its own
 */
export const runConvert = (manifest: Manifest, io: ObjectIo, sizes: Partial<Sizes> = {}): Promise<JobResult> =>
  runJob(manifest, io, async (dir) => {
    const session = await openSession(dir)
    const does = (session: Session, lane: number): DoSource => {
      const own = { manifest, io, session, dir: join(dir, `source-${lane}`), ...SIZES, ...sizes }
      return (source, staging) => convertSource({ ...own, source, staging })
    }
    const lanes = [session, ...(await session.beside(LANES - 1))].map(does)
    return { whole: does(session, 0), lanes, close: () => session.close() }
  })

interface Sizes {
  /** Clean bytes that become one part, so that reading goes on while the rows before are converted and sent. */
  segmentBytes: number
  /** What is read at a time. A segment ends with a block. */
  blockBytes: number
}
const SIZES: Sizes = { segmentBytes: 64 * 1024 ** 2, blockBytes: BLOCK_BYTES }

interface Conversion extends Sizes {
  manifest: Manifest
  io: ObjectIo
  session: Session
  dir: string
  source: ManifestSource
  /** Folder of this source's objects. */
  staging: string
}

async function convertSource(conversion: Conversion): Promise<SourceReport> {
  const { manifest, io, session, dir, source, segmentBytes, blockBytes } = conversion
  const [input, ...more] = source.inputs
  if (!input || more.length > 0) throw new Error(`convert takes one input a source, not ${source.inputs.length}.`)
  await mkdir(dir, { recursive: true })
  const rejects = await RejectLog.create(join(dir, 'rejects.json'))
  const parts: StagedPart[] = []
  // The part that is being made while the source is read on.
  let making: Promise<unknown> = Promise.resolve()
  try {
    await runAll(session, createSeen(manifest.plan))
    const convert = async (segment: Segment, layout: Layout) => {
      parts.push(await convertSegment(conversion, segment, layout, { rejects, number: parts.length + 1 }))
      await rm(segment.clean.file)
      await rm(segment.odd.file)
    }
    const { layout, rowsIn, last } = await prepare(await io.read(input), {
      plan: manifest.plan,
      key: keyOf(input.uri),
      file: join(dir, 'segment'),
      rejects,
      segmentBytes,
      blockBytes,
      next: async (finished, layout) => {
        // One at a time: what waits on disk is one segment, whatever the source's size.
        await making
        making = convert(finished, layout)
        making.catch(() => undefined)
      },
    })
    await making
    if (last.clean.lines + last.odd.lines > 0 || parts.length === 0) await convert(last, layout)
    return await reportOf(conversion, { rowsIn, parts, rejects })
  } finally {
    await making.catch(() => undefined)
    await runAll(session, dropSeen(manifest.plan))
    await rejects.close()
    await rm(dir, { recursive: true, force: true })
  }
}

const rowsOf = async (session: Session, parquet: string) => Number((await session.rows(countRows([parquet])))[0]?.rows)

async function runAll(session: Session, statements: string[]): Promise<void> {
  for (const statement of statements) await session.run(statement)
}

async function convertSegment(
  { manifest: { plan }, io, session, dir, staging }: Conversion,
  segment: Segment,
  layout: Layout,
  { rejects, number }: { rejects: RejectLog; number: number },
): Promise<StagedPart> {
  const part = `part-${String(number).padStart(5, '0')}.parquet`
  const target = join(dir, part)
  if (segment.odd.lines > 0) await session.run(createOdd(plan, layout, segment.odd))
  await session.run(copyAccepted(plan, layout, segment, target))
  if (segment.odd.lines > 0) {
    await logRejected(session, plan, segment.odd.file, rejects)
    await runAll(session, [...addSeen(plan), dropOdd])
  }
  const uri = `${staging}${part}`
  const staged = { uri, rows: await rowsOf(session, target), ...(await io.upload(target, uri)) }
  await rm(target)
  return staged
}

async function logRejected(session: Session, plan: Plan, file: string, rejects: RejectLog): Promise<void> {
  const lines = new OddLineReader(file, plan.source.delimiter)
  try {
    for await (const rows of session.stream(selectRejected)) {
      for (const { line, byte, size, wrong, found, reason } of rows) {
        const place = { line: Number(line), byte: Number(byte), size: Number(size) }
        rejects.add({
          line: place.line,
          column: plan.columns[Number(wrong)]?.source ?? null,
          value: fromHex(found),
          reason: RejectReason.parse(reason),
          original: lines.text(place),
        })
      }
      await rejects.flush(false)
    }
  } finally {
    lines.close()
  }
}

async function reportOf(
  { manifest, io, session, dir, source, staging }: Conversion,
  { rowsIn, parts, rejects }: { rowsIn: number; parts: StagedPart[]; rejects: RejectLog },
): Promise<SourceReport> {
  await rejects.flush()
  let staged: SourceReport['rejects'] = null
  if (rejects.count > 0) {
    const constants = { dataset: manifest.dataset, source_id: source.sourceId, run_id: source.runId }
    const local = join(dir, 'rejects.parquet')
    await session.run(copyRejects(RejectLog.columns, rejects.file, local, constants))
    const uri = `${staging}rejects.parquet`
    staged = { uri, rows: await rowsOf(session, local), ...(await io.upload(local, uri)) }
  }
  // Nothing is made to fit here: settling compares rowsIn, counted over the bytes, with what the parquet files hold.
  return {
    runId: source.runId,
    sourceId: source.sourceId,
    rowsIn,
    accepted: parts.reduce((sum, { rows }) => sum + rows, 0),
    rejected: staged?.rows ?? 0,
    refusal: null,
    reasons: rejects.reasons,
    examples: rejects.examples,
    parts,
    rejects: staged,
  }
}
