import { buffer } from 'node:stream/consumers'
import { COUNTRIES } from './row.ts'
import { generateSales } from './sales.ts'

export type ShopOptions = {
  files: number
  /** Of each file. @default 200 */
  rows?: number
  /** Of each file. @default 5 */
  countries?: number
  /** Of the first file; each next one has the next. @default 1 */
  seed?: number
}

export type ShopFile = { name: string; bytes: Buffer }

/** Rows of one country, and sums over them. Sums of many files are beyond what a double holds exactly. */
export type Totals = { rows: number; orderIds: bigint; cents: bigint }

/** What the shops of a chain send on one day: a file each, with other countries in each. The same options give the same bytes. */
export async function shopFiles({ files, rows = 200, countries = 5, seed = 1 }: ShopOptions): Promise<ShopFile[]> {
  const made: ShopFile[] = []
  for (let i = 0; i < files; i++)
    made.push({
      name: `shop-${String(i + 1).padStart(5, '0')}.csv`,
      bytes: await buffer(generateSales({ rows, countries, seed: seed + i }).stream),
    })
  return made
}

const [COUNTRY, ORDER_ID, REVENUE] = [1, 6, 11]

/** What the table is to hold of the files, by country: added up from their own text, with nothing of ours in between. */
export function totalsOf(files: ShopFile[]): Map<string, Totals> {
  const totals = new Map(COUNTRIES.map(({ name }) => [name.trim(), { rows: 0, orderIds: 0n, cents: 0n }]))
  for (const { bytes } of files)
    for (const line of bytes.toString().split('\n').slice(1)) {
      if (line === '') continue
      const fields = line.split(',')
      const total = totals.get(fields[COUNTRY]?.trim() ?? '')
      if (!total) throw new Error(`No country is in the line: ${line}`)
      total.rows += 1
      total.orderIds += BigInt(fields[ORDER_ID] ?? '')
      total.cents += centsOf(fields[REVENUE] ?? '')
    }
  return new Map([...totals].filter(([, { rows }]) => rows > 0))
}

/** `1234.5` and `1234.50` are the same amount. */
export function centsOf(amount: string): bigint {
  const [whole = '', decimals = ''] = amount.split('.')
  return BigInt(`${whole}${decimals.padEnd(2, '0')}`)
}
