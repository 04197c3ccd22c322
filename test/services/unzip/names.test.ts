import { describe, expect, it } from 'vitest'
import { memberKey, skipReason } from '../../../services/unzip/names.ts'

describe('memberKey', () => {
  it.each([
    ['5000 Sales Records.csv', '5000_Sales_Records.csv'],
    ['eu/north sea/a b.csv', 'eu/north_sea/a_b.csv'],
    ['./a.csv', 'a.csv'],
    ['a//b.csv', 'a/b.csv'],
    ['tab\u00a0and\u2003em.csv', 'tab_and_em.csv'],
    ['e\u0301te\u0301.csv', '\u00e9t\u00e9.csv'],
    ['..a.csv', '..a.csv'],
    ['日本.csv', '日本.csv'],
  ])('makes of %j the key %j', (name, key) => {
    expect(memberKey(name)).toBe(key)
  })

  it.each([
    '..',
    '../a.csv',
    'a/../b.csv',
    'a/..',
    ' .. /a.csv',
    '/a.csv',
    'C:/a.csv',
    'a\\b.csv',
    'a\u0000.csv',
    'a\u0085.csv',
    '',
  ])('makes no key of %j', (name) => {
    expect(memberKey(name)).toMatchObject({ code: 'unsafe_name' })
  })
})

describe('skipReason', () => {
  it.each([
    ['a.csv', undefined],
    ['a.CsV', undefined],
    ['./a.csv', undefined],
    ['a.csv.gz', 'not a CSV'],
    ['csv', 'not a CSV'],
    ['inner.zip', 'not a CSV'],
    ['__MACOSX/a.csv', 'macOS metadata'],
    ['eu/.git/a.csv', 'hidden file'],
  ])('of %j is %j', (name, reason) => {
    expect(skipReason(name)).toBe(reason)
  })
})
