import { expect, test } from 'vitest'
import type { SourceReport } from '../../../schemas/report.ts'
import { tooManyRejects } from '../../../services/convert/convert.ts'

const report = (reason: SourceReport['reasons'][number]['reason']): SourceReport => ({
  runId: 'r',
  sourceId: 's',
  rowsIn: 10,
  accepted: 4,
  rejected: 6,
  refusal: null,
  reasons: [{ reason, column: null, rows: 6 }],
  examples: [],
  parts: [],
  rejects: null,
})

test('a file of which most rows are no UTF-8 is refused by the setting that would read them', () => {
  expect(tooManyRejects('data/sales/x.csv', report('invalid_encoding'), 0.2)?.message).toBe(
    '6 of 10 rows of data/sales/x.csv are bad (60 %); the contract takes at most 20 %, so none was taken. Mostly: invalid_encoding (6 rows). If it is Latin-1, have the contract say "source": { "encoding": "latin-1" }. Mend the file, or the contract\'s maxRejectShare, and land it again.',
  )
  expect(tooManyRejects('x.csv', report('too_few_fields'), 0.2)?.message).not.toContain('encoding')
})
