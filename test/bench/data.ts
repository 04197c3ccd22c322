import { createWriteStream } from 'node:fs'
import { mkdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { stateDir } from '../../infra/local/paths.ts'
import type { BadKind } from '../generator/bad-rows.ts'
import { MEMBER_NAME } from '../generator/real-values.ts'
import { generateSales } from '../generator/sales.ts'
import { writeZip } from '../generator/zip.ts'

export const benchDir = join(stateDir, 'bench')

/** One row in a thousand is bad, so that every measure has checks, rejects and the line numbers of rejects in it. */
const BAD_SHARE = 0.001
/** Kinds that every reader under measurement gets through: Polars ends at an open quote and at a surplus field. */
const BAD_KINDS: BadKind[] = [
  'bad_date',
  'too_few_fields',
  'over_precise_decimal',
  'overflow_decimal',
  'not_an_integer',
]

export type DataFile = { path: string; rows: number; bytes: number }

const sales = (rows: number) => generateSales({ rows, badShare: BAD_SHARE, badKinds: BAD_KINDS })

export const csvOf = (rows: number, say: (text: string) => void) =>
  made(`sales-${rows}.csv`, rows, say, (path) => pipeline(sales(rows).stream, createWriteStream(path)))

export const zipOf = (rows: number, say: (text: string) => void) =>
  made(`sales-${rows}.zip`, rows, say, (path) => writeZip(path, [{ name: MEMBER_NAME, stream: sales(rows).stream }]))

/** The file of that name, made if there is none: under another name first, so that half a file is never measured. */
async function made(
  name: string,
  rows: number,
  say: (text: string) => void,
  make: (path: string) => Promise<void>,
): Promise<DataFile> {
  const folder = join(benchDir, 'data-1')
  const path = join(folder, name)
  const found = await stat(path).catch(() => undefined)
  if (found) return { path, rows, bytes: found.size }
  say(`Making ${name} (once)`)
  await mkdir(folder, { recursive: true })
  const partial = `${path}.${process.pid}.partial`
  await make(partial)
  await rename(partial, path)
  return { path, rows, bytes: (await stat(path)).size }
}
