import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { DuckDBInstance, type Json } from '@duckdb/node-api'
import { compile } from '../../schemas/compiler/plan.ts'
import { type Contract, loadContract, parseContract } from '../../schemas/contract.ts'
import type { Manifest } from '../../schemas/manifest.ts'
import { Report, type SourceReport, type StagedPart } from '../../schemas/report.ts'

type Cell = string | null
export interface Case {
  title: string
  /** @default 'x.csv' */
  name?: string
  csv?: string
  base64?: string
  gzip?: boolean
  /** Values as DuckDB prints them, in the order of the contract. */
  accepted?: Cell[][]
  rejects?: { line: number; column: Cell; value: Cell; reason: string; original: string }[]
  /** Partition values with their rows, in the order of code points, null last. */
  partitions?: [Cell, number][]
  refusal?: { code: string; says: string }
}

/** An engine's two jobs, as the job protocol has them: the report is at `manifest.report` afterwards. */
export interface Engine {
  /** Whether rejects carry the number of their line. */
  readonly knowsLines: boolean
  convert(manifest: Manifest): Promise<unknown>
  partition(manifest: Manifest): Promise<unknown>
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export const salesContract = () => loadContract(here('../../schemas/datasets/sales.json'))

/** The cases of all files, with their contracts. Data, not code: every engine gets the same. */
export function allCases(): { file: string; contract: Contract; cases: Case[] }[] {
  return readdirSync(here('cases')).map((file) => {
    const { contract, cases } = JSON.parse(repeated(readFileSync(here(`cases/${file}`), 'utf8')))
    return { file, contract: contract === 'sales' ? salesContract() : parseContract(contract, file), cases }
  })
}

/** `{x*3}` in a case is `xxx`: long fields need not be long in the file. */
const repeated = (text: string) =>
  text.replace(/\{(\w)\*(\d+)\}/g, (_, char: string, times: string) => char.repeat(Number(times)))

export const bytesOf = ({ csv = '', base64, gzip }: Case): Buffer => {
  const bytes = base64 === undefined ? Buffer.from(csv) : Buffer.from(base64, 'base64')
  return gzip ? gzipSync(bytes) : bytes
}

export class Bench {
  readonly dir = mkdtempSync(join(tmpdir(), 'landfall-test-'))
  readonly #engine: Engine
  readonly #contract: Contract
  constructor(engine: Engine, contract: Contract) {
    this.#engine = engine
    this.#contract = contract
  }
  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** @param name may be a path */
  file(name: string, bytes: Buffer | string): string {
    const path = join(this.dir, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    return pathToFileURL(path).href
  }

  manifest(stage: Manifest['stage'], sources: { uri: string; bytes: number }[][]): Manifest {
    const base = `${pathToFileURL(this.dir).href}/staging/${stage}/`
    return {
      manifest: 1,
      stage,
      batch: 'batch-1',
      dataset: this.#contract.dataset,
      plan: JSON.parse(JSON.stringify(compile(this.#contract))),
      sources: sources.map((inputs, i) => ({ runId: `run-${i}`, sourceId: `source-${i}`, inputs })),
      staging: base,
      report: `${base}report.json`,
    }
  }

  async run(stage: Manifest['stage'], sources: { uri: string; bytes: number }[][]): Promise<SourceReport[]> {
    const manifest = this.manifest(stage, sources)
    await this.#engine[stage](manifest)
    return Report.parse(JSON.parse(readFileSync(fileURLToPath(manifest.report), 'utf8'))).sources
  }

  /** Converts one CSV. */
  async convert(name: string, bytes: Buffer | string): Promise<SourceReport> {
    const [report] = await this.run('convert', [[{ uri: this.file(name, bytes), bytes: bytes.length }]])
    if (!report) throw new Error('no source in the report')
    return report
  }

  /** Partitions what `convert` gave. */
  async partition(parts: StagedPart[]): Promise<SourceReport> {
    const [report] = await this.run('partition', [parts])
    if (!report) throw new Error('no source in the report')
    return report
  }
}

/** Rows of a parquet file, every value as text. */
export async function parquetText(uri: string, columns: string, order = ''): Promise<Cell[][]> {
  return (
    await query(`SELECT ${columns} FROM read_parquet('${fileURLToPath(uri).replaceAll("'", "''")}') ${order}`)
  ).map((row) => row.map((value) => (value === null ? null : String(value))))
}

export async function query(sql: string): Promise<Json[][]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRowsJson()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
