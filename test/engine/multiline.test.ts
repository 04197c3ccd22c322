import { isUtf8 } from 'node:buffer'
import { afterEach, expect, test } from 'vitest'
import { parseContract } from '../../schemas/contract.ts'
import { MAX_LINE_BYTES } from '../../services/engine/duckdb/cleaner.ts'
import { runConvert } from '../../services/engine/duckdb/convert.ts'
import { trim, walk } from '../../services/engine/duckdb/record.ts'
import { fileIo } from '../../services/engine/io/file-io.ts'
import { longRecords, random } from './dirty.ts'
import { duckdb } from './duckdb.ts'
import { Bench, parquetText } from './suite.ts'

const contract = parseContract({
  dataset: 'small',
  source: { multiline: true },
  columns: [
    { source: 'Key', name: 'KEY', type: 'string' },
    { source: 'N', name: 'N', type: 'int' },
  ],
  partitionBy: 'KEY',
  table: { database: 'd', name: 't' },
})
const dialect = { delimiter: 44, quote: 34 }
const HEADER = 'Key,N\n'

let bench: Bench | undefined
afterEach(() => bench?.remove())

/** Byte by byte, what begins at `from`: where it ends, and whether it is a record, malformed or open to the end of all. */
function scan(latin1: string, from: number): { is: 'record' | 'malformed' | 'open'; end: number } {
  const lineEnd = (at: number) => at + latin1.slice(at).search(/[\r\n]|$/)
  for (let at = from; ; at += 1) {
    if (latin1[at] === '"') {
      for (at += 1; latin1[at] !== '"' || latin1[at + 1] === '"'; at += latin1[at] === '"' ? 2 : 1)
        if (at >= latin1.length) return { is: 'open', end: lineEnd(from) }
      at += 1
      if (!/^[,\r\n]?$/.test(latin1.charAt(at))) return { is: 'malformed', end: lineEnd(at) }
    } else {
      const blanks = /(?:[\t\v\f ]|\xc2\xa0)+"/y
      blanks.lastIndex = at
      if (blanks.test(latin1)) return { is: 'malformed', end: lineEnd(at) }
      while (at < latin1.length && !',\r\n'.includes(latin1.charAt(at))) at += 1
    }
    if (latin1[at] !== ',') return { is: 'record', end: at }
  }
}

/** What the grammar says of each record, without blocks, memory of lines looked at, or DuckDB. */
function reference(bytes: Buffer) {
  const latin1 = bytes.toString('latin1')
  const rows: (string | null)[][] = []
  const rejects: unknown[] = []
  for (let at = HEADER.length, line = 2; at < latin1.length; ) {
    const alone = at + latin1.slice(at).search(/[\r\n]|$/)
    const { is, end: whole } = scan(latin1, at)
    const joined = is === 'record' && whole - at <= MAX_LINE_BYTES
    const end = joined ? whole : alone
    const record = bytes.subarray(at, end)
    const original = record.toString('utf8')
    const fields: string[] = []
    if (joined)
      walk(record, dialect, (field, quoted) => {
        const text = Buffer.from(field).toString('utf8')
        fields.push(quoted ? text.replaceAll('""', '"') : text)
      })
    const [key = '', n = ''] = fields
    let wrong: string | null = null
    if (!isUtf8(record)) wrong = 'invalid_encoding'
    else if (!joined) wrong = is === 'malformed' && whole - at <= MAX_LINE_BYTES ? 'malformed_row' : 'unclosed_quote'
    else if (fields.length !== 2) wrong = fields.length < 2 ? 'too_few_fields' : 'too_many_fields'
    const number = /^[0-9]*$/.test(trim(n))
    if (trim(original) !== '') {
      if (wrong) rejects.push([line, null, wrong, original])
      else if (number) rows.push([trim(key) || null, trim(n) || null])
      else rejects.push([line, 'N', 'not_an_integer', original])
    }
    line += original.split(/\r\n|\r|\n/).length
    at = end + (latin1.startsWith('\r\n', end) ? 2 : 1)
  }
  return { rows, rejects }
}

async function converted(bytes: Buffer, sizes: Parameters<typeof runConvert>[2]) {
  bench = new Bench({ ...duckdb, convert: (manifest) => runConvert(manifest, fileIo, sizes) }, contract)
  const report = await bench.convert('x.csv', bytes)
  const parts = await Promise.all(report.parts.map(({ uri }) => parquetText(uri, '"KEY", "N"')))
  const rejects = report.rejects
    ? await parquetText(report.rejects.uri, 'line, column_name, reason, original', 'ORDER BY line')
    : []
  expect(report.rowsIn).toBe(parts.flat().length + rejects.length)
  bench.remove()
  return { rows: parts.flat(), rejects: rejects.map(([line, ...rest]) => [Number(line), ...rest]) }
}

const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort()
const GOOD = ['a,1', '"a",2', '"a\nb",3', 'c,"4\r\n"', '"\n\r",5', '"x ""y""\r,\n",6', '"q\n""\n","7"', '"k","\n"']
const ODD = [
  '"a\nb"',
  '"a\nb",x',
  'a,"1\n2"',
  '"a\nb",1,',
  '"a\n"b,1',
  'a,"\n',
  ' "a\n",1',
  'a"\n',
  '"',
  ',"',
  '","',
  '\n',
  '\xff',
]
const PIECES = [...'a1",\n\r \t', '\r\n', '""', '\u00a0', 'é', '","', '"\n', '\n"', ',"']

test.each(Array.from({ length: 40 }, (_, i) => i + 1))(
  'any bytes give the same records and rejects as the grammar alone (seed %i)',
  async (seed) => {
    const dice = random(seed)
    const ends = dice.pick([['\n'], ['\r\n'], ['\r'], ['\n', '\r\n', '\r']])
    const noise = () => Array.from({ length: dice.below(12) }, () => dice.pick(PIECES)).join('')
    const wild = dice.pick([0.02, 0.2, 0.6])
    const pieces = Array.from({ length: 1 + dice.below(200) }, () => {
      const text = dice.chance(wild) ? (dice.chance(0.5) ? dice.pick(ODD) : noise()) : dice.pick(GOOD)
      return Buffer.from(text + dice.pick(ends), text === '\xff' ? 'latin1' : 'utf8')
    })
    const bytes = Buffer.concat([Buffer.from(HEADER), ...pieces])
    const { rows, rejects } = reference(bytes)
    const found = await converted(bytes, {})
    expect(found.rejects).toEqual(rejects)
    expect(sorted(found.rows)).toEqual(sorted(rows))
  },
)

test.each([1, 2, 3, 4])('records are the same wherever blocks and segments of a source end (seed %i)', async (seed) => {
  const bytes = longRecords(seed)
  const { rows, rejects } = reference(bytes)
  const found = await converted(bytes, { segmentBytes: 500_000, blockBytes: 1_000_100 + seed * 77_777 })
  expect(found.rejects.length).toBeGreaterThan(100)
  expect(found.rejects).toEqual(rejects)
  expect(sorted(found.rows)).toEqual(sorted(rows))
})

// With each looking through those after it, up to the limit, it would be minutes.
test('many lines that leave a quote open are looked at once each', async () => {
  const lines = 100_000
  const { rejects, rows } = await converted(Buffer.from(`${HEADER}${'x","\n'.repeat(lines)}a,1\n`), {})
  expect(rejects).toHaveLength(lines)
  expect(rows).toEqual([['a', '1']])
})
