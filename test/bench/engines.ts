import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bundle } from '../../infra/bundle.ts'
import { projectRoot } from '../../infra/local/paths.ts'
import { ensurePython } from '../../infra/local/python.ts'
import { csvOf } from './data.ts'
import { duckdb, hasSpark, peer, spark, type TwoJobs, twoJobs } from './jobs.ts'
import { inTurns, median, medians } from './measure.ts'
import { type Found, type Goal, mebibytes, type Part, type Settings, seconds, times } from './part.ts'

const shared = join(projectRoot, '../shared/bench')
const BASELINE = join(shared, 'baseline_spark.py')
const POLARS = join(shared, 'peer_polars.py')

export const engines: Part = {
  name: 'engines',
  about: 'the two jobs of each engine, beside the hand-written Spark pair and Polars',
  run: runEngines,
}

type Side = { name: string; run: () => Promise<Timed> }
type Timed = { convert: number; partition: number; start?: number | undefined; jobs?: TwoJobs }

async function runEngines({ rows = 2_000_000, runs, quick, say }: Settings): Promise<Found> {
  const rounds = runs ?? (quick ? 1 : 3)
  const csv = await csvOf(rows, say)
  const scripts = bundle().jobs
  const notes: string[] = []
  const sides: Side[] = [{ name: 'DuckDB', run: async () => timed(await twoJobs(duckdb(scripts), csv)) }]

  const python = await ensurePython(say, { requirements: join(import.meta.dirname, 'requirements.txt') }).catch(
    (error: unknown) => void notes.push(`Without Python, DuckDB alone: ${(error as Error).message}`),
  )
  const java = await promisify(execFile)('java', ['-version']).then(
    () => true,
    () => false,
  )
  if (!java) notes.push('Spark and the baseline are skipped: there is no java on the path (17 is what Glue 5 has).')
  if (!hasSpark())
    notes.push('Spark is skipped: services/convert/job.py and services/partition/job.py are not both there.')
  for (const file of [BASELINE, POLARS]) if (!existsSync(file)) notes.push(`Skipped: ${file} is not there.`)
  if (python) {
    if (existsSync(POLARS)) sides.push({ name: 'Polars', run: () => peer(python, POLARS, csv) })
    if (java && hasSpark()) sides.push({ name: 'Spark', run: async () => timed(await twoJobs(spark(python), csv)) })
    if (java && existsSync(BASELINE)) sides.push({ name: 'baseline', run: () => peer(python, BASELINE, csv) })
  }

  const found = await inTurns(sides, rounds, say)
  const results = sides.map(({ name }, i) => ({ name, runs: found[i] ?? [], ...summary(found[i] ?? []) }))
  const by = (name: string) => results.find((result) => result.name === name)
  const [polars, baseline] = [by('Polars'), by('baseline')]
  notes.push(
    `${rows.toLocaleString('en')} rows, ${(csv.bytes / 1e6).toFixed(1)} MB, one in a thousand bad; medians of ${rounds}, in turns.`,
    'DuckDB and Spark: whole processes, with checks, rejects and report. Polars and the baseline: their two jobs alone, as they measure themselves, without starting Python or Spark.',
  )
  const table = [
    ['engine', 'convert', 'partition', 'together', 'CPU', 'peak MiB', 'to baseline', 'to Polars'],
    ...results.map(({ name, convert, partition, together, usage }) => [
      name,
      seconds(convert),
      seconds(partition),
      seconds(together),
      seconds(usage && (usage.convert.cpuSeconds ?? 0) + (usage.partition.cpuSeconds ?? 0)),
      mebibytes(usage && Math.max(usage.convert.peakMiB ?? 0, usage.partition.peakMiB ?? 0)),
      baseline ? times(together / baseline.together) : '-',
      polars ? times(together / polars.together) : '-',
    ]),
  ]
  const goals: Goal[] = []
  const [embedded, distributed] = [by('DuckDB'), by('Spark')]
  if (embedded && baseline)
    goals.push({
      what: 'times that DuckDB is faster than the baseline',
      found: baseline.together / embedded.together,
      atLeast: 8,
      aim: 12,
    })
  if (embedded && polars)
    goals.push({ what: 'DuckDB to Polars', found: embedded.together / polars.together, atMost: 1.5, aim: 1.2 })
  if (distributed && baseline) {
    goals.push({
      what: 'Spark to the baseline, the jobs alone',
      found: distributed.inJobs / baseline.together,
      atMost: 0.75,
      aim: 0.6,
    })
    const started = baseline.together + 2 * (baseline.start ?? 0)
    notes.push(
      `Spark's jobs with two starts to the baseline's with two starts (${seconds(baseline.start)} each): ${times(distributed.together / started)}.`,
    )
  }
  return {
    figures: {
      rows,
      bytes: csv.bytes,
      rounds,
      results: results.map(({ runs, ...rest }) => ({ ...rest, runs: runs.map(plain) })),
    },
    table,
    notes,
    goals,
  }
}

const timed = (jobs: TwoJobs): Timed => ({ convert: jobs.convert.seconds, partition: jobs.partition.seconds, jobs })
const plain = ({ convert, partition, start }: Timed) => ({ convert, partition, start })

function summary(runs: Timed[]) {
  const jobs = runs.flatMap((one) => (one.jobs ? [one.jobs] : []))
  const starts = runs.flatMap(({ start }) => (start === undefined ? [] : [start]))
  return {
    convert: median(runs.map(({ convert }) => convert)),
    partition: median(runs.map(({ partition }) => partition)),
    together: median(runs.map(({ convert, partition }) => convert + partition)),
    inJobs: median(jobs.map(({ convert, partition }) => convert.inJob + partition.inJob)),
    ...(starts.length > 0 && { start: median(starts) }),
    ...(jobs.length > 0 && {
      usage: {
        convert: medians(jobs.map(({ convert }) => convert)),
        partition: medians(jobs.map(({ partition }) => partition)),
      },
    }),
  }
}
