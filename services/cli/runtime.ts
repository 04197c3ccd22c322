import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ENGINES } from '../../infra/engine.ts'
import { stateDir } from '../../infra/local/paths.ts'
import { isAlive } from '../../infra/local/process.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
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
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const up = Up.safeParse(JSON.parse(text))
  return up.success && isAlive(up.data.pid) ? up.data : undefined
}

export async function writeUp(up: Up): Promise<void> {
  await mkdir(stateDir, { recursive: true })
  await writeFile(file, JSON.stringify(up, null, 2))
}

export const forgetUp = () => rm(file, { force: true })

export class NothingUp extends Error {}

/** AWS where `--aws` says so, else the runtime that is up. */
export async function target(aws: boolean): Promise<Landfall> {
  if (aws) return await connect()
  const up = await readUp()
  if (!up) throw new NothingUp('No local runtime is up. Start one with landfall up, or use --aws for a deployed stack.')
  return await connect(clientConfig(up.endpoint))
}
