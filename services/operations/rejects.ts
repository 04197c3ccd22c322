import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GetObjectCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { RejectReason } from '../../schemas/report.ts'
import { openSession, type Session, withTempDir } from '../engine/duckdb/session.ts'
import { text } from '../engine/duckdb/sql.ts'
import type { Run } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'
import { memberRuns } from './follow.ts'
import { headerLine } from './header-line.ts'

/** MiB: rows are streamed, so the file's size does not count. */
const MEMORY = 256

export type RejectedRow = {
  /** Null where the engine need not know it. */
  line: number | null
  /** Null where the row as a whole is wrong. */
  column: string | null
  value: string | null
  reason: RejectReason
  /** The line as it was in the file; of one longer than 1,000,000 bytes, its beginning. */
  original: string
}
export type ReasonCount = { reason: string; column: string | null; rows: number }

export type Rejects = {
  /** Most frequent first. */
  summary: ReasonCount[]
  /** In the order of the file. @param limit @default all */
  rows: (limit?: number) => AsyncIterable<RejectedRow>
}

/** What cannot be shown, in words: not there any more, or never there. */
export class NotThere extends Error {}

type Deps = Pick<Landfall, 's3' | 'ledger' | 'quarantineBucket'>

const isGone = (error: unknown) =>
  error instanceof S3ServiceException && [404, 405].includes(error.$metadata.httpStatusCode ?? 0)

/**
 * The run that has the rows: of a zip with one CSV, that one's.
 * @throws NotThere naming the members, where there are several
 */
export async function runWithRows({ ledger }: Pick<Deps, 'ledger'>, run: Run): Promise<Run> {
  if (run.kind === 'csv') return run
  const members = (await Promise.all(memberRuns(run).map((ref) => ledger.run(ref)))).flatMap((member) => member ?? [])
  if (members.length === 1 && members[0]) return members[0]
  const lines = members.map(({ runId, key, rejected = 0 }) => `\n  ${runId}  ${key}  ${rejected} rejected`)
  throw new NotThere(
    members.length === 0
      ? `${run.key} is a zip of which no member has been taken in (it is ${run.state}): there are no rows of it.`
      : `${run.key} is a zip with ${members.length} CSVs. Name the run of one:${lines.join('')}`,
  )
}

/**
 * Reads the rejected rows of a run from the quarantine. Memory does not grow with their number.
 * @throws NotThere when the quarantine has them no more
 */
export async function withRejects<T>(
  { s3, quarantineBucket }: Deps,
  run: Run,
  use: (rejects: Rejects) => Promise<T>,
): Promise<T> {
  if (!run.rejected) return await use({ summary: [], rows: async function* () {} })
  const key = `rejects/${run.dataset}/${run.sourceId}/${run.typedBy?.runId ?? run.runId}.parquet`
  return await withTempDir(async (dir) => {
    const file = join(dir, 'rejects.parquet')
    await download(s3, quarantineBucket, key, file)
    const session = await openSession(dir, 2, MEMORY)
    try {
      return await use({ summary: await summaryOf(session, file), rows: (limit) => rowsOf(session, file, limit) })
    } finally {
      session.close()
    }
  })
}

async function download(s3: S3Client, bucket: string, key: string, file: string): Promise<void> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    await pipeline(Body as Readable, createWriteStream(file))
  } catch (error) {
    if (!isGone(error)) throw error
    throw new NotThere(`The rejected rows are not in the quarantine any more (${bucket}/${key}).`, { cause: error })
  }
}

async function summaryOf(session: Session, file: string): Promise<ReasonCount[]> {
  const rows = await session.rows(
    `SELECT reason, column_name, CAST(count(*) AS DOUBLE) AS n FROM read_parquet(${text(file)})
     GROUP BY ALL ORDER BY n DESC, reason, column_name`,
  )
  return rows.map(({ reason, column_name, n }) => ({
    reason: String(reason),
    column: column_name === null ? null : String(column_name),
    rows: Number(n),
  }))
}

async function* rowsOf(session: Session, file: string, limit?: number): AsyncGenerator<RejectedRow> {
  const some = limit === undefined ? '' : ` LIMIT ${limit}`
  const sql = `SELECT line, column_name, value, reason, original FROM read_parquet(${text(file)})${some}`
  for await (const rows of session.stream(sql)) {
    for (const { line, column_name, value, reason, original } of rows)
      yield {
        line: line === null ? null : Number(line),
        column: column_name === null ? null : String(column_name),
        value: value === null ? null : String(value),
        reason: RejectReason.parse(reason),
        original: String(original ?? ''),
      }
  }
}

/** Bytes of a source that are asked for at first; a longer header takes a second look. */
const LOOKS = [64 * 1024, 4 * 1024 ** 2]

/**
 * The header line of the very version that a run read, from the first bytes of it in the raw zone.
 * @param quote where one record may have several lines
 * @throws NotThere when the raw zone has that version no more
 */
export async function sourceHeader({ s3 }: Pick<Deps, 's3'>, run: Run, quote?: string): Promise<string> {
  const { bucket: Bucket, key: Key, versionId } = run
  const version = versionId === 'null' ? {} : { VersionId: versionId }
  for (const bytes of LOOKS) {
    try {
      const get = new GetObjectCommand({ Bucket, Key, ...version, Range: `bytes=0-${bytes - 1}` })
      const { Body } = await s3.send(get)
      const line = await headerLine(Body as Readable, { gzip: /\.gz$/i.test(Key), quote, whole: run.bytes <= bytes })
      if (line !== undefined) return line
    } catch (error) {
      if (!isGone(error)) throw error
      throw new NotThere(
        `The header cannot be shown: version ${versionId} of ${Key}, which this run read, is not in the raw bucket any more. With --no-header the lines come without it.`,
        { cause: error },
      )
    }
  }
  throw new NotThere(`No header line was found in the first ${LOOKS.at(-1)} bytes of version ${versionId} of ${Key}.`)
}
