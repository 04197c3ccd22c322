import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { projectRoot } from '../../infra/local/paths.ts'
import { compile } from '../../schemas/compiler/plan.ts'
import { loadContract } from '../../schemas/contract.ts'
import type { Manifest } from '../../schemas/manifest.ts'
import { Report, type SourceReport } from '../../schemas/report.ts'
import { benchDir, type DataFile } from './data.ts'
import { run, type Usage } from './measure.ts'

export type Stage = Manifest['stage']
/** Both jobs of one engine, one after the other, as the chain runs them. */
export type TwoJobs = { convert: JobRun; partition: JobRun }
/** `inJob`: the job's own part of it, by its report: without the start of the process and of Spark. */
export type JobRun = Usage & { inJob: number; source: SourceReport }
export type Engine = { name: string; command: (stage: Stage) => [string, ...string[]] }

const script = (stage: Stage) => join(projectRoot, 'services', stage, 'job.py')

export const duckdb = (scripts: Record<Stage, string>): Engine => ({
  name: 'DuckDB',
  command: (stage) => [process.execPath, scripts[stage]],
})
export const spark = (python: string): Engine => ({ name: 'Spark', command: (stage) => [python, script(stage)] })
export const hasSpark = () => existsSync(script('convert')) && existsSync(script('partition'))

/** @throws Error when the job fails, or when its books do not balance. */
export async function twoJobs(engine: Engine, csv: DataFile, partition: Engine = engine): Promise<TwoJobs> {
  const folder = join(benchDir, `work-${process.pid}`)
  try {
    const converted = await runJob(engine, 'convert', folder, [{ uri: pathToFileURL(csv.path).href, bytes: csv.bytes }])
    const { rowsIn, accepted, rejected, parts } = converted.source
    if (rowsIn !== csv.rows || accepted + rejected !== rowsIn)
      throw new Error(
        `${engine.name}: ${csv.rows} rows, of which ${rowsIn} read, ${accepted} accepted, ${rejected} rejected`,
      )
    const partitioned = await runJob(partition, 'partition', folder, parts)
    if (partitioned.source.accepted !== accepted)
      throw new Error(`${partition.name}: ${accepted} rows, of which ${partitioned.source.accepted} in partitions`)
    return { convert: converted, partition: partitioned }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function runJob(
  engine: Engine,
  stage: Stage,
  folder: string,
  inputs: { uri: string; bytes: number }[],
): Promise<JobRun> {
  const base = `${pathToFileURL(folder).href}/${stage}/`
  const manifest: Manifest = {
    manifest: 1,
    stage,
    batch: 'bench',
    dataset: 'sales',
    plan: compile(loadContract(join(projectRoot, 'schemas/datasets/sales.json'))),
    sources: [{ runId: 'run', sourceId: 'source', inputs }],
    staging: base,
    report: `${base}report.json`,
  }
  await mkdir(join(folder, stage), { recursive: true })
  const file = join(folder, `${stage}.json`)
  await writeFile(file, JSON.stringify(manifest))
  const [command, ...args] = engine.command(stage)
  const { stdout: _, ...usage } = await run(command, [...args, '--manifest', pathToFileURL(file).href])
  const report = Report.parse(JSON.parse(await readFile(join(folder, stage, 'report.json'), 'utf8')))
  const [source] = report.sources
  if (!source || source.refusal) throw new Error(`${engine.name}, ${stage}: ${source?.refusal?.message ?? 'no source'}`)
  return { ...usage, inJob: (Date.parse(report.endedAt) - Date.parse(report.startedAt)) / 1000, source }
}

/** A script of `../shared/bench`, which measures its own two jobs and says so in one line of JSON. */
export async function peer(python: string, file: string, csv: DataFile) {
  const out = join(benchDir, `peer-${process.pid}`)
  try {
    const { stdout, seconds } = await run(python, [file, csv.path, out])
    const said = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      start_s?: number
      job1_s: number
      job2_s: number
    }
    return { seconds, start: said.start_s, convert: said.job1_s, partition: said.job2_s }
  } finally {
    await rm(out, { recursive: true, force: true })
  }
}
