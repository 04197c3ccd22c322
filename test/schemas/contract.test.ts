import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ContractError, loadContract, loadContracts, parseContract } from '../../schemas/contract.ts'
import { dueUntil, expectations } from '../../schemas/expected.ts'
import { contractSchema } from '../../schemas/publish.ts'
import { contractReference } from '../../schemas/reference.ts'

const small = () => ({
  dataset: 'small',
  columns: [
    { source: 'Key', name: 'KEY', type: 'string' },
    { source: 'Value', name: 'VALUE', type: 'decimal(10,2)' },
    { source: 'Day', name: 'DAY', type: 'date' },
  ],
  partitionBy: 'KEY',
  table: { database: 'db', name: 'small' },
})
type Small = ReturnType<typeof small>

const errorOf = (json: unknown): ContractError => {
  try {
    parseContract(json, 'small.json')
  } catch (error) {
    if (error instanceof ContractError) return error
    throw error
  }
  throw new Error('the contract passed')
}

test('the published JSON Schema is the one that `npm run schema` writes', () => {
  const published = readFileSync(new URL('../../schemas/contract.schema.json', import.meta.url), 'utf8')
  expect(published).toBe(contractSchema())
})

test('the contract reference is the one that `npm run schema` writes', () => {
  const published = readFileSync(new URL('../../schemas/CONTRACT.md', import.meta.url), 'utf8')
  expect(published).toBe(contractReference())
  for (const field of [
    '`expected.leastBytes`',
    '`source.encoding`',
    '`columns[].oneOf`',
    '`engine.workers.most`',
    '`not_unique`',
  ])
    expect(published).toContain(`| ${field} |`)
})

test('every field of the published schema has a description', () => {
  const bare: string[] = []
  const visit = (schema: Record<string, unknown>, path: string) => {
    for (const [name, field] of Object.entries((schema.properties ?? {}) as Record<string, Record<string, unknown>>)) {
      if (!field.description) bare.push(`${path}.${name}`)
      visit(field, `${path}.${name}`)
      visit((field.items ?? {}) as Record<string, unknown>, `${path}.${name}[]`)
    }
  }
  visit(JSON.parse(contractSchema()), '')
  expect(bare).toEqual([])
})

test('sales has fourteen columns and is partitioned by COUNTRY', () => {
  const sales = loadContracts(join(import.meta.dirname, '../../schemas/datasets')).get('sales')
  expect(sales?.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'REGION string',
    'COUNTRY string',
    'ITEM_TYPE string',
    'SALES_CHANNEL string',
    'ORDER_PRIORITY string',
    'ORDER_DATE date',
    'ORDER_ID int',
    'SHIP_DATE date',
    'UNITS_SOLD int',
    'UNIT_PRICE decimal(10,2)',
    'UNIT_COST decimal(10,2)',
    'TOTAL_REVENUE decimal(10,2)',
    'TOTAL_COST decimal(10,2)',
    'TOTAL_PROFIT decimal(10,2)',
  ])
  expect(sales).toMatchObject({
    partitionBy: 'COUNTRY',
    table: { database: 'deliverydatabase', name: 'data_deliveryzone' },
    source: { delimiter: ',', quote: '"', encoding: 'utf-8', header: true, multiline: false },
  })
})

test('says its defaults', () => {
  expect(parseContract(small())).toMatchObject({
    version: 1,
    source: { delimiter: ',', quote: '"', encoding: 'utf-8', header: true, multiline: false },
    maxRejectShare: 0.2,
    unknownColumns: 'refuse',
    missingColumns: 'refuse',
    limits: { maxMembers: 1000, maxRatio: 200 },
    engine: { workers: { type: 'G.1X', most: 10 }, timeoutMinutes: 60 },
    fetch: [],
  })
})

describe('a wrong contract names the field, what was expected and what was found', () => {
  const change = (edit: (contract: Small & Record<string, unknown>) => void) => {
    const contract = small() as Small & Record<string, unknown>
    edit(contract)
    return contract
  }
  const column = (index: number, fields: Record<string, unknown>) =>
    change((contract) => Object.assign(contract.columns[index] ?? {}, fields))
  test.each([
    ['an unknown type', column(1, { type: 'number' }), 'columns[1].type', 'one of string, int', '"number"'],
    ['a decimal too wide', column(1, { type: 'decimal(40,2)' }), 'columns[1].type', '38 digits', '"decimal(40,2)"'],
    ['a scale too large', column(1, { type: 'decimal(2,3)' }), 'columns[1].type', 'scale', '"decimal(2,3)"'],
    ['formats on text', column(0, { formats: ['M/d/yyyy'] }), 'columns[0].formats[0]', 'no formats', '"M/d/yyyy"'],
    ['two-digit years', column(2, { formats: ['M/d/yy'] }), 'columns[2].formats[0]', '"yy" is none', '"M/d/yy"'],
    ['a format without a day', column(2, { formats: ['M/yyyy'] }), 'columns[2].formats[0]', 'day', '"M/yyyy"'],
    [
      'a month whose end nothing shows',
      column(2, { formats: ['Mddyyyy'] }),
      'columns[2].formats[0]',
      'M, of one or two digits, is not followed by a digit (MM always has two)',
      '"Mddyyyy"',
    ],
    [
      'a day before text that begins with a digit',
      column(2, { formats: ["yyyy-M-d'0'"] }),
      'columns[2].formats[0]',
      'd, of one or two digits, is not followed by a digit',
      'yyyy-M-d',
    ],
    ['a time in a date', column(2, { formats: ['M/d/yyyy HH:mm'] }), 'columns[2].formats[0]', 'date pattern', 'HH:mm'],
    ['a limit on text', column(0, { min: 'a' }), 'columns[0].min', 'no limit', '"a"'],
    ['a date for a decimal', column(1, { max: '2020-01-01' }), 'columns[1].max', 'decimal(10,2)', '"2020-01-01"'],
    ['a limit that loses a digit', column(1, { min: 0.001 }), 'columns[1].min', 'without losing a digit', '0.001'],
    ['a limit out of range', column(1, { max: 123456789 }), 'columns[1].max', 'decimal(10,2)', '123456789'],
    [
      'digits that JSON loses',
      column(1, { type: 'decimal(38,0)', max: 2 ** 60 }),
      'columns[1].max',
      'as text',
      '1152921504606847000',
    ],
    ['a fraction for an int', column(1, { type: 'int', min: 1.5 }), 'columns[1].min', 'whole number', '1.5'],
    ['an int too large', column(1, { type: 'int', max: 2147483648 }), 'columns[1].max', 'int can hold', '2147483648'],
    ['a text for a double', column(1, { type: 'double', max: '1' }), 'columns[1].max', 'a number', '"1"'],
    ['a number for a date', column(2, { min: 20150101 }), 'columns[2].min', 'yyyy-MM-dd', '20150101'],
    ['a day that is none', column(2, { min: '2015-02-29' }), 'columns[2].min', 'yyyy-MM-dd', '"2015-02-29"'],
    [
      'a day for a moment',
      column(2, { type: 'timestamp', max: '2015-02-28' }),
      'columns[2].max',
      'HH:mm:ss',
      '"2015-02-28"',
    ],
    ['min above max', column(1, { min: 10, max: 9.99 }), 'columns[1].max', 'not below min (10)', '9.99'],
    ['days the wrong way', column(2, { min: '2015-01-02', max: '2015-01-01' }), 'columns[2].max', 'min', '2015-01-01'],
    ['a list of decimals', column(1, { oneOf: [1] }), 'columns[1].oneOf[0]', 'string, int and bigint', '1'],
    [
      'a blank around a listed text',
      column(0, { oneOf: ['a', 'b '] }),
      'columns[0].oneOf[1]',
      'without blanks',
      '"b "',
    ],
    ['a listed number for text', column(0, { oneOf: [1] }), 'columns[0].oneOf[0]', 'a text', '1'],
    ['a listed text for an int', column(1, { type: 'int', oneOf: ['x'] }), 'columns[1].oneOf[0]', 'whole', '"x"'],
    ['a value listed twice', column(1, { type: 'int', oneOf: [1, '01'] }), 'columns[1].oneOf[1]', 'of its own', '"01"'],
    ['an empty list', column(0, { oneOf: [] }), 'columns[0].oneOf', '1', '[]'],
    [
      'a list beside a limit',
      column(1, { type: 'int', min: 1, oneOf: [1] }),
      'columns[1].oneOf',
      'beside min or max',
      '[1]',
    ],
    ['a limit of neither', column(1, { min: true }), 'columns[1].min', 'a number or a text', 'true'],
    ['a decimal sign for text', column(0, { decimal: ',' }), 'columns[0].decimal', 'string has no decimals', '","'],
    ['groups in a date', column(2, { thousands: '.' }), 'columns[2].thousands', 'date is no number', '"."'],
    ['one character for both', column(1, { thousands: '.' }), 'columns[1].thousands', 'another character', '"."'],
    ['an odd separator', column(1, { thousands: '_' }), 'columns[1].thousands', '"."', '"_"'],
    ['a name twice', column(2, { name: 'key' }), 'columns[2].name', 'columns[0] has it', '"key"'],
    ['a source name twice', column(2, { source: 'Key' }), 'columns[2].source', 'columns[0] has it', '"Key"'],
    ['a misspelt field', column(0, { requierd: true }), 'columns[0].requierd', 'no such field', 'true'],
    ['no such partition column', change((c) => (c.partitionBy = 'X')), 'partitionBy', 'KEY, VALUE, DAY', '"X"'],
    [
      'a decimal partition',
      change((c) => (c.partitionBy = 'VALUE')),
      'partitionBy',
      'string, int, bigint, date',
      'VALUE',
    ],
    ['no table', change((c) => Reflect.deleteProperty(c, 'table')), 'table', 'object', 'nothing'],
    ['an upper-case table', change((c) => (c.table.name = 'Small')), 'table.name', 'lower-case', '"Small"'],
    ['a share above 1', change((c) => (c.maxRejectShare = 20)), 'maxRejectShare', '<=1', '20'],
    [
      'a multiline of neither',
      change((c) => (c.source = { multiline: 'yes' })),
      'source.multiline',
      'boolean',
      '"yes"',
    ],
    ['a fetch that is no URL', change((c) => (c.fetch = ['x'])), 'fetch[0]', 'URL', '"x"'],
    [
      'an unknown worker',
      change((c) => (c.engine = { workers: { type: 'G.3X' } })),
      'engine.workers.type',
      'G.2X',
      'G.3X',
    ],
    ['a driver alone', change((c) => (c.engine = { workers: { most: 1 } })), 'engine.workers.most', '>=2', '1'],
    ['eight days', change((c) => (c.engine = { timeoutMinutes: 11_520 })), 'engine.timeoutMinutes', '<=10080', '11520'],
    ['another policy', change((c) => (c.unknownColumns = 'keep')), 'unknownColumns', '"refuse" or "ignore"', '"keep"'],
  ])('%s', (_, contract, path, expected, found) => {
    const error = errorOf(contract)
    expect(error.path).toBe(path)
    expect(error.expected).toContain(expected)
    expect(error.message).toContain('small.json')
    expect(error.message).toContain(path)
    expect(error.message).toContain(found)
  })
})

describe('a folder of contracts', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'landfall-contracts-'))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('names the file that is no JSON', () => {
    writeFileSync(join(dir, 'bad.json'), '{')
    expect(() => loadContract(join(dir, 'bad.json'))).toThrow(/bad\.json: the file: expected a readable JSON file/)
    rmSync(join(dir, 'bad.json'))
  })

  test('holds a dataset under its own name only', () => {
    writeFileSync(join(dir, 'other.json'), JSON.stringify(small()))
    expect(() => loadContracts(dir)).toThrow(
      /other\.json: dataset: expected "other", as the file is called, found "small"/,
    )
  })
})

describe('expected', () => {
  const expecting = (expected: unknown) => ({ ...small(), expected })

  test('is one file that is due, or a list of them', () => {
    const one = { cron: '0 6 * * 1-5', grace: '1h', leastBytes: 1 }
    expect(parseContract(expecting({ cron: '0 6 * * 1-5' })).expected).toEqual(one)
    const two = parseContract(expecting([{ cron: '0 6 * * 1-5' }, { cron: '0 6 * * 1-5', prefix: 'landing/small/b' }]))
    expect(two.expected).toEqual([one, { ...one, prefix: 'landing/small/b' }])
    expect(expectations(parseContract(small()))).toEqual([])
  })

  test.each([
    ['an hour that is none', { cron: '0 25 * * *' }, 'expected.cron', 'Invalid value for hour: 25'],
    ['too few fields', [{ cron: '0 6 * * *' }, { cron: '0 6' }], 'expected[1].cron', 'five fields: minute, hour'],
    ["another dialect's words", { cron: '@daily' }, 'expected.cron', 'five fields'],
    ['a time that never comes', { cron: '0 6 31 2 *' }, 'expected.cron', 'a time that comes'],
    ['no cron', { grace: '1h' }, 'expected.cron', 'string'],
    ['a grace in other words', { cron: '0 6 * * *', grace: '2 hours' }, 'expected.grace', 'minutes, hours or days'],
    ['no bytes at all', { cron: '0 6 * * *', leastBytes: 0 }, 'expected.leastBytes', '>=1'],
    ['an unknown field', { cron: '0 6 * * *', size: 1 }, 'expected.size', 'no such field'],
    [
      "another dataset's folder",
      { cron: '0 6 * * *', prefix: 'landing/smaller/' },
      'expected.prefix',
      'landing/small/',
    ],
    ['the same twice', [{ cron: '0 6 * * *' }, { cron: '0 6 * * *' }], 'expected[1].cron', 'than expected[0] has'],
    ['no object', 'daily', 'expected', 'an object with a cron'],
  ])('refuses %s', (_, expected, path, words) => {
    const error = errorOf(expecting(expected))
    expect(error.path).toBe(path)
    expect(error.expected).toContain(words)
  })

  test.each([
    ['0 6 * * 1-5', '2026-11-23T06:00:00Z', '2026-11-23T06:00:00Z', '2026-11-20T06:00:00Z'],
    ['0 6 * * 1-5', '2026-11-23T05:59:59Z', '2026-11-20T06:00:00Z', '2026-11-19T06:00:00Z'],
    ['30 2 1 JAN,JUL *', '2026-11-23T05:59:59Z', '2026-07-01T02:30:00Z', '2026-01-01T02:30:00Z'],
    // An hour that a summer time would skip or have twice is one hour in UTC.
    ['30 2 * * *', '2026-03-29T12:00:00Z', '2026-03-29T02:30:00Z', '2026-03-28T02:30:00Z'],
    ['0 0 13 * 5', '2026-11-24T00:00:00Z', '2026-11-20T00:00:00Z', '2026-11-13T00:00:00Z'],
  ])('"%s" was due, as of %s, at %s, and before that at %s', (cron, at, due, before) => {
    const found = dueUntil({ cron }, Date.parse(at))
    expect(found).toEqual({ due: Date.parse(due), before: Date.parse(before) })
  })
})
