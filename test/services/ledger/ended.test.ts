import { expect, it } from 'vitest'
import { Ledger } from '../../../services/ledger/ledger.ts'
import type { Run } from '../../../services/ledger/run.ts'
import { MemoryTable } from '../memory/table.ts'

const landed = (versionId: string) => ({
  bucket: 'raw',
  key: 'data/sales/a.csv',
  versionId,
  etag: 'e',
  bytes: 1,
  landedAt: '2026-01-01T00:00:00.000Z',
})
const problem = { code: 'x', message: 'y' }

it('tells of each end of a run once it is in the books, and of nothing else', async () => {
  const ends: Run[] = []
  const ledger = new Ledger(
    new MemoryTable(),
    () => new Date(0),
    (run) => void ends.push(run),
  )
  const { run } = await ledger.register('csv', 'sales', landed('v1'), 'live')
  await ledger.update(run, { state: 'converted', problem })
  // Written before a last attempt: it has not ended yet.
  await ledger.update(run, { state: 'failed', problem })
  const never = [{ attribute: 'state', is: 'equal', to: 'queued' } as const]
  expect(await ledger.update(run, { state: 'delivered', endedAt: ledger.instant() }, [], [], never)).toBe(false)
  expect(ends).toEqual([])
  await ledger.update({ ...run, problem }, { state: 'delivered', endedAt: ledger.instant() }, [], ['problem'])
  await ledger.register('csv', 'sales', landed('v2'), 'live', { state: 'refused', problem })
  await ledger.register('csv', 'sales', landed('v2'), 'live', { state: 'refused', problem })
  expect(ends.map(({ versionId, state, problem }) => [versionId, state, problem?.code])).toEqual([
    ['v1', 'delivered', undefined],
    ['v2', 'refused', 'x'],
  ])
})
