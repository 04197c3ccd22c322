import { Manifest, type ManifestSource } from '../../../schemas/manifest.ts'
import type { Report, SourceReport } from '../../../schemas/report.ts'
import type { MemoryObjects } from './objects.ts'

/** `COUNTRY,N`: a country of `BAD` is a reject, a header that is not this one refuses the file, `POISON` kills the job. */
export const HEADER = 'COUNTRY,N'
export const csv = (...rows: string[]): string => [HEADER, ...rows].join('\n')
export const rowsOf = (text: string): string[] => text.split('\n').filter(Boolean)
/** How a row looks that was typed under a version of the contract: from the second on, it says so. */
export const typed = (row: string, version: number): string => (version === 1 ? row : `${row}@v${version}`)
const countryOf = (row: string) => row.slice(0, row.lastIndexOf(','))

const at = (uri: string) => {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? []
  return { bucket, key }
}

/** The job protocol with text for parquet: a part is its rows, one a line. */
export class MemoryJob {
  readonly #objects: MemoryObjects
  readonly #now: () => Date
  /** Objects that it makes of a source's typed rows, if there are so many rows. */
  parts = 1
  #runs = 0
  /** What the contract rejects. */
  rejects = (row: string): boolean => countryOf(row) === 'BAD'
  /** What kills a job that reads it, until the cause is mended. */
  poison: string | undefined = 'POISON'

  constructor(objects: MemoryObjects, now: () => Date) {
    this.#objects = objects
    this.#now = now
  }

  /** @returns false for a job that dies without a report. `change` makes the report a lie. */
  run(manifestUri: string, change: (report: SourceReport) => SourceReport = (report) => report): boolean {
    const stored = this.#objects.read(at(manifestUri).bucket, at(manifestUri).key)
    const manifest = Manifest.parse(JSON.parse(stored?.body.toString() ?? 'null'))
    const { bucket, key } = at(manifest.report)
    const startedAt = this.#now().toISOString()
    this.#runs++
    const sources: SourceReport[] = []
    for (const source of manifest.sources) {
      const rows = this.#read(source)
      const { poison } = this
      if (poison && rows?.some((row) => row.includes(poison))) return false
      sources.push(change(this.#source(manifest, source, rows)))
    }
    const report: Report = {
      report: 1,
      batch: manifest.batch,
      engine: 'duckdb',
      job: 'job',
      startedAt,
      endedAt: startedAt,
      sources,
    }
    if (!this.#objects.read(bucket, key)) this.#objects.put(bucket, key, JSON.stringify(report))
    return true
  }

  /** Pinned, as the protocol says: another object under the key is not the one meant. */
  #read({ inputs }: ManifestSource): string[] | undefined {
    const rows: string[] = []
    for (const { uri, etag, versionId } of inputs) {
      const found = this.#objects.read(at(uri).bucket, at(uri).key, versionId)
      if (!found || found.etag !== etag) return undefined
      rows.push(...rowsOf(found.body.toString()))
    }
    return rows
  }

  /** Of few rows one part, with none in it if there are none. */
  #shares(rows: string[]): string[][] {
    const parts = Math.max(1, Math.min(this.parts, rows.length))
    const size = Math.ceil(rows.length / parts)
    return Array.from({ length: parts }, (_, i) => rows.slice(i * size, (i + 1) * size))
  }

  #source(manifest: Manifest, { runId, sourceId }: ManifestSource, rows: string[] | undefined): SourceReport {
    const base = { runId, sourceId, rowsIn: 0, accepted: 0, rejected: 0, refusal: null, reasons: [], examples: [] }
    const none = { ...base, parts: [], rejects: null }
    if (!rows) return { ...none, refusal: { code: 'gone', message: 'The input is gone.' } }
    const staged = (name: string, lines: string[]) => {
      const uri = `${manifest.staging}job${this.#runs}/${runId}/${name}`
      const { etag } = this.#objects.put(at(uri).bucket, at(uri).key, lines.join('\n'))
      return { uri, etag, rows: lines.length, bytes: lines.join('\n').length }
    }
    if (manifest.stage === 'partition') {
      const countries = [...new Set(rows.map(countryOf))].sort()
      const parts = countries.map((partition, i) => ({
        partition,
        ...staged(
          `p${i}`,
          rows.filter((row) => countryOf(row) === partition),
        ),
      }))
      return { ...none, rowsIn: rows.length, accepted: rows.length, parts }
    }
    const [header, ...data] = rows
    if (header !== HEADER)
      return { ...none, refusal: { code: 'header_mismatch', message: `The header is ${header}, not ${HEADER}.` } }
    const bad = data.filter((row) => this.rejects(row))
    const good = data.filter((row) => !this.rejects(row))
    return {
      ...none,
      rowsIn: data.length,
      accepted: good.length,
      rejected: bad.length,
      reasons: bad.length > 0 ? [{ reason: 'not_an_integer', column: 'N', rows: bad.length }] : [],
      examples: bad.slice(0, 5).map((row) => ({
        line: data.indexOf(row) + 2,
        column: 'N',
        value: row.slice(row.lastIndexOf(',') + 1),
        reason: 'not_an_integer',
      })),
      parts: this.#shares(good.map((row) => typed(row, manifest.plan.version))).map((share, i) =>
        staged(`p${i}`, share),
      ),
      rejects: bad.length > 0 ? staged('rejects', bad) : null,
    }
  }
}
