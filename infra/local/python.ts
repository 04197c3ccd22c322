import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { stateDir } from './paths.ts'
import { isAlive } from './process.ts'

const requirementsFile = join(import.meta.dirname, 'requirements.txt')
const OLDEST = [3, 10] as const

export type PythonOptions = {
  /** Where the environment is made. @default `.landfall` in the project */
  home?: string
  /** What is installed, with hashes. @default `infra/local/requirements.txt` */
  requirements?: string
  /** Says in a word or two what that is. @default 'the emulator and DuckDB' */
  contents?: string
}

/**
 * The path of a Python that has these packages; on first use it is made (the emulator's: about ten seconds and 150 MB).
 * Always run this path: the scripts beside it name the folder in which they were made.
 * @throws Error in words, when there is no Python 3.10, or pip fails
 */
export async function ensurePython(
  onProgress: (message: string) => void,
  options: PythonOptions = {},
): Promise<string> {
  const { home = stateDir, requirements = requirementsFile, contents = 'the emulator and DuckDB' } = options
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12)
  const folder = join(home, `python-${hash}`)
  const python = join(folder, 'bin/python')
  // A link to a Python that has since been removed does not count as existing.
  while (!existsSync(python)) {
    await mkdir(home, { recursive: true })
    const release = await lock(`${folder}.lock`)
    if (!release) {
      await wait(100)
      continue
    }
    try {
      if (!existsSync(python)) await build(folder, requirements, contents, onProgress)
    } finally {
      await release()
    }
  }
  return python
}

async function build(
  folder: string,
  requirements: string,
  contents: string,
  onProgress: (message: string) => void,
): Promise<void> {
  const system = await findPython()
  onProgress('Setting up Python for the local runtime (once)')
  // Built beside its place and then renamed, so that a half-made one is never used.
  const scratch = await mkdtemp(`${folder}-`)
  try {
    await run(system, ['-m', 'venv', scratch], 'On Debian and Ubuntu it is the package python3-venv.')
    const pip = [
      '-m',
      'pip',
      'install',
      '--disable-pip-version-check',
      '--quiet',
      '--require-hashes',
      '-r',
      requirements,
    ]
    onProgress(`Installing ${contents}`)
    await run(join(scratch, 'bin/python'), pip, 'The packages are fetched from the configured package index.')
    await rm(folder, { recursive: true, force: true })
    await rename(scratch, folder)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function findPython(): Promise<string> {
  const name = process.env.LANDFALL_PYTHON ?? 'python3'
  const version = ['-c', 'import sys; print(*sys.version_info[:2])']
  const found = await run(name, version, '').catch(() => undefined)
  const [major = 0, minor = 0] = (found ?? '').split(' ').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return name
  const what = found === undefined ? `${name} does not run` : `${name} is Python ${found.trim().replace(' ', '.')}`
  throw new Error(
    `The local runtime needs Python ${OLDEST.join('.')} or later, and ${what}. Install Python 3 (on Debian and Ubuntu: ` +
      'python3 and python3-venv; on macOS: brew install python), or name one in LANDFALL_PYTHON.',
  )
}

function run(command: string, args: string[], hint: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n')
      reject(
        new Error(`This command failed:\n  ${[command, ...args].join(' ')}\n${said || error.message}\n${hint}`.trim()),
      )
    })
  })
}

/** Takes the lock, or returns undefined while a living process holds it. */
async function lock(folder: string): Promise<(() => Promise<void>) | undefined> {
  const owner = join(folder, 'pid')
  try {
    await mkdir(folder)
  } catch {
    const pid = Number(await readFile(owner, 'utf8').catch(() => ''))
    // Without a pid its owner is just writing it.
    if (pid && !isAlive(pid)) await rm(folder, { recursive: true, force: true })
    return undefined
  }
  await writeFile(owner, String(process.pid))
  return () => rm(folder, { recursive: true, force: true })
}
