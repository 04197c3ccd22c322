import { copyFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { compile } from '../../../schemas/compiler/plan.ts'
import type { Contract } from '../../../schemas/contract.ts'
import type { RejectReason, SourceReport } from '../../../schemas/report.ts'
import { convertBalance, tooManyRejects } from '../../convert/convert.ts'
import { runConvert } from '../../engine/duckdb/convert.ts'
import { openSession } from '../../engine/duckdb/session.ts'
import { text } from '../../engine/duckdb/sql.ts'
import type { ObjectIo } from '../../engine/io/object-io.ts'
import type { Problem } from '../../ledger/run.ts'

/** A CSV that can be read again and again. `name` is what people call it; one that ends in `.gz` is inflated. */
export type Source = { name: string; bytes: number; open: () => Promise<Readable> }

export type Judged = {
  report: SourceReport
  /** Why it would be refused. */
  problem?: Problem
  /** The distinct wrong values of a column, or undefined where they are too many to look at. */
  values: (column: string, reasons: RejectReason[]) => Promise<string[] | undefined>
}

/** Distinct values of a column that are looked at. */
const MOST_VALUES = 10_000

/**
 * What the chain would make of a source under a contract: the convert job's own code, over the source where it lies.
 * @param dir its rejects are kept here until the next call
 */
export async function judge(source: Source, contract: Contract, dir: string): Promise<Judged> {
  const rejects = join(dir, 'rejects.parquet')
  const io: ObjectIo = {
    read: source.open,
    upload: async (file, uri) => {
      // The typed rows are nobody's: only their number counts.
      if (uri.endsWith('/rejects.parquet')) await copyFile(file, rejects)
      return { etag: '', bytes: (await stat(file)).size }
    },
    putIfAbsent: async () => true,
  }
  const result = await runConvert(
    {
      manifest: 1,
      stage: 'convert',
      batch: 'check',
      dataset: contract.dataset,
      plan: compile(contract),
      sources: [{ runId: 'check', sourceId: 'check', inputs: [{ uri: source.name, bytes: source.bytes }] }],
      staging: 'check/',
      report: 'check/report.json',
    },
    io,
  )
  const report = result.outcome === 'reported' ? result.report.sources[0] : undefined
  if (!report) throw new Error(`The convert job said nothing of ${source.name}.`)
  convertBalance(source.name, report)
  const problem = report.refusal ?? tooManyRejects(source.name, report, contract.maxRejectShare)
  return {
    report,
    ...(problem && { problem }),
    values: (column, reasons) => (report.rejected > 0 ? valuesIn(rejects, dir, column, reasons) : Promise.resolve([])),
  }
}

async function valuesIn(parquet: string, dir: string, column: string, reasons: RejectReason[]) {
  const session = await openSession(dir, 2, 256)
  try {
    const rows = await session.rows(
      `SELECT DISTINCT value FROM read_parquet(${text(parquet)})
       WHERE column_name = ${text(column)} AND reason IN (${reasons.map(text).join(', ')}) LIMIT ${MOST_VALUES + 1}`,
    )
    return rows.length > MOST_VALUES ? undefined : rows.map(({ value }) => String(value ?? ''))
  } finally {
    session.close()
  }
}
