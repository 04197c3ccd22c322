import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../../schemas/compiler/plan.ts'
import { type Contract, parseContract } from '../../schemas/contract.ts'
import { copyAccepted, createOdd, dropOdd, selectRejected } from '../../services/engine/duckdb/convert-sql.ts'
import { ACCEPT, rowAutomaton } from '../../services/engine/duckdb/row-automaton.ts'
import { openSession, type Session } from '../../services/engine/duckdb/session.ts'
import { BYTE_ORDER_MARK } from '../../services/engine/duckdb/sql.ts'

let dir: string
let session: Session
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'landfall-canonical-'))
  session = await openSession(dir)
})
afterAll(() => {
  session.close()
  rmSync(dir, { recursive: true, force: true })
})

const contractOf = (type: string, formats?: string[], more: Partial<Contract['source']> = {}) =>
  parseContract({
    dataset: 'small',
    source: more,
    columns: [
      { source: 'Key', name: 'KEY', type: 'string' },
      { source: 'Value', name: 'VALUE', type, ...(formats && { formats }) },
    ],
    partitionBy: 'KEY',
    table: { database: 'd', name: 't' },
  })

const layout = { width: 2, places: [0, 1] }

/** Whether a line is canonical by a contract. */
function acceptor(contract: Contract): (line: string) => boolean {
  const { kinds, next, start } = rowAutomaton(compile(contract), layout)
  return (line) => {
    let state = start
    const bytes = Buffer.from(`${line}\n`)
    for (let i = 0; state > ACCEPT; i++) state = next[state + (kinds[bytes[i] ?? 0] ?? 0)] ?? 0
    return state === ACCEPT
  }
}

/** Each text is one choice of each list, in order. */
const TEXTS: Record<string, { type: string; formats?: string[]; parts: string[][] }> = {
  int: {
    type: 'int',
    parts: [
      ['', '-', '+'],
      ['0', '00', '214748', '999'],
      ['', '3647', '9', '12345678', '.5', ' '],
    ],
  },
  bigint: {
    type: 'bigint',
    parts: [
      ['', '-'],
      ['0', '922337203685477', '99'],
      ['', '5807', '999', '99999999999999999'],
    ],
  },
  decimal: {
    type: 'decimal(10,2)',
    parts: [
      ['', '-', '+'],
      ['', '0', '007', '12345678', '99999999', '999999999'],
      ['', '.', '.5', '.25', '.999', ',5'],
    ],
  },
  double: {
    type: 'double',
    parts: [
      ['', '-'],
      ['0', '1', '0.1', '123456789', '3.14159', '0.000001', '2.675', '1234567890'],
      ['', '3', 'e5', '9'],
    ],
  },
  boolean: {
    type: 'boolean',
    parts: [
      ['true', 'false', 'tr', 'TRUE', '1'],
      ['', 'ue', ' '],
    ],
  },
  date: {
    type: 'date',
    formats: ['M/d/yyyy'],
    parts: [
      ['1', '2', '02', '4', '11', '12', '13', '0'],
      ['/', '-'],
      ['1', '09', '28', '29', '30', '31', '32'],
      ['/'],
      ['2015', '2016', '0001', '0000', '9999', '15'],
    ],
  },
  'date, day first': {
    type: 'date',
    formats: ['dd.MM.yyyy'],
    parts: [
      ['01', '28', '29', '30', '31', '1', '00'],
      ['.'],
      ['01', '02', '04', '12', '13'],
      ['.'],
      ['1900', '2000', '1582'],
    ],
  },
  'date, no separator': {
    type: 'date',
    formats: ['yyyyMMdd'],
    parts: [
      ['2015', '1970', '0000', '1969'],
      ['02', '04', '12', '00'],
      ['01', '28', '29', '30', '31', '1'],
    ],
  },
  'date, year first': {
    type: 'date',
    parts: [['2015', '0001'], ['-'], ['02', '1', '10', '12'], ['-'], ['01', '29', '30', '31']],
  },
  timestamp: {
    type: 'timestamp',
    formats: ["yyyy-MM-dd'T'H:mm:ss.SSS"],
    parts: [
      ['2015-02-28T', '2015-04-31T', '1969-12-31T'],
      ['1', '09', '23', '24'],
      [':00', ':59', ':60'],
      [':00', ':59', ':60'],
      ['.123', '.000', '.1'],
    ],
  },
  string: {
    type: 'string',
    parts: [
      ['', ' ', '\u00a0', '\u0120', 'é', '""', '\u2003', '😀', "'", '\ufeff'],
      ['a', 'b c', '\t', '\0', '\\'],
      ['', ' ', '\u00a0', '\u0120', '""', 'à', '\u0085', '\ufeff'],
    ],
  },
}

const texts = ([first = [''], ...rest]: string[][]): string[] =>
  rest.length === 0 ? first : first.flatMap((one) => texts(rest).map((other) => one + other))

test.each(Object.entries(TEXTS))(
  'what is canonical for %s, the typed reader reads as the compiled expressions do',
  async (_, { type, formats, parts }) => {
    const contract = contractOf(type, formats)
    const plan = compile(contract)
    const all = texts(parts).flatMap((text) => [`k,${text}`, `k,"${text}"`])
    const lines = all.filter(acceptor(contract))
    expect(lines.length).toBeGreaterThan(3)
    expect(lines.length).toBeLessThan(all.length)
    const file = (name: string, of: string[]) => {
      const path = join(dir, name)
      writeFileSync(path, Buffer.concat([BYTE_ORDER_MARK, Buffer.from(of.map((line) => `${line}\n`).join(''))]))
      return path
    }
    const clean = { file: file('clean.csv', lines), lines: lines.length }
    const odd = {
      file: file(
        'odd.csv',
        lines.map((line, i) => `${i},0,0,${line}`),
      ),
      lines: lines.length,
    }
    const rows = async (name: string) =>
      (
        await session.rows(
          `SELECT hex(CAST("VALUE" AS VARCHAR)) AS v, typeof("VALUE") AS t FROM read_parquet('${join(dir, name)}')`,
        )
      ).map((row) => JSON.stringify(row))
    await session.run(copyAccepted(plan, layout, { clean, odd: { ...odd, lines: 0 } }, join(dir, 'clean.parquet')))
    await session.run(createOdd(plan, layout, odd))
    await session.run(copyAccepted(plan, layout, { clean: { ...clean, lines: 0 }, odd }, join(dir, 'odd.parquet')))
    const rejected = await session.rows(selectRejected)
    await session.run(dropOdd)
    expect(rejected).toEqual([])
    expect((await rows('clean.parquet')).sort()).toEqual((await rows('odd.parquet')).sort())
  },
)

test.each([
  ['int', undefined, ['1', '-12', '007', '"5"', ''], ['+1', ' 1', '1 ', '1.0', '1234567890', '""', '1_0', '1e3']],
  ['decimal(10,2)', undefined, ['1', '-1.5', '12345678.99'], ['.5', '1.', '1.234', '123456789', '1,5']],
  ['decimal(2,2)', undefined, [''], ['0.12', '.12']],
  [
    'date',
    ['M/d/yyyy'],
    ['1/2/2015', '02/28/2016', '12/31/0001', '"4/30/2015"'],
    ['2/29/2016', '4/31/2015', '13/1/2015', '1/2/0000', '1/2/15', '1/2/2015 '],
  ],
  ['date', ['d.M.yyyy'], ['31.12.2015', '1.2.2015'], ['31.4.2015', '30.2.2015']],
  ['boolean', undefined, ['true', 'false'], ['TRUE', 't', '1', 'true ']],
  ['double', undefined, ['1.5', '-2'], ['1e5', '-0', 'inf', '1234567890.5']],
  [
    'string',
    undefined,
    ['a b', 'Å', '"a,b"', '"say ""hi"""', ''],
    ['a ', ' a', '\u00a0a', 'a\u00a0', '"a "', 'a\tb', 'a"b', '""'],
  ],
] as const)('of %s %s only the plainest texts are canonical', (type, formats, plain, odd) => {
  const contract = contractOf(type, formats && [...formats])
  const accepts = acceptor(contract)
  expect(plain.filter((text) => !accepts(`k,${text}`))).toEqual([])
  expect(odd.filter((text) => accepts(`k,${text}`))).toEqual([])
})

test.each([
  [{ type: 'int', min: 1, max: 100 }, ['1', '99'], ['0', '-1', '01', '100', '500']],
  [{ type: 'int', oneOf: [1, -20] }, ['1', '-20', ''], ['2', '-2', '01', '20']],
  [{ type: 'decimal(10,2)', min: 0, max: 99.99 }, ['0', '0.01', '99.99'], ['-0', '100']],
  [{ type: 'decimal(10,2)', decimal: ',' }, ['"1,5"', '-7'], ['1.5', '1,5']],
  [{ type: 'decimal(10,2)', thousands: ',' }, ['1.5', '1234'], ['"1,234"']],
  [{ type: 'double', max: 1000 }, ['999.5'], ['1000']],
  [{ type: 'date', max: '2015-12-30' }, ['', '2014-12-31', '0001-01-01'], ['2015-01-01', '2016-01-01', '0000-01-01']],
  [{ type: 'date', min: '1999-01-01', max: '2000-12-31' }, ['1999-01-01', '2000-12-31'], ['1998-12-31', '2001-01-01']],
  [{ type: 'date', min: '2015-02-02', max: '2015-12-30' }, [''], ['2015-05-05']],
  [
    { type: 'string', oneOf: ['New York', 'Å', 'a"b,'] },
    ['New York', 'Å', '"a""b,"', ''],
    ['New', 'New York ', 'Ä', 'a'],
  ],
  [{ type: 'string', unique: true }, [''], ['a']],
] as const)('of a column of %j only texts are canonical that are plainly right', (more, plain, odd) => {
  const contract = contractOf('string')
  const columns = contract.columns.map((column) => (column.name === 'VALUE' ? { ...column, ...more } : column))
  const accepts = acceptor(parseContract({ ...contract, columns }))
  expect(plain.filter((text) => !accepts(`k,${text}`))).toEqual([])
  expect(odd.filter((text) => accepts(`k,${text}`))).toEqual([])
})

test('a row of too few or too many fields is not canonical, nor is an empty line', () => {
  expect(['k', 'k,1,2', '', '"k'].filter(acceptor(contractOf('string')))).toEqual([])
})

test('an empty field is canonical only where the contract lets it be', () => {
  const required = parseContract({
    ...contractOf('int'),
    columns: contractOf('int').columns.map((column) => ({ ...column, required: column.name === 'VALUE' })),
  })
  expect([acceptor(contractOf('int'))('k,'), ...['k,', 'k,1'].map(acceptor(required))]).toEqual([true, false, true])
})

test('a delimiter that dates are written with ends a field that is not quoted', () => {
  const contract = contractOf('date', ['M/d/yyyy'], { delimiter: '/' })
  expect(['k/1/2/2015', 'k/"1/2/2015"'].map(acceptor(contract))).toEqual([false, true])
})

test('a doubled quote is canonical in text alone: the typed reader casts other values with both', () => {
  const minus = { quote: '-' }
  expect(['-a--b-,-5-', '-a--b-,---5-'].map(acceptor(contractOf('int', undefined, minus)))).toEqual([true, false])
  expect(['k,-2015--01--02-', 'k,'].map(acceptor(contractOf('date', undefined, minus)))).toEqual([false, true])
})
