import { statfs } from 'node:fs/promises'
import { bundle } from '../../infra/bundle.ts'
import { benchDir, csvOf } from './data.ts'
import { duckdb, type TwoJobs, twoJobs } from './jobs.ts'
import { medians, type Usage } from './measure.ts'
import { type Found, mebibytes, type Part, type Settings, seconds } from './part.ts'

const SIZES = [200_000, 2_000_000, 20_000_000]
/** The file, its clean copy, parquet twice and what spills. */
const DISK_PER_ROW = 600

export const growth: Part = {
  name: 'growth',
  about: "DuckDB's two jobs from 0.2 to 20 million rows: time per row and memory",
  run: runGrowth,
}

async function runGrowth({ rows, runs, quick, say }: Settings): Promise<Found> {
  const { jobs } = bundle()
  const notes: string[] = []
  const sizes: number[] = []
  for (const size of rows ? [rows] : quick ? SIZES.slice(0, 2) : SIZES) {
    const { bavail, bsize } = await statfs(benchDir).catch(() => ({ bavail: 0, bsize: 0 }))
    if (size * DISK_PER_ROW <= bavail * bsize) sizes.push(size)
    else
      notes.push(
        `Skipped ${size.toLocaleString('en')} rows: the disk has not ${Math.round((size * DISK_PER_ROW) / 1e9)} GB left.`,
      )
  }
  const results: {
    rows: number
    bytes: number
    rounds: number
    convert: Usage
    partition: Usage
    microseconds: number
  }[] = []
  for (const size of sizes) {
    const csv = await csvOf(size, say)
    const rounds = runs ?? (size > 10_000_000 || quick ? 1 : 3)
    const found: TwoJobs[] = []
    for (let round = 1; round <= rounds; round++) {
      say(`${size.toLocaleString('en')} rows, ${round} of ${rounds}`)
      found.push(await twoJobs(duckdb(jobs), csv))
    }
    const convert = medians(found.map((one) => one.convert))
    const partition = medians(found.map((one) => one.partition))
    const microseconds = ((convert.seconds + partition.seconds) / size) * 1e6
    results.push({ rows: size, bytes: csv.bytes, rounds, convert, partition, microseconds })
  }
  const at = (size: number) => results.find((result) => result.rows === size)
  const [middle, large] = [at(2_000_000), at(20_000_000)]
  return {
    figures: { results },
    table: [
      ['rows', 'convert', 'MiB', 'partition', 'MiB', 'µs a row'],
      ...results.map(({ rows, convert, partition, microseconds }) => [
        rows.toLocaleString('en'),
        seconds(convert.seconds),
        mebibytes(convert.peakMiB),
        seconds(partition.seconds),
        mebibytes(partition.peakMiB),
        microseconds.toFixed(2),
      ]),
    ],
    notes,
    goals:
      middle && large
        ? [
            {
              what: 'time per row at 20 million to that at 2 million',
              found: large.microseconds / middle.microseconds,
              atMost: 1.3,
              aim: 1,
            },
          ]
        : [],
  }
}
