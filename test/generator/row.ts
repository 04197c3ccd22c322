import {
  CHANNELS,
  FIRST_ORDER,
  HEADER,
  ITEMS,
  LAST_ORDER,
  LONGEST_SHIPPING_DAYS,
  PRIORITIES,
  REGIONS,
} from './real-values.ts'

/** One row as numbers: positions in the lists below. It is drawn into again and again, so that a row allocates nothing. */
export type Row = {
  country: number
  item: number
  channel: number
  priority: number
  orderDay: number
  orderId: number
  shipDay: number
  units: number
}

export const COUNTRIES = Object.entries(REGIONS).flatMap(([region, names]) => names.map((name) => ({ region, name })))

const DAY = 86_400_000
export const ORDER_DAYS = (LAST_ORDER - FIRST_ORDER) / DAY + 1

/** `4/20/2017`: month and day are not padded. */
function dateText(day: number): string {
  const date = new Date(FIRST_ORDER + day * DAY)
  return `${date.getUTCMonth() + 1}/${date.getUTCDate()}/${date.getUTCFullYear()}`
}

const DATES = Array.from({ length: ORDER_DAYS + LONGEST_SHIPPING_DAYS }, (_, day) => dateText(day))

const cents = (amount: number) => `${Math.floor(amount / 100)}.${String(amount % 100).padStart(2, '0')}`

function at<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) throw new RangeError(`no value at ${index} of ${values.length}`)
  return value
}

/** The row's fourteen values as text: the slow way, for rows that are then spoilt. */
export function fieldsOf(row: Row): string[] {
  const { region, name } = at(COUNTRIES, row.country)
  const item = at(ITEMS, row.item)
  return [
    region,
    name,
    item.name,
    at(CHANNELS, row.channel),
    at(PRIORITIES, row.priority),
    at(DATES, row.orderDay),
    String(row.orderId),
    at(DATES, row.shipDay),
    String(row.units),
    cents(item.price),
    cents(item.cost),
    cents(row.units * item.price),
    cents(row.units * item.cost),
    cents(row.units * (item.price - item.cost)),
  ]
}

const bytes = (texts: readonly string[]) => texts.map((text) => Buffer.from(text, 'latin1'))
const SEGMENTS = {
  header: Buffer.from(HEADER, 'latin1'),
  countries: bytes(COUNTRIES.map(({ region, name }) => `${region},${name},`)),
  items: bytes(ITEMS.map(({ name }) => `${name},`)),
  channels: bytes(CHANNELS.map((name) => `${name},`)),
  priorities: bytes(PRIORITIES.map((name) => `${name},`)),
  dates: bytes(DATES.map((text) => `${text},`)),
  prices: bytes(ITEMS.map(({ price, cost }) => `,${cents(price)},${cents(cost)},`)),
}

/** No row, spoilt or not, is longer than this. */
const LONGEST_ROW = 512
const COMMA = 44
const DOT = 46
const ZERO = 48

/** Writes rows as bytes into chunks; only a chunk allocates. Handing a chunk over gives it away. */
export class RowWriter {
  readonly #chunkBytes: number
  readonly #lineEnd: Buffer
  #chunk: Buffer
  #at = 0

  constructor(lineEnd: string, chunkBytes = 1 << 20) {
    this.#chunkBytes = chunkBytes
    this.#lineEnd = Buffer.from(lineEnd, 'latin1')
    this.#chunk = Buffer.allocUnsafe(chunkBytes)
  }

  /** True when the chunk may not hold another row. */
  get full(): boolean {
    return this.#at + LONGEST_ROW > this.#chunkBytes
  }

  take(): Buffer {
    const taken = this.#chunk.subarray(0, this.#at)
    this.#chunk = Buffer.allocUnsafe(this.#chunkBytes)
    this.#at = 0
    return taken
  }

  header(): void {
    this.#copy(SEGMENTS.header)
    this.#copy(this.#lineEnd)
  }

  text(line: string): void {
    this.#at += this.#chunk.write(line, this.#at, 'latin1')
    this.#copy(this.#lineEnd)
  }

  row(row: Row): void {
    const item = at(ITEMS, row.item)
    this.#copy(at(SEGMENTS.countries, row.country))
    this.#copy(at(SEGMENTS.items, row.item))
    this.#copy(at(SEGMENTS.channels, row.channel))
    this.#copy(at(SEGMENTS.priorities, row.priority))
    this.#copy(at(SEGMENTS.dates, row.orderDay))
    this.#digits(row.orderId)
    this.#chunk[this.#at++] = COMMA
    this.#copy(at(SEGMENTS.dates, row.shipDay))
    this.#digits(row.units)
    this.#copy(at(SEGMENTS.prices, row.item))
    this.#money(row.units * item.price)
    this.#chunk[this.#at++] = COMMA
    this.#money(row.units * item.cost)
    this.#chunk[this.#at++] = COMMA
    this.#money(row.units * (item.price - item.cost))
    this.#copy(this.#lineEnd)
  }

  /** A loop of our own: for so few bytes `set` costs more than it copies. */
  #copy(segment: Buffer): void {
    const chunk = this.#chunk
    let to = this.#at
    for (let from = 0; from < segment.length; from++) chunk[to++] = segment[from] as number
    this.#at = to
  }

  #digits(value: number): void {
    let length = 1
    for (let power = 10; value >= power; power *= 10) length++
    this.#at += length
    let to = this.#at
    let rest = value
    do {
      const tenth = Math.floor(rest / 10)
      this.#chunk[--to] = ZERO + rest - tenth * 10
      rest = tenth
    } while (rest > 0)
  }

  #money(amount: number): void {
    const whole = Math.floor(amount / 100)
    const part = amount - whole * 100
    this.#digits(whole)
    const tens = Math.floor(part / 10)
    this.#chunk[this.#at++] = DOT
    this.#chunk[this.#at++] = ZERO + tens
    this.#chunk[this.#at++] = ZERO + part - tens * 10
  }
}
