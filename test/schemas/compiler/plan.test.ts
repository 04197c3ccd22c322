import { expect, test } from 'vitest'
import { compile } from '../../../schemas/compiler/plan.ts'
import { formatGrammar } from '../../../schemas/formats.ts'
import { Plan } from '../../../schemas/plan.ts'
import { salesContract } from '../../engine/suite.ts'

test('a plan survives its way through a manifest', () => {
  const plan = compile(salesContract())
  expect(Plan.parse(JSON.parse(JSON.stringify(plan)))).toEqual(plan)
})

test('a plan names neither database nor table: jobs write files, nothing else', () => {
  expect(JSON.stringify(compile(salesContract()))).not.toMatch(/deliverydatabase|data_deliveryzone/)
})

test('a column knows its type, a date its formats', () => {
  const { columns, duckdb } = compile(salesContract())
  expect(columns.find(({ name }) => name === 'ORDER_DATE')).toMatchObject({ kind: 'date', formats: ['M/d/yyyy'] })
  expect(columns.find(({ name }) => name === 'UNIT_PRICE')).toMatchObject({ kind: 'decimal', precision: 10, scale: 2 })
  expect(duckdb.columns.map(({ type }) => type)).toContain('DECIMAL(10,2)')
})

test.each([
  ['M/d/yyyy', '1/2/2015', true],
  ['M/d/yyyy', '001/2/2015', false],
  ['MM/dd/yyyy', '1/02/2015', false],
  ['yyyy-MM-dd', '0000-01-01', false],
  ['dd.MM.yyyy', '01x02x2015', false],
  ["yyyy'T'M'''('d", "2015T1'(2", true],
])('the grammar of %s says of %s: %s', (format, value, expected) => {
  expect(new RegExp(`^(?:${formatGrammar(format)})$`).test(value)).toBe(expected)
})
