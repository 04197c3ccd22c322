import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'
import { open } from 'yauzl-promise'
import { BAD_KINDS, type BadKind } from './bad-rows.ts'
import { CHANNELS, HEADER, ITEMS, MEMBER_NAME, PRIORITIES, REGIONS } from './real-values.ts'
import { generateSales, LINES_KEPT, type SalesOptions } from './sales.ts'
import { writeZip } from './zip.ts'

const folder = mkdtempSync(join(tmpdir(), 'landfall-generator-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function made(options: SalesOptions) {
  const { stream, summary } = generateSales(options)
  const bytes = await buffer(stream)
  const [header, ...lines] = bytes.toString('latin1').split(options.lineEnd ?? '\n')
  // The file ends with a line's end.
  expect(lines.pop()).toBe('')
  return { bytes, header, lines, rows: lines.map((line) => line.split(',')), summary: summary() }
}

const column = (rows: string[][], index: number) => rows.map((row) => row[index] ?? '')

/** What the real file and a generated one have in common, whatever their rows. */
function shapeOf(text: string) {
  const [header, ...lines] = text.trimEnd().split('\n')
  const rows = lines.map((line) => line.split(','))
  const distinct = (index: number) => [...new Set(column(rows, index))].sort()
  return {
    header,
    rows: rows.length,
    regions: distinct(0),
    countries: [...new Set(rows.map(([region, country]) => `${region}/${country}`))].sort(),
    itemsWithPrices: [...new Set(rows.map((row) => `${row[2]} ${row[9]} ${row[10]}`))].sort(),
    channels: distinct(3),
    priorities: distinct(4),
    badDates: rows.flatMap((row, index) =>
      Number(row[5]?.split('/')[0]) > 12 ? [`line ${index + 2}: ${row[5]}`] : [],
    ),
    distinctOrderIds: distinct(6).length,
    form: [...new Set(lines.map((line) => line.replaceAll(/\d+/g, '0').replace(/^.*?,[^,]*,[^,]*,[^,]*,[^,]*/, '')))],
    carriageReturns: text.includes('\r'),
  }
}

describe('a generated sales file', () => {
  it('is the same bytes for the same seed, and others for another', async () => {
    const options = { rows: 30_000, badShare: 0.01 }
    const first = await made({ ...options, seed: 7 })
    expect((await made({ ...options, seed: 7 })).bytes.equals(first.bytes)).toBe(true)
    expect((await made({ ...options, seed: 8 })).bytes.equals(first.bytes)).toBe(false)
  })

  it('has the header, the rows and the bytes that its summary says, over several chunks', async () => {
    const { header, lines, bytes, summary } = await made({ rows: 20_000 })
    expect(header).toBe(HEADER)
    expect(lines).toHaveLength(20_000)
    expect(summary).toEqual({ rows: 20_000, good: 20_000, bad: 0, byKind: {}, lines: [], bytes: bytes.length })
  })

  it('computes revenue, cost and profit to the cent', async () => {
    const { rows } = await made({ rows: 2000, seed: 3 })
    const cents = (text: string | undefined) => Number(text?.replace('.', ''))
    for (const row of rows) {
      const units = Number(row[8])
      expect(cents(row[11])).toBe(units * cents(row[9]))
      expect(cents(row[12])).toBe(units * cents(row[10]))
      expect(cents(row[13])).toBe(cents(row[11]) - cents(row[12]))
      expect(row.slice(9).every((text) => /^\d+\.\d\d$/.test(text))).toBe(true)
    }
  })

  it('ships an order within fifty days, never before it', async () => {
    const { rows } = await made({ rows: 2000 })
    for (const row of rows) {
      const days = (Date.parse(row[7] ?? '') - Date.parse(row[5] ?? '')) / 86_400_000
      expect(Math.round(days)).toBeGreaterThanOrEqual(0)
      expect(Math.round(days)).toBeLessThanOrEqual(50)
    }
  })

  it('gives each order an id of nine digits of its own', async () => {
    const ids = column((await made({ rows: 100_000 })).rows, 6)
    expect(new Set(ids).size).toBe(100_000)
    expect(ids.every((id) => /^[1-9]\d{8}$/.test(id))).toBe(true)
  })

  it('ends lines with CRLF when told to', async () => {
    const { bytes, rows } = await made({ rows: 10, lineEnd: '\r\n' })
    expect(bytes.toString().match(/\r\n/g)).toHaveLength(11)
    expect(rows.every((row) => row.length === 14)).toBe(true)
  })

  it('holds as many countries as asked for', async () => {
    const { rows } = await made({ rows: 200, countries: 5 })
    expect(new Set(column(rows, 1)).size).toBe(5)
  })

  it('of no rows is its header', async () => {
    expect((await made({ rows: 0 })).bytes.toString()).toBe(`${HEADER}\n`)
  })

  it('does not know its summary before it is read', () => {
    expect(() => generateSales({ rows: 1 }).summary()).toThrow('known when its last byte has been read')
  })

  it.each<[string, SalesOptions]>([
    ['rows: expected a whole number, found 1.5.', { rows: 1.5 }],
    ['badShare: expected 0 to 1, found 2.', { badShare: 2 }],
    ['countries: expected 1 to 185, found 186.', { countries: 186 }],
    ['one bad row, no share', { likeReal: true, badShare: 0.1 }],
    ['holds all 185 countries, found 10 rows', { likeReal: true, rows: 10 }],
  ])('is not made for wrong options: %s', (message, options) => {
    expect(() => generateSales(options)).toThrow(message)
  })
})

describe('bad rows', () => {
  /** The one field of a bad row that tells its kind. */
  const LOOKS: Record<BadKind, (row: string[]) => boolean> = {
    bad_date: (row) => row[5] === '13/20/2015',
    too_few_fields: (row) => row.length === 13,
    too_many_fields: (row) => row.length === 15,
    over_precise_decimal: (row) => /^\d+\.\d\d5$/.test(row[9] ?? ''),
    overflow_decimal: (row) => row[11] === '123456789012.34',
    overflow_int: (row) => row[8] === '3000000000',
    not_an_integer: (row) => /^\d+\.5$/.test(row[8] ?? ''),
    unclosed_quote: (row) => row[1]?.startsWith('"') === true,
  }
  const isKind = (kind: BadKind, row: string[] | undefined) => row !== undefined && LOOKS[kind](row)

  it('are as many as the share says, of each kind alike, on the lines that the summary names', async () => {
    const { rows, summary } = await made({ rows: 8000, badShare: 0.05, seed: 5 })
    expect(summary).toMatchObject({ bad: 400, good: 7600 })
    expect(Object.keys(summary.byKind).sort()).toEqual([...BAD_KINDS].sort())
    for (const kind of BAD_KINDS) {
      const found = rows.flatMap((row, index) => (isKind(kind, row) ? [index + 2] : []))
      expect(found).toHaveLength(50)
      expect(found).toEqual(summary.lines.filter((bad) => bad.kind === kind).map(({ line }) => line))
    }
  })

  it('are of the chosen kinds only', async () => {
    const { rows, summary } = await made({ rows: 500, badShare: 1, badKinds: ['bad_date', 'unclosed_quote'] })
    expect(summary.byKind).toEqual({ bad_date: 250, unclosed_quote: 250 })
    expect(rows.every((row) => isKind('bad_date', row) || isKind('unclosed_quote', row))).toBe(true)
  })

  it('are named by line up to a bound, and counted beyond it', async () => {
    const { summary } = await made({ rows: 3000, badShare: 1 })
    expect(summary.bad).toBe(3000)
    expect(summary.lines).toHaveLength(LINES_KEPT)
  })
})

describe('a file like the real one', () => {
  const BLANK_ENDED = [
    'Antigua and Barbuda ',
    'Mauritius ',
    'Moldova ',
    'Saint Kitts and Nevis ',
    'Samoa ',
    'Seychelles ',
    'Tunisia ',
  ]

  it('has 5,000 rows, 185 countries, one bad row at line 6 and seven names with a trailing blank', async () => {
    for (const seed of [1, 2, 3]) {
      const { rows, summary } = await made({ likeReal: true, seed })
      expect(summary).toMatchObject({ rows: 5000, good: 4999, bad: 1, lines: [{ line: 6, kind: 'bad_date' }] })
      expect(rows[4]?.[5]).toBe('13/20/2015')
      const countries = [...new Set(column(rows, 1))].sort()
      expect(countries).toHaveLength(185)
      expect(countries.filter((name) => name !== name.trim())).toEqual(BLANK_ENDED)
      const good = rows.filter((_row, index) => index !== 4)
      expect(new Set(column(good, 1)).size).toBe(185)
      for (const country of ['Canada', 'United States of America']) {
        expect(good.filter((row) => row[1] === country).length).toBeGreaterThanOrEqual(2)
      }
    }
  })

  it('names each country once, in seven regions', () => {
    const countries = Object.values(REGIONS).flat()
    expect(new Set(countries).size).toBe(185)
    expect(Object.keys(REGIONS)).toHaveLength(7)
    expect([ITEMS.length, CHANNELS.length, PRIORITIES.length]).toEqual([12, 2, 4])
  })

  const REAL = resolve(import.meta.dirname, '../../../shared/data/5000-Sales-Records.zip')
  const why = existsSync(REAL) ? '' : ' (skipped: ../shared/data/5000-Sales-Records.zip is not on this machine)'
  it.skipIf(why)(`has the shape of the real file itself${why}`, async () => {
    const real = await members(REAL)
    expect(real.map(({ name }) => name)).toEqual([MEMBER_NAME])
    const generated = await made({ likeReal: true })
    expect(shapeOf(generated.bytes.toString('latin1'))).toEqual(shapeOf(real[0]?.bytes.toString('latin1') ?? ''))
  })
})

async function members(path: string): Promise<{ name: string; bytes: Buffer }[]> {
  const zip = await open(path)
  const found = []
  for await (const entry of zip) found.push({ name: entry.filename, bytes: await buffer(await entry.openReadStream()) })
  await zip.close()
  return found
}

describe('a generated zip', () => {
  it('gives its members back, in order', async () => {
    const path = join(folder, 'two.zip')
    const first = await made({ rows: 1000, seed: 1 })
    const second = await made({ rows: 20_000, seed: 2 })
    await writeZip(path, [
      { name: MEMBER_NAME, stream: () => generateSales({ rows: 1000, seed: 1 }).stream },
      { name: 'eu/more sales.csv', stream: generateSales({ rows: 20_000, seed: 2 }).stream, compress: false },
    ])
    const found = await members(path)
    expect(found.map(({ name }) => name)).toEqual([MEMBER_NAME, 'eu/more sales.csv'])
    expect(found.map(({ bytes }, index) => bytes.equals([first, second][index]?.bytes ?? Buffer.alloc(0)))).toEqual([
      true,
      true,
    ])
  })

  it('is the same bytes for the same rows', async () => {
    const paths = [join(folder, 'a.zip'), join(folder, 'b.zip')]
    for (const path of paths) await writeZip(path, [{ name: 'a.csv', stream: generateSales({ rows: 500 }).stream }])
    const [a, b] = paths.map((path) => readFileSync(path))
    expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true)
  })

  it('fails when a member cannot be read', async () => {
    const { stream } = generateSales({ rows: 10 })
    const failing = () => stream.destroy(new Error('the source broke'))
    await expect(writeZip(join(folder, 'broken.zip'), [{ name: 'a.csv', stream: failing }])).rejects.toThrow(
      'the source broke',
    )
  })
})
