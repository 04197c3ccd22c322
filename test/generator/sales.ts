import { Readable } from 'node:stream'
import { BAD_KINDS, type BadKind, spoilt } from './bad-rows.ts'
import { orderIds, seeded, shuffle } from './random.ts'
import { CHANNELS, ITEMS, LONGEST_SHIPPING_DAYS, MOST_UNITS, PRIORITIES } from './real-values.ts'
import { COUNTRIES, fieldsOf, ORDER_DAYS, type Row, RowWriter } from './row.ts'

export type SalesOptions = {
  /** Data rows, bad ones included, the header not. @default 5000 */
  rows?: number
  /** The same seed and options give the same bytes. @default 1 */
  seed?: number
  /** Share of bad rows, 0 to 1; `rows * badShare` of them, rounded, at seeded places. @default 0 */
  badShare?: number
  /** Kinds of bad rows, taken in turn. @default all */
  badKinds?: readonly BadKind[]
  /** How many of the 185 countries occur. @default 185 */
  countries?: number
  /** Exactly one bad row, at line 6 with Order Date `13/20/2015`, as in the real file. @default false */
  likeReal?: boolean
  /** As the real file has it. @default '\n' */
  lineEnd?: '\n' | '\r\n'
}

export type SalesSummary = {
  rows: number
  good: number
  bad: number
  byKind: Partial<Record<BadKind, number>>
  /** The first bad lines, 1-based, the header being line 1; at most `LINES_KEPT`. */
  lines: { line: number; kind: BadKind }[]
  bytes: number
}

export const LINES_KEPT = 1000
const REAL_BAD_LINE = 6
/** So many rounds over all countries open the file: each has rows enough for the sample query's two best. */
const OPENING_ROUNDS = 3

/**
 * A sales file in the real file's shape, made as it is read.
 * @returns the bytes, and a summary that throws until they have all been read.
 * @throws RangeError for options out of range.
 */
export function generateSales(options: SalesOptions = {}): { stream: Readable; summary: () => SalesSummary } {
  const checked = check(options)
  let done: SalesSummary | undefined
  function* chunks(): Generator<Buffer> {
    done = yield* write(checked)
  }
  return {
    stream: Readable.from(chunks(), { objectMode: false }),
    summary: () => {
      if (!done) throw new Error('The summary of a generated file is known when its last byte has been read.')
      return done
    },
  }
}

function check(options: SalesOptions): Required<SalesOptions> {
  const checked = {
    rows: options.rows ?? 5000,
    seed: options.seed ?? 1,
    badShare: options.badShare ?? 0,
    badKinds: options.badKinds ?? BAD_KINDS,
    countries: options.countries ?? COUNTRIES.length,
    likeReal: options.likeReal ?? false,
    lineEnd: options.lineEnd ?? '\n',
  }
  const { rows, seed, badShare, badKinds, countries, likeReal } = checked
  if (!Number.isSafeInteger(rows) || rows < 0) throw new RangeError(`rows: expected a whole number, found ${rows}.`)
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: expected a whole number, found ${seed}.`)
  if (!(badShare >= 0 && badShare <= 1)) throw new RangeError(`badShare: expected 0 to 1, found ${badShare}.`)
  if (badShare > 0 && badKinds.length === 0) throw new RangeError('badKinds: expected at least one kind.')
  if (!Number.isSafeInteger(countries) || countries < 1 || countries > COUNTRIES.length) {
    throw new RangeError(`countries: expected 1 to ${COUNTRIES.length}, found ${countries}.`)
  }
  if (likeReal && badShare > 0) throw new RangeError('badShare: a file like the real one has one bad row, no share.')
  if (likeReal && rows < COUNTRIES.length) {
    throw new RangeError(`rows: a file like the real one holds all ${COUNTRIES.length} countries, found ${rows} rows.`)
  }
  return checked
}

function* write(options: Required<SalesOptions>): Generator<Buffer, SalesSummary> {
  const { rows, seed, badKinds, likeReal } = options
  const random = seeded(seed)
  const nextOrderId = orderIds(random)
  const countries = shuffle([...COUNTRIES.keys()], random).slice(0, options.countries)
  const row: Row = { country: 0, item: 0, channel: 0, priority: 0, orderDay: 0, orderId: 0, shipDay: 0, units: 0 }
  const summary: SalesSummary = { rows, good: 0, bad: 0, byKind: {}, lines: [], bytes: 0 }
  const writer = new RowWriter(options.lineEnd)
  // Selection sampling: each row is bad with the chance that leaves exactly this many bad rows at the end.
  let badLeft = Math.round(rows * options.badShare)

  writer.header()
  for (let index = 0; index < rows; index++) {
    const inOpening = index < countries.length * OPENING_ROUNDS
    row.country = countries[inOpening ? index % countries.length : random(countries.length)] as number
    row.item = random(ITEMS.length)
    row.channel = random(CHANNELS.length)
    row.priority = random(PRIORITIES.length)
    row.orderDay = random(ORDER_DAYS)
    row.shipDay = row.orderDay + random(LONGEST_SHIPPING_DAYS + 1)
    row.orderId = nextOrderId()
    row.units = 1 + random(MOST_UNITS)

    const line = index + 2
    let kind: BadKind | undefined
    if (likeReal && line === REAL_BAD_LINE) kind = 'bad_date'
    else if (badLeft > 0 && random(rows - index) < badLeft) {
      kind = badKinds[summary.bad % badKinds.length]
      badLeft--
    }
    if (kind === undefined) writer.row(row)
    else {
      writer.text(spoilt(kind, fieldsOf(row)))
      summary.bad++
      summary.byKind[kind] = (summary.byKind[kind] ?? 0) + 1
      if (summary.lines.length < LINES_KEPT) summary.lines.push({ line, kind })
    }
    if (writer.full) yield counted(writer.take(), summary)
  }
  yield counted(writer.take(), summary)
  summary.good = rows - summary.bad
  return summary
}

function counted(chunk: Buffer, summary: SalesSummary): Buffer {
  summary.bytes += chunk.length
  return chunk
}
