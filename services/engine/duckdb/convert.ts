import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest, ManifestSource } from '../../../schemas/manifest.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { RejectReason, type SourceReport, type StagedPart } from '../../../schemas/report.ts'
import { keyOf, type ObjectIo } from '../io/object-io.ts'
import { type JobResult, runJob } from '../run-job.ts'
import { BLOCK_BYTES } from './blocks.ts'
import { Cleaner } from './cleaner.ts'
import {
  copyAccepted,
  copyNothing,
  copyRejects,
  countRows,
  forgetWrong,
  KEEP_LOG,
  NO_FILTER_PUSHDOWN,
  parseWrong,
  selectRejected,
  selectWrong,
} from './convert-sql.ts'
import type { Layout } from './header.ts'
import { LineReader } from './line-reader.ts'
import { BYTE_ORDER_MARK, prepare, type Segment } from './prepare.ts'
import { RejectLog } from './rejects.ts'
import { openSession, type Session } from './session.ts'
import { fromHex } from './sql.ts'
import { wrongLines } from './wrong-lines.ts'

/**
 * CSV sources to typed parquet: for each its accepted rows, in one file or, of a large source, several; and one file of its
 * rejects if there are any.
 * @returns what became of the job; a refused source is part of a finished one
 * @throws Error naming the source that could not be converted through no fault of its own
 */
export const runConvert = (manifest: Manifest, io: ObjectIo, sizes: Partial<Sizes> = {}): Promise<JobResult> =>
  runJob(manifest, io, async (dir) => {
    const session = await openSession(dir)
    await session.run(NO_FILTER_PUSHDOWN)
    await session.run(KEEP_LOG)
    return {
      source: (source, staging) =>
        convertSource({ manifest, io, session, dir: join(dir, 'source'), source, staging, ...SIZES, ...sizes }),
      close: () => session.close(),
    }
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
  const { manifest, io, dir, source } = conversion
  const [input, ...more] = source.inputs
  if (!input || more.length > 0) throw new Error(`convert takes one input a source, not ${source.inputs.length}.`)
  await mkdir(dir, { recursive: true })
  const rejects = await RejectLog.create(join(dir, 'rejects.json'))
  const parts: StagedPart[] = []
  // The part that is being made while the source is read on.
  let making: Promise<unknown> = Promise.resolve()
  let made = 0
  try {
    const { plan } = manifest
    const cleaner = new Cleaner(plan, keyOf(input.uri), rejects)
    const convert = async (segment: Segment, layout: Layout) => {
      parts.push(await convertSegment(conversion, segment, layout, { cleaner, rejects, number: parts.length + 1 }))
      await rm(segment.file)
    }
    const fileOf = (number: number) => join(dir, `clean-${number}.csv`)
    const { layout, rowsIn, last } = await prepare(await io.read(input), {
      plan,
      key: keyOf(input.uri),
      cleaner,
      rejects,
      file: fileOf(0),
      blockBytes: conversion.blockBytes,
      segments: {
        bytes: conversion.segmentBytes,
        next: async (finished, layout) => {
          // One at a time: what waits on disk is one segment, whatever the source's size.
          await making
          making = convert(finished, layout)
          making.catch(() => undefined)
          made += 1
          return fileOf(made)
        },
      },
    })
    await making
    if (last.lines > 0 || parts.length === 0) await convert(last, layout)
    return await reportOf(conversion, { rowsIn, parts, rejects })
  } finally {
    await making.catch(() => undefined)
    await rejects.close()
    await rm(dir, { recursive: true, force: true })
  }
}

const rowsOf = async (session: Session, parquet: string) => Number((await session.rows(countRows([parquet])))[0]?.rows)

async function convertSegment(
  { manifest: { plan }, io, session, dir, staging }: Conversion,
  segment: Segment,
  layout: Layout,
  { cleaner, rejects, number }: { cleaner: Cleaner; rejects: RejectLog; number: number },
): Promise<StagedPart> {
  const part = `part-${String(number).padStart(5, '0')}.parquet`
  const target = join(dir, part)
  await session.run(segment.lines > 0 ? copyAccepted(plan, layout, segment.file, target) : copyNothing(plan, target))
  const accepted = await rowsOf(session, target)
  if (accepted < segment.lines) {
    for await (const rows of wrongRows(session, plan, layout, segment, segment.lines - accepted)) {
      for (const { ordinal, column, value, reason, text } of rows)
        rejects.add({
          line: cleaner.lineNumbers.of(segment.before + ordinal),
          column: plan.columns[column]?.source ?? null,
          value,
          reason: RejectReason.parse(reason),
          original: text,
        })
      await rejects.flush(false)
    }
  }
  const uri = `${staging}${part}`
  const staged = { uri, rows: accepted, ...(await io.upload(target, uri)) }
  await rm(target)
  return staged
}

interface Wrong {
  /** In the segment, from 1. */
  ordinal: number
  column: number
  value: string | null
  reason: string
  text: string
}

/** The rows of a segment that `copyAccepted` left out, in order. */
async function* wrongRows(
  session: Session,
  plan: Plan,
  layout: Layout,
  { file }: Segment,
  expected: number,
): AsyncGenerator<Wrong[]> {
  const logged = (await session.rows(selectWrong)).map(({ message }) => parseWrong(String(message)))
  await session.run(forgetWrong)
  const dialect = { delimiter: plan.source.delimiter.charCodeAt(0), quote: plan.source.quote.charCodeAt(0) }
  const { multiline } = plan.source
  const found = await wrongLines(file, logged, dialect, BYTE_ORDER_MARK.length, multiline)
  if (found.length === expected) {
    yield found.map(({ fields, ...line }) => ({ ...line, value: fields[layout.places[line.column] ?? -1] || null }))
    return
  }
  const lines = await LineReader.open(file, BYTE_ORDER_MARK.length, multiline ? dialect : null)
  try {
    for await (const rows of session.stream(selectRejected(plan, layout, file))) {
      const wrong: Wrong[] = []
      for (const { n, i, value, reason } of rows) {
        const ordinal = Number(n)
        const text = await lines.line(ordinal)
        wrong.push({ ordinal, column: Number(i), value: fromHex(value), reason: String(reason), text })
      }
      yield wrong
    }
  } finally {
    await lines.close()
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
