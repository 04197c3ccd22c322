import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Engine } from '../engine.ts'
import { deployLocal } from './deploy.ts'
import { runDir, stateDir } from './paths.ts'
import { type Runtime, type RuntimeOptions, startRuntime } from './runtime.ts'
import { ensureSpark } from './spark.ts'

export type RaiseOptions = Omit<RuntimeOptions, 'logFile' | 'detached'> & {
  /** Names the folder of logs in `.landfall/logs`; the last one of this name is replaced. */
  name: string
  /** What runs the Glue jobs. @default 'duckdb' */
  engine?: Engine
  /** Folder of the contracts. @default `schemas/datasets` of the project */
  datasets?: string
  /** Share of the runs that are traced. @default 1 */
  traceSampling?: number
}

/**
 * Starts the emulator and deploys the app to it, in the state in which a file can land.
 * Whatever goes wrong, or when `signal` aborts: nothing is left running.
 */
export async function raise(options: RaiseOptions): Promise<Runtime & { log: string }> {
  const { name, engine = 'duckdb', datasets, traceSampling, signal, onProgress } = options
  const env = { ...options.env, ...(engine === 'spark' && (await sparkEnv(onProgress, signal))) }
  const logs = join(stateDir, 'logs', name)
  // Those of the last time, of every job run: they are for looking into what happened now.
  await rm(logs, { recursive: true, force: true })
  await mkdir(logs, { recursive: true })
  const log = join(logs, 'runtime.log')
  const runtime = await startRuntime({ ...options, env, logFile: log })
  try {
    await deployApp(runtime, { engine, datasets, traceSampling, signal, onProgress })
    return { ...runtime, log }
  } catch (error) {
    await runtime.stop()
    throw error
  }
}

/** Deploys the app to a runtime, or what has changed of it since: another version of a contract, say. */
export async function deployApp(
  runtime: Pick<Runtime, 'pid' | 'endpoint'>,
  {
    engine = 'duckdb',
    datasets,
    traceSampling = 1,
    signal,
    onProgress,
  }: Pick<RaiseOptions, 'engine' | 'datasets' | 'traceSampling' | 'signal' | 'onProgress'>,
): Promise<void> {
  signal?.throwIfAborted()
  onProgress('Synthesizing the CDK app')
  // The CDK is half of the start of any command that needs it, and most commands do not.
  const [{ synthesize }, { JOB_CODE, laptop }] = await Promise.all([import('../app.ts'), import('../config.ts')])
  // In the runtime's own folder, which goes with it, however it ends; each time another, as CDK hashes a folder once.
  const assembly = synthesize(
    laptop({ jobs: JOB_CODE[engine], traceSampling, ...(datasets !== undefined && { datasets }) }),
    await mkdtemp(join(runDir(runtime.pid), 'assembly-')),
  )
  // Synthesizing holds up everything else, a signal included.
  await turn()
  await deployLocal(runtime.endpoint, assembly, onProgress, signal)
  signal?.throwIfAborted()
}

/** Tells the emulator's Glue which Python has PySpark. */
async function sparkEnv(onProgress: (message: string) => void, signal?: AbortSignal) {
  const { python } = await ensureSpark(onProgress, { signal })
  return { LANDFALL_SPARK_PYTHON: python }
}
