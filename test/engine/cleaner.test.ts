import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../../schemas/compiler/plan.ts'
import { parseContract } from '../../schemas/contract.ts'
import { MAX_LINE_BYTES } from '../../services/engine/duckdb/cleaner.ts'
import { copyAccepted, createOdd, dropOdd } from '../../services/engine/duckdb/convert-sql.ts'
import { prepare } from '../../services/engine/duckdb/prepare.ts'
import { rowProblem, trim, walk } from '../../services/engine/duckdb/record.ts'
import { RejectLog } from '../../services/engine/duckdb/rejects.ts'
import { openSession, type Session } from '../../services/engine/duckdb/session.ts'
import { fromHex } from '../../services/engine/duckdb/sql.ts'

const plan = compile(
  parseContract({
    dataset: 'small',
    columns: [
      { source: 'Key', name: 'KEY', type: 'string' },
      { source: 'Value', name: 'VALUE', type: 'string' },
    ],
    partitionBy: 'KEY',
    table: { database: 'd', name: 't' },
  }),
)
const dialect = { delimiter: 44, quote: 34 }
const HEADER = 'Key,Value\n'
let dir: string
let session: Session
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'landfall-cleaner-'))
  session = await openSession(dir)
})
afterAll(() => {
  session.close()
  rmSync(dir, { recursive: true, force: true })
})

/** What the grammar says of each line, without blocks, quick looks or DuckDB. */
function reference(bytes: Buffer) {
  const rows: (string | null)[][] = []
  const rejects: unknown[] = []
  const lines = bytes.toString('latin1').split(/\r\n|\r|\n/)
  for (const [i, latin1] of lines.entries()) {
    const line = Buffer.from(latin1, 'latin1')
    const original = line.toString('utf8')
    if (i === 0 || trim(original) === '') continue
    const reason = rowProblem(line, dialect, 2)
    if (reason) {
      rejects.push([i + 1, reason, original])
      continue
    }
    const row: (string | null)[] = []
    walk(line, dialect, (field, quoted) => {
      const text = Buffer.from(field).toString('utf8')
      row.push(trim(quoted ? text.replaceAll('""', '"') : text) || null)
    })
    rows.push(row)
  }
  return { rows, rejects, longest: Math.max(...lines.map((line) => line.length)) }
}

async function measured(bytes: Buffer, chunkBytes: number, blockBytes: number) {
  const log = await RejectLog.create(join(dir, 'rejects.json'))
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, i) =>
    bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  )
  const file = join(dir, 'segment')
  const { rowsIn, layout, last } = await prepare(Readable.from(chunks), {
    plan,
    key: 'x.csv',
    file,
    rejects: log,
    blockBytes,
  })
  await log.close()
  const rejects = readFileSync(log.file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .map(({ line, reason, original }) => [line, reason, original])
  const target = join(dir, 'rows.parquet')
  if (last.odd.lines > 0) await session.run(createOdd(plan, layout, last.odd))
  await session.run(copyAccepted(plan, layout, last, target))
  if (last.odd.lines > 0) await session.run(dropOdd)
  const read = await session.rows(`SELECT hex("KEY") AS k, hex("VALUE") AS v FROM read_parquet('${target}')`)
  return { rowsIn, last, rows: read.map(({ k, v }) => [fromHex(k), fromHex(v)]), rejects }
}

const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort()

/** A generator of its own, so that a seed gives the same bytes everywhere. */
function random(seed: number) {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}

const PIECES = 'a|b|,|"|"| |\u00a0|\t|\n|\n|\r|\r\n|é|\\|\0|\'|\v|x,y\n|"q"|",|","|\ufeff|\u2003'
  .split('|')
  .map((p) => Buffer.from(p))

test.each(Array.from({ length: 40 }, (_, i) => i + 1))(
  'any bytes give the same rows and rejects as the grammar alone, however they are cut (seed %i)',
  async (seed) => {
    const below = random(seed)
    const pieces = Array.from({ length: 1 + below(500) }, () =>
      below(100) === 0 ? Buffer.from([0xff]) : (PIECES[below(PIECES.length)] ?? Buffer.alloc(0)),
    )
    const bytes = Buffer.concat([Buffer.from(HEADER), ...pieces])
    const { rows, rejects, longest } = reference(bytes)
    for (const blockBytes of [Math.max(longest, HEADER.length) + 3, 1 << 22]) {
      const found = await measured(bytes, 1 + below(50), blockBytes)
      expect(found.rejects).toEqual(rejects)
      expect(sorted(found.rows)).toEqual(sorted(rows))
      expect(found.rowsIn).toBe(rows.length + rejects.length)
      expect(found.last.clean.lines + found.last.odd.lines).toBe(rows.length)
    }
  },
)

test('a line over the limit is one reject, and its rest is no row', async () => {
  const long = `a,${'x'.repeat(MAX_LINE_BYTES)}`
  const bytes = Buffer.from(`${HEADER}${long}\nb,2\n`)
  const { rowsIn, rows, rejects } = await measured(bytes, 1 << 16, 1 << 22)
  expect(rows).toEqual([['b', '2']])
  expect(rejects).toEqual([[2, 'malformed_row', long.slice(0, 10_000)]])
  expect(rowsIn).toBe(2)
})

test('a line that no block holds is one reject, also when its end looks like a row', async () => {
  const long = `a,${'x'.repeat(3 << 20)}${'y'.repeat(3 << 20)},1`
  const bytes = Buffer.from(`${HEADER}a,1\n${long}\nb,2\n${long}`)
  const { rowsIn, rows, rejects } = await measured(bytes, 1 << 16, 1 << 22)
  expect(rows).toEqual([
    ['a', '1'],
    ['b', '2'],
  ])
  expect(rejects).toEqual([
    [3, 'malformed_row', long.slice(0, 10_000)],
    [5, 'malformed_row', long.slice(0, 10_000)],
  ])
  expect(rowsIn).toBe(4)
})

test.each(['\r', '\r\n'])('a line that fills a block up to its CR takes no other line along (%j)', async (end) => {
  const blockBytes = 1 << 22
  const long = `a,${'x'.repeat(blockBytes - 3)}`
  for (const before of ['', 'y'.repeat(blockBytes)]) {
    const bytes = Buffer.from([HEADER.trim(), `${before}${long}`, 'b,2', 'c,3', ''].join(end))
    const { rowsIn, rows, rejects } = await measured(bytes, 1 << 16, blockBytes)
    expect(sorted(rows)).toEqual(
      sorted([
        ['b', '2'],
        ['c', '3'],
      ]),
    )
    expect(rejects).toEqual([[2, 'malformed_row', `${before}${long}`.slice(0, 10_000)]])
    expect(rowsIn).toBe(3)
  }
})

test('a line that no block holds and that begins with blanks is one reject, unless it is blank', async () => {
  const blank = ' '.repeat(9 << 20)
  const bytes = Buffer.from(`${HEADER}${blank}a,1\nb,2\n${blank}\n${blank}a,1${blank}\nc,3\n`)
  const { rowsIn, rows, rejects } = await measured(bytes, 1 << 16, 1 << 22)
  expect(sorted(rows)).toEqual(
    sorted([
      ['b', '2'],
      ['c', '3'],
    ]),
  )
  const original = ' '.repeat(10_000)
  expect(rejects).toEqual([2, 5].map((line) => [line, 'malformed_row', original]))
  expect(rowsIn).toBe(4)
})

test('a field just below the limit is kept whole', async () => {
  const value = 'x'.repeat(MAX_LINE_BYTES - 2)
  const { rows } = await measured(Buffer.from(`${HEADER}a,${value}\n`), 1 << 16, 1 << 22)
  expect(rows).toEqual([['a', value]])
})

test('a source that inflates beyond the limit of the contract is refused', async () => {
  const log = await RejectLog.create(join(dir, 'rejects.json'))
  const small = { ...plan, limits: { ...plan.limits, maxBytes: 100 } }
  const source = Readable.from([Buffer.from(HEADER + 'a,1\n'.repeat(50))])
  await expect(prepare(source, { plan: small, key: 'x.csv', file: join(dir, 'c'), rejects: log })).rejects.toThrow(
    'x.csv holds more than 100 bytes, the limit of the contract of small (limits.maxBytes)',
  )
  await log.close()
})
