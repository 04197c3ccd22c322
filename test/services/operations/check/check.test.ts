import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { aws } from '../../../../infra/config.ts'
import { type Contract, parseContract } from '../../../../schemas/contract.ts'
import { memberFolderOf } from '../../../../services/ledger/ids.ts'
import { apply, change } from '../../../../services/operations/check/change.ts'
import { checkFile } from '../../../../services/operations/check/check.ts'
import { extract } from '../../../../services/unzip/extract.ts'
import { ASSUMED_TIME } from '../../../../services/unzip/time.ts'
import { FIXTURES, LIMITS } from '../../../fixtures/zips/fixtures.ts'
import { FakeS3 } from '../../unzip/fake-s3.ts'
import { zipOf } from '../../unzip/zips.ts'

const dir = mkdtempSync(join(tmpdir(), 'landfall-check-test-'))
afterAll(() => rmSync(dir, { recursive: true }))

const shop = (more: object = {}): Contract =>
  parseContract({
    dataset: 'shop',
    columns: [
      { source: 'Order ID', name: 'ORDER_ID', type: 'int' },
      { source: 'Order Date', name: 'ORDER_DATE', type: 'date', formats: ['M/d/yyyy'] },
      { source: 'Price', name: 'PRICE', type: 'decimal(6,2)' },
      { source: 'Country', name: 'COUNTRY', type: 'string' },
    ],
    partitionBy: 'COUNTRY',
    table: { database: 'db', name: 'tab' },
    ...more,
  })
const HEADER = 'Order ID,Order Date,Price,Country'
const good = (n: number) => Array.from({ length: n }, (_, i) => `${i},1/${(i % 28) + 1}/2020,9.99,Chad`)

let files = 0
function file(name: string, content: string | Buffer): string {
  const path = join(dir, `${++files}-${name}`)
  writeFileSync(path, content)
  return path
}
const csvFile = (lines: string[], header = HEADER, name = 'a.csv') => file(name, `${[header, ...lines].join('\n')}\n`)
const check = (path: string, more?: object) => checkFile(path, shop(more))
/** The changes of the contract that are suggested for the first source, as `path: value`. */
async function suggested(path: string, more?: object) {
  const { sources } = await check(path, more)
  const { changes = [], ...rest } = sources[0]?.suggestion ?? {}
  return { ...rest, changes: Object.fromEntries(changes.map(({ path, to }) => [path, to])) }
}

describe('a CSV', () => {
  it('that is right would be delivered, and there is nothing to suggest', async () => {
    const checked = await check(csvFile(good(5)))
    expect(checked).toMatchObject({ ends: 'delivered', sources: [{ rowsIn: 5, accepted: 5, rejected: 0 }] })
    expect(checked.sources[0]).not.toHaveProperty('suggestion')
    expect(checked.sources[0]?.key).toMatch(/^data\/shop\/\d+-a\.csv$/)
  })

  it.each(['a.csv', 'a.CSV.GZ'])('with a few bad rows says which, where and why: %s', async (name) => {
    const text = `${[HEADER, ...good(8), 'x,1/1/2020,1.00,Chad', '9,1/1/2020,1.00'].join('\n')}\n`
    const { ends, sources } = await check(file(name, name.endsWith('GZ') ? gzipSync(text) : text))
    expect(ends).toBe('delivered with rejects')
    expect(sources[0]).toMatchObject({ rowsIn: 10, accepted: 8, rejected: 2 })
    expect(sources[0]?.examples).toEqual([
      { line: 10, column: 'Order ID', value: 'x', reason: 'not_an_integer' },
      { line: 11, column: null, value: null, reason: 'too_few_fields' },
    ])
  })

  it('with more bad rows than the contract takes would be refused, and none of it accepted', async () => {
    const { ends, sources } = await check(csvFile([...good(3), 'x,1/1/2020,1.00,Chad']))
    expect(ends).toBe('refused')
    expect(sources[0]).toMatchObject({ accepted: 0, rejected: 1, problem: { code: 'too_many_rejects' } })
    expect(sources[0]?.problem?.message).toContain('1 of 4 rows')
  })

  it.each([
    ['empty', '', 'empty_file'],
    ['in UTF-16', Buffer.from(`\ufeff${HEADER}\n`, 'utf16le'), 'wrong_encoding'],
    ['with another header', 'a,b\n1,2\n', 'header_mismatch'],
  ])(
    'that is %s would be refused, in the words of the job, by the name that the file has here',
    async (_, text, code) => {
      const path = file('b.csv', text)
      const { sources } = await check(path)
      expect(sources[0]).toMatchObject({ ends: 'refused', rowsIn: 0, problem: { code, advice: expect.any(String) } })
      expect(sources[0]?.problem?.message).toContain(path)
      expect(sources[0]).not.toHaveProperty('suggestion')
    },
  )

  it('cut off within its gzip stream would be refused', async () => {
    const whole = gzipSync(`${[HEADER, ...good(2000)].join('\n')}\n`)
    const { sources } = await check(file('cut.csv.gz', whole.subarray(0, whole.length - 20)))
    expect(sources[0]?.problem?.code).toBe('corrupt_gzip')
  })

  it('leaves nothing behind in the temporary folder', async () => {
    const mine = () => readdirSync(tmpdir()).filter((name) => name.startsWith('landfall-check-') && !dir.endsWith(name))
    const before = mine()
    await check(csvFile([...good(3), 'x,1/1/2020,1.00,Chad']))
    expect(mine()).toEqual(before)
  })

  it.each([
    ['x.txt', 'is neither a zip nor a CSV by its name'],
    ['x.csv', 'is not a file that can be read'],
  ])('that cannot be landed is no question: %s', async (name, words) => {
    await expect(check(join(dir, 'nowhere', name))).rejects.toThrow(words)
  })
})

describe('a zip', () => {
  it('that unzip could not extract in its time on AWS would be refused, as it says by what it declares', async () => {
    const members = Object.fromEntries(Array.from({ length: 13_501 }, (_, i) => [`${i}.csv`, 'x']))
    const checked = await check(file('many.zip', await zipOf(members)), { limits: { maxMembers: 20_000 } })
    expect(checked).toMatchObject({ ends: 'refused', sources: [], problem: { code: 'too_long' } })
    expect(checked.problem?.message).toMatch(
      /declares 13,501 bytes in 13,501 CSVs, for which unzip may need 270 s .*; it has 270 s\. Split it/,
    )
    expect(ASSUMED_TIME.given).toBe(aws.functionTimeout.toMilliseconds())
    expect(ASSUMED_TIME.bytesPerSecond).toBe(aws.unzipBytesPerSecond)
  })

  it('is judged member by member, and what is left out is named', async () => {
    const zip = await zipOf({
      'a b.csv': `${[HEADER, ...good(4)].join('\n')}\n`,
      'wrong.csv': 'NOPE\n1\n',
      'note.txt': '?',
    })
    const checked = await check(file('z.zip', zip))
    expect(checked.ends).toBe('refused')
    expect(checked.sources.map(({ name, ends, rowsIn }) => [name, ends, rowsIn])).toEqual([
      ['a b.csv', 'delivered', 4],
      ['wrong.csv', 'refused', 0],
    ])
    expect(checked.sources[0]?.key).toMatch(/^data\/shop\/\d+-z~\w{10}\/a_b\.csv$/)
    expect(checked.sources[1]?.problem?.message).toMatch(/^Header of .+z\.zip\/wrong\.csv has no column/)
    expect(checked.skipped).toEqual([{ name: 'note.txt', reason: 'not a CSV' }])
  })

  const refusedZips = [...FIXTURES.keys()].filter((path) => path.startsWith('refused/'))
  it.each(refusedZips)('is refused as a whole as unzip refuses it, in the same words: %s', async (fixture) => {
    const zip = FIXTURES.get(fixture) ?? expect.fail()
    const path = file('r.zip', zip)
    const checked = await check(path, { limits: LIMITS })
    expect(checked).toMatchObject({ ends: 'refused', sources: [] })
    const s3 = new FakeS3()
    const landed = { bucket: 'b', key: path, ...s3.put(path, zip), bytes: zip.length }
    const to = { bucket: 'b', prefix: memberFolderOf('shop', `landing/shop/${basename(path)}`) }
    await expect(extract(s3.client, landed, to, LIMITS, async () => {})).rejects.toMatchObject({
      code: checked.problem?.code,
      message: checked.problem?.message,
    })
  })

  it.each(['crc_mismatch--stored@2', 'encrypted_member--aes@2'])(
    'is taken without its bad member, which is named, where the contract skips those: %s',
    async (fixture) => {
      const path = file('s.zip', FIXTURES.get(`refused/${fixture}.zip`) ?? expect.fail())
      const checked = await check(path, { zip: { badMembers: 'skip' }, unknownColumns: 'ignore' })
      expect(checked.sources.map(({ name }) => name)).toEqual(['a.csv'])
      expect(checked.skipped).toMatchObject([{ name: 'b.csv', code: fixture.split('--')[0] }])
    },
  )
})

describe('the contract that would take a file', () => {
  it.each([
    [';', 'semicolons'],
    ['\t', 'tabs'],
    ['|', 'bars'],
  ])('has another delimiter (%j) where the file is written with %s', async (delimiter) => {
    const lines = good(4).map((line) => line.replaceAll(',', delimiter))
    const found = await suggested(csvFile(lines, HEADER.replaceAll(',', delimiter)))
    expect(found).toMatchObject({
      changes: { 'source.delimiter': delimiter },
      ends: 'delivered',
      rowsIn: 4,
      accepted: 4,
    })
  })

  it('ignores a column that it does not know', async () => {
    const path = csvFile(
      good(4).map((line) => `${line},?`),
      `${HEADER},Note`,
    )
    expect((await suggested(path)).changes).toEqual({ unknownColumns: 'ignore' })
  })

  it('takes null for a column that the file lacks, and says that it will be null', async () => {
    const path = csvFile(
      good(4).map((line) => line.slice(line.indexOf(',') + 1)),
      'Order Date,Price,Country',
    )
    const { changes, notes } = await suggested(path)
    expect(changes).toEqual({ missingColumns: 'null' })
    expect(notes).toEqual(['The columns that the file lacks are null in all of its rows.'])
  })

  it('does not leave out a column that it requires', async () => {
    const columns = shop().columns.map((column) => ({ ...column, required: true }))
    const path = csvFile(
      good(4).map((line) => line.slice(line.indexOf(',') + 1)),
      'Order Date,Price,Country',
    )
    expect((await suggested(path, { columns })).changes).toEqual({})
  })

  it.each([
    ['another name in its place', HEADER.replace('Order ID', 'Number'), 'columns[0].source', 'Number'],
    ['another case', HEADER.replace('Country', 'COUNTRY'), 'columns[3].source', 'COUNTRY'],
  ])('calls a column what the file calls it: %s', async (_, header, path, name) => {
    const { changes, notes } = await suggested(csvFile(good(4), header))
    expect(changes).toEqual({ [path]: name })
    expect(notes?.[0]).toContain(`Make sure that "${name}" is`)
  })

  it('needs a delimiter and one thing more where the file does', async () => {
    const lines = good(4).map((line) => `${line.replaceAll(',', ';')};?`)
    expect((await suggested(csvFile(lines, `${HEADER.replaceAll(',', ';')};Note`))).changes).toEqual({
      'source.delimiter': ';',
      unknownColumns: 'ignore',
    })
  })

  it('has one more date format, if that one fits all values that are wrong, and says what stays ambiguous', async () => {
    const path = csvFile([...good(10), '1,25/12/2020,1.00,Chad', '2,31/1/2020,1.00,Chad'])
    const { changes, notes, ...rest } = await suggested(path)
    expect(changes).toEqual({ 'columns[1].formats': ['M/d/yyyy', 'd/M/yyyy'] })
    expect(rest).toMatchObject({ ends: 'delivered', rejected: 0, accepted: 12 })
    expect(notes?.[0]).toContain('Where day and month could be either, M/d/yyyy still decides')
  })

  it('has no format for a day that is in no calendar', async () => {
    const path = csvFile([...good(10), '1,25/12/2020,1.00,Chad', '2,31/2/2020,1.00,Chad'])
    expect((await suggested(path)).changes).toEqual({})
  })

  it('finds what was hidden behind another wrong value of the same row', async () => {
    const columns = [...shop().columns, { source: 'Shipped', name: 'SHIPPED', type: 'date' }]
    const path = csvFile(
      Array.from({ length: 4 }, (_, i) => `${i},2020-01-02,1.00,Chad,3.4.2020`),
      `${HEADER},Shipped`,
    )
    expect((await suggested(path, { columns })).changes).toEqual({
      'columns[1].formats': ['M/d/yyyy', 'yyyy-MM-dd'],
      'columns[4].formats': ['yyyy-MM-dd', 'd.M.yyyy'],
    })
  })

  it.each([
    ['a wider integer', ['3000000000,1/1/2020,1.00,Chad'], { 'columns[0].type': 'bigint' }],
    ['a decimal with more digits', ['1,1/1/2020,12345.678,Chad'], { 'columns[2].type': 'decimal(8,3)' }],
  ])('has %s for a file that would be refused without it', async (_, lines, changes) => {
    const { notes, ...found } = await suggested(csvFile([...good(1), ...lines]))
    expect(found).toMatchObject({ changes, ends: 'delivered' })
    expect(notes?.[0]).toMatch(/^The type of \w+ in the table changes with it\.$/)
  })

  it('does not change a type of the table for a few rows that would be rejects', async () => {
    expect((await suggested(csvFile([...good(10), '3000000000,1/1/2020,1.00,Chad']))).changes).toEqual({})
  })

  it('requires a column no more that most rows leave empty', async () => {
    const columns = shop().columns.map((column, i) => ({ ...column, required: i === 2 }))
    const path = csvFile([...good(1), '1,1/1/2020,,Chad'])
    expect((await suggested(path, { columns })).changes).toEqual({ 'columns[2].required': false })
  })

  it('takes a larger share of rejects where nothing else helps, and says how many rows that leaves out', async () => {
    const { changes, notes, ...rest } = await suggested(csvFile([...good(2), 'x,1/1/2020,1.00,Chad']))
    expect(changes).toEqual({ maxRejectShare: 0.334 })
    expect(rest).toMatchObject({ ends: 'delivered with rejects', accepted: 2, rejected: 1 })
    expect(notes).toEqual(['1 of 3 rows are then left out, and the others delivered.'])
  })

  const takesMultiline = apply(shop(), [change(shop(), ['source', 'multiline'], true)]) !== undefined
  it.skipIf(!takesMultiline)(
    'lets a record have several lines (skipped while the contract knows no multiline sources)',
    async () => {
      const path = csvFile([...good(1), '1,1/1/2020,1.00,"Cote', 'd\'Ivoire"'])
      expect((await suggested(path)).changes).toMatchObject({ 'source.multiline': true })
    },
  )
})
