import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { projectRoot, stateDir } from '../../../infra/local/paths.ts'
import { until } from '../../../infra/local/process.ts'
import { ensurePython } from '../../../infra/local/python.ts'
import { processesNaming, temporary } from '../../infra/local/support.ts'

const main = join(projectRoot, 'services/cli/main.ts')

/** A place of its own for what the CLI keeps and for temporary files, so that a test sees what is left of them. */
export type Home = { folder: string; tmp: string }

/** @param python whether the Python is there already, or would have to be made */
export async function home(python: 'there' | 'missing', folder = temporary()): Promise<Home> {
  const tmp = join(folder, 'tmp')
  mkdirSync(tmp, { recursive: true })
  if (python === 'there') {
    await ensurePython(() => {})
    for (const name of readdirSync(stateDir).filter((each) => /^python-[0-9a-f]+$/.test(each)))
      symlinkSync(join(stateDir, name), join(folder, name))
  }
  return { folder, tmp }
}

export type Ended = { code: number | null; out: string; err: string }

/** The CLI as a process, as people start it. */
export function landfall({ folder, tmp }: Home, args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, LANDFALL_HOME: folder, TMPDIR: tmp, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    said.out += data
  })
  child.stderr.on('data', (data) => {
    said.err += data
  })
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, ...said })))
  const says = async (text: string) => {
    if (!(await until(() => said.err.includes(text) || child.exitCode !== null, 90_000, 5)) || child.exitCode !== null)
      throw new Error(`landfall ${args.join(' ')} did not say "${text}":\n${said.err}`)
  }
  return { child, ended, says }
}

/** No process, no temporary file, no record of a runtime, nothing half-made. */
export async function leavesNothing({ folder, tmp }: Home): Promise<void> {
  const left = () => ({
    processes: processesNaming(folder),
    temporary: readdirSync(tmp),
    state: readdirSync(folder).filter((name) => !/^(tmp|logs|python-[0-9a-f]+)$/.test(name)),
  })
  const nothing = { processes: [], temporary: [], state: [] }
  await until(() => isDeepStrictEqual(left(), nothing), 10_000)
  expect(left()).toEqual(nothing)
}
