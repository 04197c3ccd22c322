import { expect, it } from 'vitest'
import { formatProblem, parseFormat } from '../../../../schemas/formats.ts'
import { FORMATS, formatOf } from '../../../../services/operations/check/date-formats.ts'

it.each([
  [['2020-02-29', ' 2021-12-01 '], 'yyyy-MM-dd'],
  [['2020-2-9'], 'yyyy-M-d'],
  [['20200229'], 'yyyyMMdd'],
  [['13.1.2020', '01.02.2020'], 'd.M.yyyy'],
  [['1/13/2020'], 'M/d/yyyy'],
  [['13/1/2020', '1/2/2020'], 'd/M/yyyy'],
  [['2020-02-29 00:00:00'], 'yyyy-MM-dd 00:00:00'],
])('%j are days by %s', (values, format) => {
  expect(formatOf('date', values, [])).toBe(format)
})

it.each([
  [['2020-02-29 23:59:59'], 'yyyy-MM-dd HH:mm:ss'],
  [['2020-02-29T23:59:59Z'], "yyyy-MM-dd'T'HH:mm:ss'Z'"],
  [['2020-02-29 23:59:59.123'], 'yyyy-MM-dd HH:mm:ss.SSS'],
  [['2/29/2020 9:05', '12/31/2020 23:05'], 'M/d/yyyy H:mm'],
])('%j are instants by %s', (values, format) => {
  expect(formatOf('timestamp', values, [])).toBe(format)
})

it.each([[['2021-02-29']], [['13/13/2020']], [['1/13/2020', '13/1/2020']], [['soon']], [['']], [['0000-01-01']]])(
  '%j are days by none',
  (values) => {
    expect(formatOf('date', values, [])).toBeUndefined()
  },
)

it('a format that is known already is no news', () => {
  expect(formatOf('date', ['2020-02-29'], ['yyyy-MM-dd'])).toBe('yyyy-M-d')
})

it('every format is one that a contract may have', () => {
  for (const kind of ['date', 'timestamp'] as const)
    for (const format of FORMATS[kind]) {
      expect(formatProblem(format, kind), format).toBeNull()
      expect(parseFormat(format).length).toBeGreaterThan(0)
    }
})
