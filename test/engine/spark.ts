import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Manifest } from '../../schemas/manifest.ts'
import type { Engine } from './suite.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

interface SparkHome {
  python: string
  javaHome?: string
}

/** A Python with pyspark: the one that is named, or the one that the local runtime makes. Undefined where neither is. */
export async function findSpark(): Promise<SparkHome | undefined> {
  const named = process.env.LANDFALL_SPARK_PYTHON
  if (named) return { python: named }
  const runtime = here('../../infra/local/spark.ts')
  if (!existsSync(runtime)) return undefined
  const { ensureSpark } = (await import(runtime)) as {
    ensureSpark: (onProgress: (message: string) => void) => Promise<SparkHome>
  }
  return await ensureSpark((message) => console.info(message)).catch((error: Error) => {
    // A laptop may lack Java; CI that skipped half of the suite would be green for nothing.
    if (process.env.CI) throw error
    console.warn(error.message)
    return undefined
  })
}

export interface SparkEngine extends Engine {
  stop(): Promise<void>
}

/** Java's second compiler pays off after minutes: without it such tests take half the time of the processors. */
export const BRIEF = { JAVA_TOOL_OPTIONS: '-XX:TieredStopAtLevel=1' }

/** One JVM for many manifests: it is the start that takes seconds. Jobs are run one after the other. */
export async function startSpark(
  { python, javaHome }: SparkHome,
  environment: NodeJS.ProcessEnv = {},
): Promise<SparkEngine> {
  const server = spawn(python, [here('spark_server.py')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...(javaHome ? { JAVA_HOME: javaHome } : {}), ...environment },
  })
  let said = ''
  server.stderr.on('data', (text) => {
    said = (said + text).slice(-20_000)
  })
  const lines = createInterface(server.stdout)[Symbol.asyncIterator]()
  const answer = async () => {
    const line = await lines.next()
    if (line.done) throw new Error(`The Spark process ended.\n${said}`)
    return JSON.parse(line.value) as { error?: string }
  }
  await answer()
  let last: Promise<unknown> = Promise.resolve()
  const run = (manifest: Manifest) => {
    const turn = last.then(async () => {
      server.stdin.write(`${JSON.stringify(manifest)}\n`)
      const { error, ...result } = await answer()
      if (error) throw new Error(error)
      return result
    })
    last = turn.catch(() => undefined)
    return turn
  }
  return {
    knowsLines: false,
    convert: run,
    partition: run,
    async stop() {
      server.stdin.end()
      if (server.exitCode === null) await once(server, 'exit')
    },
  }
}
