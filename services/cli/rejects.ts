import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Run } from '../ledger/run.ts'
import type { Landfall } from '../operations/connect.ts'
import { findRun } from '../operations/find-run.ts'
import {
  type ReasonCount,
  type RejectedRow,
  type Rejects,
  runWithRows,
  sourceHeader,
  withRejects,
} from '../operations/rejects.ts'
import { contractsHere } from './contracts.ts'
import { EXIT, WrongUsage } from './exit.ts'
import { count, plural, table, visible } from './format.ts'
import { target } from './runtime.ts'
import { print, rejectLine, say, shortId } from './screen.ts'

type Options = { limit?: number; csv?: boolean; header: boolean; json?: boolean; aws?: boolean }

const LIMIT = 20
/** Rows that are aligned with each other: as many are in memory at a time. */
const ALIGNED = 500
/** Of the original line, in a table. */
const SHOWN = 100

export async function rejects(text: string, options: Options): Promise<number> {
  if (options.csv && options.json)
    throw new WrongUsage('--csv and --json are two forms of the same answer: choose one.')
  if (!options.header && !options.csv) throw new WrongUsage('--no-header belongs to --csv.')
  const landfall = await target(options.aws ?? false)
  try {
    const run = await runWithRows(landfall, await findRun(landfall, text))
    const limit = options.limit ?? LIMIT
    await withRejects(landfall, run, async (found) => {
      if (options.csv) await printCsv(landfall, run, found, options)
      else if (options.json) await write(jsonChunks(run, found, limit))
      else await printTables(run, found, limit)
    })
    return EXIT.done
  } finally {
    landfall.close()
  }
}

/** As fast as the reader takes it. One that has seen enough, as head has, ends it. */
async function write(chunks: AsyncIterable<string>): Promise<void> {
  try {
    await pipeline(Readable.from(chunks), process.stdout, { end: false })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  }
}

async function* jsonChunks(run: Run, { summary, rows }: Rejects, limit: number): AsyncGenerator<string> {
  const { runId, key, rejected = 0 } = run
  yield `{"run":${JSON.stringify(runId)},"key":${JSON.stringify(key)},"rejected":${rejected},"summary":${JSON.stringify(summary)},"rows":[`
  let first = true
  for await (const row of rows(limit)) {
    yield `${first ? '' : ','}${JSON.stringify(row)}`
    first = false
  }
  yield ']}\n'
}

const summaryTable = (summary: ReasonCount[]) =>
  table([
    ['reason', 'column', 'rows'],
    ...summary.map(({ reason, column, rows }) => [reason, visible(column ?? '(row)'), count(rows)]),
  ])

const rowTable = (rows: RejectedRow[]) =>
  table([
    ['line', 'column', 'value', 'reason', 'original'],
    ...rows.map((row) => [...rejectLine(row).map((cell) => visible(cell, SHOWN)), visible(row.original, SHOWN)]),
  ])

async function printTables(run: Run, { summary, rows }: Rejects, limit: number): Promise<void> {
  const { rejected = 0, rowsIn } = run
  if (rejected === 0) {
    print(`No row of ${visible(run.key)} was rejected${rowsIn === undefined ? '; none has been counted' : ''}.`)
    return
  }
  const taken = run.state === 'refused' ? '; the file was refused, so none of its rows was taken' : ''
  print(`${count(rejected)} of ${plural(rowsIn ?? rejected, 'row')} of ${visible(run.key)} were rejected${taken}:`)
  print(`${summaryTable(summary)}\n`)
  let chunk: RejectedRow[] = []
  for await (const row of rows(limit)) {
    chunk.push(row)
    if (chunk.length < ALIGNED) continue
    print(rowTable(chunk))
    chunk = []
  }
  if (chunk.length > 0) print(rowTable(chunk))
  const all = `landfall rejects ${shortId(run)} --csv gives the lines themselves`
  say(`\n${rejected > limit ? `… and ${count(rejected - limit)} more (--limit). ` : ''}${all}, to mend and land again.`)
}

async function printCsv(landfall: Landfall, run: Run, { rows }: Rejects, { limit, header }: Options): Promise<void> {
  const { rejected = 0, key } = run
  if (rejected === 0) return say(`No row of ${visible(key)} was rejected.`)
  const source = contractsHere().get(run.dataset)?.source
  const multiline: boolean = source?.multiline ?? false
  const first = header ? await sourceHeader(landfall, run, multiline ? source?.quote : undefined) : undefined
  const seen = { lines: 0, cut: 0, notUtf8: 0 }
  await write(
    (async function* () {
      if (first !== undefined) yield `${first}\n`
      for await (const { original, reason } of rows(limit)) {
        seen.lines++
        if (reason === 'invalid_encoding') seen.notUtf8++
        if (reason === 'malformed_row' && original.length >= KEPT_OF_LONG_LINE) seen.cut++
        yield `${original}\n`
      }
    })(),
  )
  say(`${plural(seen.lines, 'line')} of ${visible(key)}. ${landWords(run)}`)
  if (seen.notUtf8 > 0) say(`${plural(seen.notUtf8, 'line')} had bytes that are no UTF-8; they show as U+FFFD here.`)
  if (seen.cut > 0)
    say(`${plural(seen.cut, 'line')} may be longer in the file: of overlong ones, only the beginning is kept.`)
}

/** Bytes that the engines keep of a line that is longer than any may be. */
const KEPT_OF_LONG_LINE = 10_000

const landWords = (run: Run) =>
  run.state === 'refused'
    ? 'None of its rows was taken, so mend the whole file and land it under the same key.'
    : `Mend them and land them under another name: under the same one they would replace all other rows of the file.`
