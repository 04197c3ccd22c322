import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { loadContracts } from '../../schemas/contract.ts'
import { deliveryPrefix, physicalTable, physicalTables, versionOfFolder } from '../../schemas/locations.ts'

const table = { database: 'db', name: 'tab' }

describe('versions of one dataset', () => {
  it('have places that do not meet', () => {
    expect(deliveryPrefix({ dataset: 'sales', version: 1 })).toBe('data/sales/')
    expect(deliveryPrefix({ dataset: 'sales', version: 12 })).toBe('data/sales.v12/')
    expect(physicalTable({ table, version: 1 })).toEqual(table)
    expect(physicalTables({ table, version: 3 }).map(({ name }) => name)).toEqual(['tab', 'tab_v2', 'tab_v3'])
  })

  it.each([1, 2, 9, 10, 31])('are told from their folders: %i', (version) => {
    const folder = deliveryPrefix({ dataset: 'sales', version }).split('/')[1] ?? ''
    expect(versionOfFolder(folder)).toEqual({ dataset: 'sales', version })
  })

  it.each(['sales.v1', 'sales.v0', 'sales.v02', 'sales.v2.v3', 'sales.x', '', '.v2'])(
    'are not told from "%s"',
    (folder) => {
      expect(versionOfFolder(folder)).toBeUndefined()
    },
  )
})

describe('tables of contracts', () => {
  const load = (...contracts: { dataset: string; version?: number; name: string }[]) => {
    const dir = mkdtempSync(join(tmpdir(), 'landfall-tables-'))
    const columns = ['A', 'B'].map((name) => ({ source: name, name, type: 'string' }))
    for (const { name, ...rest } of contracts)
      writeFileSync(
        join(dir, `${rest.dataset}.json`),
        JSON.stringify({ ...rest, columns, partitionBy: 'A', table: { database: 'db', name } }),
      )
    return loadContracts(dir)
  }

  test('are refused where two datasets have one, be it through a version', () => {
    expect(() => load({ dataset: 'a', name: 'tab' }, { dataset: 'b', name: 'tab' })).toThrow(
      'b.json: table.name: expected another name: tab is the table of dataset a, found "tab"',
    )
    expect(() => load({ dataset: 'a', name: 'tab_v2' }, { dataset: 'b', version: 3, name: 'tab' })).toThrow(
      'b.json: table.name: expected another name: tab_v2 is the table of dataset a, found "tab"',
    )
    expect(load({ dataset: 'a', name: 'tab_v2' }, { dataset: 'b', name: 'tab' }).size).toBe(2)
  })

  test('are refused where the rejected rows or the history of runs have theirs', () => {
    expect(() => load({ dataset: 'a', name: 'runs' })).toThrow(
      'a.json: table.name: expected another name: runs is the table of the history of runs',
    )
    expect(() => load({ dataset: 'a', version: 2, name: 'rejects' })).toThrow(
      'a.json: table.name: expected another name: rejects is the table of the rejected rows',
    )
  })
})
