import { createWriteStream } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { type Readable, Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { BAD_KINDS, type BadKind, isBadKind } from './bad-rows.ts'
import { MEMBER_NAME } from './real-values.ts'
import { generateSales, type SalesSummary } from './sales.ts'
import { writeZip } from './zip.ts'

/** What the exit code says. */
const EXIT = { done: 0, notWritten: 1, wrongUse: 2 } as const

type Options = {
  rows: number
  seed: number
  badShare: number
  badKinds: BadKind[]
  countries?: number
  likeReal?: boolean
  crlf?: boolean
  zip?: boolean
  json?: boolean
  out: string
}

function number(text: string): number {
  const value = Number(text.replaceAll('_', ''))
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.')
  return value
}

function kinds(text: string): BadKind[] {
  return text.split(',').map((kind) => {
    if (!isBadKind(kind)) throw new InvalidArgumentError(`No such kind. Expected some of ${BAD_KINDS.join(', ')}.`)
    return kind
  })
}

const command = new Command('generate')
  .description('Writes a sales file in the shape of the real one.')
  .requiredOption('-o, --out <file>', 'where to write; - for standard output')
  .option('-n, --rows <n>', 'data rows', number, 5000)
  .option('-s, --seed <n>', 'the same seed gives the same bytes', number, 1)
  .option('--bad-share <share>', 'share of bad rows, 0 to 1', number, 0)
  .option('--bad-kinds <kinds>', 'kinds of bad rows, by comma', kinds, BAD_KINDS)
  .option('--countries <n>', 'how many of the 185 countries occur', number)
  .option('--like-real', '185 countries, one bad row at line 6, seven names with a trailing blank')
  .option('--crlf', 'end lines with CRLF')
  .option('--zip', `write a zip, with the rows in ${MEMBER_NAME}`)
  .option('--json', 'print the summary as JSON')
  .addHelpText('after', '\nExit codes: 0 written, 1 not written, 2 wrong use.')
  .exitOverride()

/** Says how far it is once two seconds have passed, then every two seconds. */
function progress(): Transform {
  const started = performance.now()
  let bytes = 0
  let said = started
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      const now = performance.now()
      if (now - said > 2000) {
        said = now
        process.stderr.write(`${Math.round(bytes / 1e6)} MB of rows in ${Math.round((now - started) / 1000)} s\n`)
      }
      done(null, chunk)
    },
  })
}

async function write(options: Options, rows: Readable): Promise<void> {
  const toStdout = options.out === '-'
  const target: Writable = toStdout ? process.stdout : createWriteStream(options.out)
  let opened = false
  target.once('open', () => {
    opened = true
  })
  const watched = progress()
  rows.once('error', (error) => watched.destroy(error))
  try {
    if (options.zip) await writeZip(target, [{ name: MEMBER_NAME, stream: rows.pipe(watched) }])
    else await pipeline(rows, watched, target)
  } catch (error) {
    // A file that looks finished and is not would be landed; one that was never opened is not ours to remove.
    if (opened && !toStdout) await unlink(options.out).catch(() => undefined)
    throw error
  }
}

function report(options: Options, summary: SalesSummary): void {
  if (options.json && options.out !== '-') {
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    return
  }
  const bad = Object.entries(summary.byKind).map(([kind, rows]) => `${kind} ${rows.toLocaleString('en')}`)
  const counts = `${summary.rows.toLocaleString('en')} rows, ${summary.bad.toLocaleString('en')} of them bad`
  process.stderr.write(`${options.out}: ${counts}${bad.length ? ` (${bad.join(', ')})` : ''}\n`)
}

async function main(): Promise<number> {
  let options: Options
  let file: ReturnType<typeof generateSales>
  try {
    options = command.parse().opts<Options>()
    file = generateSales({ ...options, lineEnd: options.crlf ? '\r\n' : '\n' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUse
    if (!(error instanceof RangeError)) throw error
    process.stderr.write(`${error.message}\n`)
    return EXIT.wrongUse
  }
  try {
    await write(options, file.stream)
  } catch (error) {
    process.stderr.write(`Could not write ${options.out}: ${error instanceof Error ? error.message : error}\n`)
    return EXIT.notWritten
  }
  report(options, file.summary())
  return EXIT.done
}

process.exitCode = await main()
