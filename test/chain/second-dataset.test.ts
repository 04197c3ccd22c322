import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DATASETS } from '../../infra/config.ts'
import { type Stack, stack } from './stack.ts'

/** All that a second dataset takes. */
const VISITS = {
  dataset: 'visits',
  source: { delimiter: ';' },
  columns: [
    { source: 'Besuch', name: 'VISIT_ID', type: 'bigint', required: true },
    { source: 'Filiale', name: 'BRANCH', type: 'string', required: true },
    { source: 'Beginn', name: 'BEGAN_AT', type: 'timestamp', formats: ['dd.MM.yyyy HH:mm'] },
    { source: 'Stammkunde', name: 'REGULAR', type: 'boolean' },
    { source: 'Notiz', name: 'NOTE', type: 'string' },
  ],
  partitionBy: 'BRANCH',
  table: { database: 'deliverydatabase', name: 'visits' },
  maxRejectShare: 0.6,
}

const ROWS = `Besuch;Filiale;Beginn;Stammkunde;Notiz
9007199254740993;Köln;24.12.2024 09:30;true;"Rückgabe; ohne Bon"
2;Köln;31.02.2024 09:30;false;
3;Bonn;;;
;Bonn;01.01.2024 10:00;true;no number
5;Bonn;01.01.2024 10:00;ja;
6;;01.01.2024 10:00;true;
7;Bad/Ems;29.02.2024 23:59;FALSE;'
`

let folder: string
let chain: Stack
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'landfall-datasets-'))
  const datasets = join(folder, 'datasets')
  await mkdir(datasets)
  await copyFile(join(DATASETS, 'sales.json'), join(datasets, 'sales.json'))
  await writeFile(join(datasets, 'visits.json'), JSON.stringify(VISITS))
  chain = await stack('visits', { dataset: 'visits', datasets })
}, 120_000)
afterAll(async () => {
  await chain?.close()
  await rm(folder, { recursive: true, force: true })
})

it('is one file: a contract beside the other, and a file that lands can be queried', async () => {
  const [run, ...others] = await chain.landed(await chain.csv('may.csv', ROWS))
  expect(others).toEqual([])
  expect(run).toMatchObject({
    dataset: 'visits',
    state: 'delivered',
    rowsIn: 7,
    accepted: 3,
    rejected: 4,
    partitions: 3,
  })
  expect(run?.examples?.map(({ line, column, value, reason }) => [line, column, value, reason])).toEqual([
    [3, 'Beginn', '31.02.2024 09:30', 'not_a_timestamp'],
    [5, 'Besuch', null, 'required_missing'],
    [6, 'Stammkunde', 'ja', 'not_a_boolean'],
    [7, 'Filiale', null, 'required_missing'],
  ])
  expect(await chain.rows('SELECT visit_id, branch, began_at, regular, note FROM visits ORDER BY visit_id')).toEqual([
    ['3', 'Bonn', null, null, null],
    ['7', 'Bad/Ems', '2024-02-29 23:59:00.000', 'false', "'"],
    ['9007199254740993', 'Köln', '2024-12-24 09:30:00.000', 'true', 'Rückgabe; ohne Bon'],
  ])
  expect(await chain.rows("SELECT count(*) FROM visits WHERE branch = 'Bad/Ems'")).toEqual([['1']])
}, 90_000)
