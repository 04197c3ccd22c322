import { expect, test } from 'vitest'
import { plainNumbers } from '../../schemas/compiler/plain-numbers.ts'
import { plainYears, rangePattern } from '../../schemas/compiler/plain-years.ts'
import { isAbove, limitText } from '../../schemas/limits.ts'
import type { PlanColumn } from '../../schemas/plan.ts'
import { parseType } from '../../schemas/types.ts'

test.each([
  ['int', '-007', '-7'],
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['decimal(10,2)', 0.1, '0.1'],
  ['decimal(38,10)', '1234567890123456789012345678.1234567890', '1234567890123456789012345678.1234567890'],
  ['double', 1e300, '1e+300'],
  ['date', '2016-02-29', '2016-02-29'],
  ['timestamp', '2015-01-02T03:04:05', '2015-01-02 03:04:05.000000'],
  ['timestamp', '2015-01-02 03:04:05.5', '2015-01-02 03:04:05.500000'],
] as const)('the limit of %s that is written %j is %s', (type, limit, text) => {
  expect(limitText(limit, parseType(type))).toBe(text)
})

test.each([
  ['decimal', '0.10', '0.1', false],
  ['decimal', '1234567890123456789012345678.0000000001', '1234567890123456789012345678', true],
  ['decimal', '-0.5', '-0.4', false],
  ['int', '10', '9', true],
  ['double', '1e+300', '9', true],
  ['timestamp', '2015-01-02 03:04:05.500000', '2015-01-02 03:04:05.000000', true],
] as const)('of %s, that %s is above %s is %s', (kind, limit, other, expected) => {
  expect(isAbove(limit, other, { kind })).toBe(expected)
})

const column = (kind: PlanColumn['kind'], limits: { min?: string; max?: string; scale?: number }): PlanColumn => ({
  source: 'x',
  name: 'X',
  kind,
  required: false,
  ...limits,
})

test.each([
  ['int', {}, { least: 0, most: 9, negative: true }],
  ['int', { min: '0', max: '99' }, { least: 0, most: 2, negative: false }],
  ['int', { min: '0', max: '98' }, { least: 0, most: 1, negative: false }],
  ['int', { min: '1', max: '100' }, { least: 1, most: 2, negative: false }],
  ['int', { min: '101' }, { least: 4, most: 9, negative: false }],
  ['int', { min: '-99', max: '99' }, { least: 0, most: 2, negative: true }],
  ['int', { min: '-98', max: '99' }, { least: 0, most: 2, negative: false }],
  ['int', { max: '-1' }, null],
  ['int', { min: '20', max: '98' }, null],
  ['decimal', { max: '99.99', scale: 2 }, { least: 0, most: 2, negative: true }],
  ['decimal', { max: '99.98', scale: 2 }, { least: 0, most: 1, negative: true }],
  ['decimal', { min: '0.01', scale: 2 }, { least: 1, most: 9, negative: false }],
  ['double', { max: '99.9' }, { least: 0, most: 1, negative: true }],
  ['double', { min: '0.5', max: '100' }, { least: 1, most: 2, negative: false }],
] as const)('of %s with %j, texts are plainly within by their digits: %j', (kind, limits, plain) => {
  expect(plainNumbers(column(kind, limits), 9)).toEqual(plain)
})

test.each([
  ['date', {}, null],
  ['date', { min: '2000-01-01', max: '2030-12-31' }, { first: 2000, last: 2030 }],
  ['date', { min: '2000-01-02', max: '2030-12-30' }, { first: 2001, last: 2029 }],
  ['date', { max: '0001-12-31' }, { first: 1, last: 1 }],
  ['timestamp', { min: '2000-01-01 00:00:00.000000' }, { first: 2000, last: 9999 }],
  ['timestamp', { min: '2000-01-01 00:00:00.000001' }, { first: 2001, last: 9999 }],
  ['timestamp', { max: '2030-12-31 23:59:59.000000' }, { first: 1, last: 2029 }],
] as const)('of %s with %j, all of the years are within that are %j', (kind, limits, years) => {
  expect(plainYears(column(kind, limits))).toEqual(years)
})

test('a pattern of years matches those from the first to the last, and no others', () => {
  for (const [first, last] of [
    [1, 9999],
    [1999, 2001],
    [2000, 2000],
    [1970, 2069],
    [9, 10],
    [1000, 1999],
    [987, 3021],
  ] as const) {
    const pattern = new RegExp(`^${rangePattern(first, last)}$`)
    const found = Array.from({ length: 10_000 }, (_, year) => year).filter((year) =>
      pattern.test(String(year).padStart(4, '0')),
    )
    expect([found[0], found.at(-1), found.length]).toEqual([first, last, last - first + 1])
  }
})
