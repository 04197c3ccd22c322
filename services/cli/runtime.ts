import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ENGINES } from '../../infra/engine.ts'
import { lock } from '../../infra/local/lock.ts'
import { stateDir } from '../../infra/local/paths.ts'
import { until } from '../../infra/local/process.ts'
import { clientConfig, isRuntime } from '../../infra/local/runtime.ts'
import { connect, type Landfall } from '../operations/connect.ts'

/** What `up` leaves for the other commands. */
const Up = z.object({
  endpoint: z.string(),
  pid: z.int(),
  // One that was started before there was a choice.
  engine: z.enum(ENGINES).default('duckdb'),
  startedAt: z.string(),
  log: z.string(),
})
export type Up = z.infer<typeof Up>

const file = join(stateDir, 'runtime.json')

/** The runtime that `up` keeps, if it is still alive. */
export async function readUp(): Promise<Up | undefined> {
  const up = await recorded()
  return up && (await isRuntime(up.pid)) ? up : undefined
}

async function recorded(): Promise<Up | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return Up.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

export async function writeUp(up: Up): Promise<void> {
  await mkdir(stateDir, { recursive: true })
  // Whole or not at all: a half of it would be a runtime that no one can find.
  const whole = `${file}.${process.pid}`
  try {
    await writeFile(whole, JSON.stringify(up, null, 2))
    await rename(whole, file)
  } finally {
    await rm(whole, { force: true })
  }
}

/** One `up` at a time, or the second would start a runtime that the first one's record hides. */
export async function lockUp(): Promise<(() => Promise<void>) | undefined> {
  await mkdir(stateDir, { recursive: true })
  const place = join(stateDir, 'up.lock')
  // The first call may only remove the lock of one that died.
  return (await lock(place)) ?? (await lock(place))
}

export const forgetUp = () => rm(file, { force: true })

export class NothingUp extends Error {}

const GONE = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE']

/** What to say when a command lost the local runtime while it asked it; undefined for any other error. */
export async function lostRuntime(error: unknown): Promise<string | undefined> {
  const { code = '' } = error as { code?: string }
  if (!GONE.includes(code)) return undefined
  const up = await recorded()
  // It may take a moment to die after its last answer; and one that no parent has buried still has its pid.
  if (up && (await until(async () => !(await isRuntime(up.pid)), 2_000))) {
    await forgetUp()
    return `The local runtime at ${up.endpoint} has ended while it was asked, and its objects, tables and history with it. Its log is ${up.log}. Start another one with landfall up, and land the files again.`
  }
  const where = join(stateDir, 'logs')
  return `The runtime does not answer any more (${code}): it has ended while it was asked. Its log is in ${where}.`
}

/** AWS where `--aws` says so, else the runtime that is up. */
export async function target(aws: boolean): Promise<Landfall> {
  if (aws) return await connect()
  const up = await readUp()
  if (!up) throw new NothingUp('No local runtime is up. Start one with landfall up, or use --aws for a deployed stack.')
  return await connect(clientConfig(up.endpoint))
}
