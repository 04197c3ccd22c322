import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { age, instant, table, visible, wrap } from '../../../services/cli/format.ts'
import { nextWords } from '../../../services/cli/runs.ts'

describe('a table', () => {
  it('has numbers to the right and text to the left, also where a cell is coloured', () => {
    const red = (text: string) => `\u001b[31m${text}\u001b[39m`
    const lines = table([
      ['name', 'rows', 'state'],
      ['a', red('7'), red('bad')],
      ['long name', '1,234', 'good'],
    ])
    expect(stripVTControlCharacters(lines).split('\n')).toEqual([
      'name        rows  state',
      'a              7  bad',
      'long name  1,234  good',
    ])
  })
})

describe('what others wrote', () => {
  it('reaches the terminal without its control characters', () => {
    expect(visible('a\u001b[31mb\u0007\tc\u009b\u007f é')).toBe('a\\x1b[31mb\\x07\\tc\\x9b\\x7f é')
  })
  it('is cut where it would be too long', () => {
    expect(visible('abcdef', 3)).toBe('abc…')
  })
})

it.each([
  [0, '0 s'],
  [59_400, '59 s'],
  [60_000, '1 min'],
  [3_600_000, '1 h 0 min'],
  [47 * 3_600_000 + 90_000, '47 h 1 min'],
  [72 * 3_600_000, '3 d'],
  [undefined, '-'],
])('%s ms is an age of %s', (ms, text) => {
  expect(age(ms)).toBe(text)
})

it('an instant is UTC to the second', () => {
  expect(instant('2026-03-01T08:30:15.123Z')).toBe('2026-03-01 08:30:15')
})

it('words go on as many lines as they need, and one that is too long on its own', () => {
  expect(wrap('aa bb cc dddddddd e', 5)).toBe('aa bb\ncc\ndddddddd\ne')
})

describe('the way to the next page', () => {
  const page = { runs: [], lookedAt: 3, backTo: '2026-01-01T00:00:00.000Z', next: '2026-01-01T00:00:00.000Z#ab' }
  it('is the same command with the new token in place of the old', () => {
    expect(nextWords(page, ['runs', '--source', "it's", '--next', 'old', '--limit', '2'])).toBe(
      "Looked at 3 runs, back to 2026-01-01 00:00:00. Older ones: landfall runs --source 'it'\\''s' --limit 2 --next 2026-01-01T00:00:00.000Z#ab",
    )
    expect(nextWords(page, ['runs', '--next=old'])).toContain('landfall runs --next 2026')
  })
  it('is not there on the last', () => {
    expect(nextWords({ runs: [], lookedAt: 0 }, ['runs'])).toBeUndefined()
  })
})
