import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { lock } from './lock.ts'
import { stateDir } from './paths.ts'

const requirementsFile = join(import.meta.dirname, 'requirements.txt')
const OLDEST = [3, 10] as const
/** pip alone needs more. */
const FULL_BYTES = 16 << 20

export type PythonOptions = {
  /** Where the environment is made. @default `.landfall` in the project */
  home?: string
  /** What is installed, with hashes. @default `infra/local/requirements.txt` */
  requirements?: string
  /** Says in a word or two what that is. @default 'the emulator and DuckDB' */
  contents?: string
  /** Ends what is being made, with all its processes and files. */
  signal?: AbortSignal
}

/**
 * The path of a Python that has these packages; on first use it is made (the emulator's: about ten seconds and 150 MB).
 * Always run this path: the scripts beside it name the folder in which they were made.
 * @throws Error in words, when there is no Python 3.10, or pip fails; the signal's reason when it aborts
 */
export async function ensurePython(
  onProgress: (message: string) => void,
  options: PythonOptions = {},
): Promise<string> {
  const { home = stateDir, requirements = requirementsFile, contents = 'the emulator and DuckDB', signal } = options
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
      await wait(100, undefined, { signal })
      continue
    }
    try {
      if (!existsSync(python)) await build(folder, { requirements, contents, signal }, onProgress)
    } finally {
      await release()
    }
  }
  return python
}

async function build(
  folder: string,
  { requirements, contents, signal }: Pick<PythonOptions, 'signal'> & { requirements: string; contents: string },
  onProgress: (message: string) => void,
): Promise<void> {
  const system = await findPython()
  signal?.throwIfAborted()
  // The lock is ours: what lies beside the place is of one that was killed.
  for (const name of await readdir(dirname(folder))) {
    if (name.startsWith(`${basename(folder)}-`)) await rm(join(dirname(folder), name), { recursive: true, force: true })
  }
  onProgress('Setting up Python for the local runtime (once)')
  // Built beside its place and then renamed, so that a half-made one is never used.
  const scratch = await mkdtemp(`${folder}-`)
  try {
    await run(system, ['-m', 'venv', scratch], 'On Debian and Ubuntu it is the package python3-venv.', signal)
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
    await run(join(scratch, 'bin/python'), pip, 'The packages are fetched from the configured package index.', signal)
    await rm(folder, { recursive: true, force: true })
    await rename(scratch, folder)
  } catch (error) {
    // Before the scratch goes. venv swallows what pip says of it.
    const { bavail, bsize } = await statfs(dirname(folder))
    if (signal?.aborted || bavail * bsize > FULL_BYTES) throw error
    throw new Error(
      `The disk is full: ${dirname(folder)} has no room for ${contents}. Free some space, and try again.`,
      { cause: error },
    )
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

function run(command: string, args: string[], hint: string, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    // In a group of its own, for it starts processes which must end with it, before its files are removed.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const said = { stdout: '', stderr: '' }
    child.stdout.on('data', (data) => {
      said.stdout += data
    })
    child.stderr.on('data', (data) => {
      said.stderr += data
    })
    const stop = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL')
    signal?.addEventListener('abort', stop, { once: true })
    const fail = (why: string) => {
      const last = `${said.stdout}\n${said.stderr}`.trim().split('\n').slice(-15).join('\n')
      reject(new Error(`This command failed:\n  ${[command, ...args].join(' ')}\n${last || why}\n${hint}`.trim()))
    }
    child.once('error', (error) => fail(error.message))
    child.once('close', (code, how) => {
      signal?.removeEventListener('abort', stop)
      if (signal?.aborted) reject(signal.reason)
      else if (code === 0) resolve(said.stdout)
      else fail(`It ended with ${how ?? `code ${code}`}.`)
    })
  })
}
