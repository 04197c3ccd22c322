import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accept } from '../../schemas/accept.ts'
import { ContractError, loadContracts } from '../../schemas/contract.ts'
import { checkPublished } from '../../schemas/published.ts'

const base = () => ({
  dataset: 'small',
  version: 1,
  columns: [
    { source: 'Key', name: 'KEY', type: 'string' },
    { source: 'Value', name: 'VALUE', type: 'decimal(10,2)' },
    { source: 'Day', name: 'DAY', type: 'date' },
  ] as { source: string; name: string; type: string; required?: boolean }[],
  partitionBy: 'KEY',
  table: { database: 'db', name: 'small' },
})
type Base = ReturnType<typeof base> & Record<string, unknown>

let dir: string
let datasets: string
let published: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'landfall-published-'))
  datasets = join(dir, 'datasets')
  published = join(dir, 'published')
  mkdirSync(datasets)
  write(base())
  accept(datasets, published)
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const write = (contract: object) => writeFileSync(join(datasets, 'small.json'), JSON.stringify(contract))
const check = () => checkPublished(loadContracts(datasets), datasets, published)
function change(edit: (contract: Base) => void) {
  const contract = base() as Base
  edit(contract)
  write(contract)
}
function errorOf(work: () => unknown): ContractError {
  try {
    work()
  } catch (error) {
    if (error instanceof ContractError) return error
    throw error
  }
  throw new Error('it passed')
}

test('the contracts of this project are accepted as they are', () => {
  const schemas = join(import.meta.dirname, '../../schemas')
  const folder = join(schemas, 'datasets')
  expect(() => checkPublished(loadContracts(folder), folder, join(schemas, 'published'))).not.toThrow()
})

describe('files that are published can serve', () => {
  test.each<[string, (contract: Base) => void]>([
    ['rules and limits', (c) => Object.assign(c.columns[1] ?? {}, { min: 0, required: true, unique: true })],
    ['formats', (c) => Object.assign(c.columns[2] ?? {}, { formats: ['M/d/yyyy'] })],
    [
      'descriptions, other names in the source, and another dialect',
      (c) => {
        Object.assign(c.columns[1] ?? {}, { description: 'x', source: 'Amount' })
        c.source = { delimiter: ';', encoding: 'latin-1' }
      },
    ],
    ['a larger share of rejects', (c) => (c.maxRejectShare = 0.5)],
  ])('%s, and nobody need accept them', (_, edit) => {
    change(edit)
    expect(check).not.toThrow()
  })

  test('a new column that may be null, once it is accepted', () => {
    change((c) => c.columns.push({ source: 'Note', name: 'NOTE', type: 'string' }))
    const error = errorOf(check)
    expect(error.file).toBe(join(published, 'small.json'))
    expect(error.message).toContain('run `npm run contract:accept` and commit it, found an older state')
    expect(accept(datasets, published)).toEqual(['small: new columns NOTE, null in the files that are published'])
    expect(check).not.toThrow()
    change(() => undefined)
    expect(errorOf(check).message).toContain('columns: expected a column NOTE string')
  })
})

describe('files that are published cannot serve', () => {
  test.each<[string, (contract: Base) => void, string, string, string]>([
    ['a column less', (c) => c.columns.pop(), 'columns', 'a column DAY date', 'none'],
    [
      'a column of another name',
      (c) => Object.assign(c.columns[2] ?? {}, { name: 'day' }),
      'columns',
      'DAY date',
      'none',
    ],
    [
      'another type',
      (c) => Object.assign(c.columns[1] ?? {}, { type: 'decimal(12,2)' }),
      'columns[1].type',
      '"decimal(10,2)"',
      '"decimal(12,2)"',
    ],
    ['another partition key', (c) => (c.partitionBy = 'DAY'), 'partitionBy', '"KEY"', '"DAY"'],
    ['another table', (c) => (c.table.name = 'large'), 'table.name', '"small"', '"large"'],
    ['another database', (c) => (c.table.database = 'other'), 'table.database', '"db"', '"other"'],
    [
      'a new column that is required',
      (c) => c.columns.push({ source: 'N', name: 'N', type: 'int', required: true }),
      'columns[3].required',
      'false',
      'true',
    ],
  ])('%s: it needs another version, and is not accepted without', (_, edit, path, expected, found) => {
    const kept = readFileSync(join(published, 'small.json'), 'utf8')
    change(edit)
    for (const work of [check, () => accept(datasets, published)]) {
      const error = errorOf(work)
      expect(error).toMatchObject({ file: join(datasets, 'small.json'), path, found })
      expect(error.expected).toContain(expected)
      expect(error.expected).toContain(
        'or else "version": 2, `npm run contract:accept` and, when that is deployed, `landfall rerun small`',
      )
    }
    expect(readFileSync(join(published, 'small.json'), 'utf8')).toBe(kept)
    change((contract) => {
      edit(contract)
      contract.version = 2
    })
    expect(errorOf(check).message).toContain('npm run contract:accept')
    expect(accept(datasets, published)).toEqual([
      'small: version 2; when it is deployed, run `landfall rerun small`: people read version 1 until all its files are typed again',
    ])
    expect(check).not.toThrow()
  })

  test('an older version of their contract', () => {
    change((c) => (c.version = 2))
    accept(datasets, published)
    change(() => undefined)
    expect(errorOf(check)).toMatchObject({ path: 'version', expected: 'at least 2', found: '1' })
  })
})

test('a new dataset is one file: nothing is published that it could break', () => {
  rmSync(published, { recursive: true })
  expect(check).not.toThrow()
})

test('a dataset whose contract is gone is not deployed', () => {
  writeFileSync(join(published, 'gone.json'), readFileSync(join(published, 'small.json')))
  expect(errorOf(check).message).toContain('if nobody reads the dataset any more, delete this file, too')
  expect(readdirSync(published)).toEqual(['gone.json', 'small.json'])
})

test('a file of another shape is no licence', () => {
  writeFileSync(join(published, 'small.json'), '{"dataset":"small"}')
  expect(errorOf(check).expected).toContain('take it from the last commit')
})
