import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { type ClientRequest, get } from 'node:http'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { projectRoot, runDir } from './paths.ts'
import { freePort, whyNot } from './ports.ts'
import { isAlive, until } from './process.ts'
import { ensurePython } from './python.ts'

export const localRegion = 'us-east-1'
export const localAccount = '000000000000'
export const localCredentials = { accessKeyId: 'test', secretAccessKey: 'test' } as const

/** For the constructor of any AWS client; an S3 client needs `forcePathStyle: true` too. */
export const clientConfig = (endpoint: string) => ({ endpoint, region: localRegion, credentials: localCredentials })

export type RuntimeOptions = {
  /** @default a free one */
  port?: number
  /** Survives this process; end it with `stopRuntime(pid)`. @default false: it ends with this process, however that ends */
  detached?: boolean
  /** Ends what is being started. */
  signal?: AbortSignal
  /** The emulator's log, appended to. Glue runs log beside it, as `glue-<job>-<run>.log`. */
  logFile: string
  onProgress: (message: string) => void
  /** Added to the emulator's environment, which is that of its Lambda functions too. */
  env?: Record<string, string>
}

export type Runtime = {
  /** e.g. `http://127.0.0.1:40123`. Never `localhost`, which may mean `::1`. */
  endpoint: string
  port: number
  pid: number
  /** From now on it survives this process. */
  detach(): Promise<void>
  /** Resolves when no process and no temporary file of it is left. */
  stop(): Promise<void>
}

const launcher = join(import.meta.dirname, 'launcher.py')
const BOOT_MS = 30_000
const STOP_MS = 5_000

/**
 * Starts the emulator and resolves when it answers.
 * @throws Error with the end of the log, or that the port is taken; the signal's reason when it aborts. Nothing is left.
 */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { signal } = options
  const python = await ensurePython(options.onProgress, { signal })
  const problem = options.port === undefined ? undefined : await whyNot(options.port)
  if (problem) throw new Error(`Port ${options.port} ${problem}, or choose another port.`)
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort())
    try {
      return await start(python, port, options)
    } catch (error) {
      // Between finding a free port and listening on it, another process may have taken it.
      if (signal?.aborted || options.port !== undefined || attempt === 3 || !(await whyNot(port))) throw error
    }
  }
}

async function start(python: string, port: number, options: RuntimeOptions): Promise<Runtime> {
  const { signal } = options
  signal?.throwIfAborted()
  await mkdir(dirname(options.logFile), { recursive: true })
  const log = await open(options.logFile, 'a')
  const logged = (await log.stat()).size
  const child = spawn(python, ['-u', launcher], {
    // A session of its own: a Ctrl-C in the terminal is the parent's to handle.
    detached: true,
    cwd: projectRoot,
    stdio: ['pipe', log.fd, log.fd],
    env: environment(port, options),
  })
  await log.close()
  const failure = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`))
  })
  const endpoint = `http://127.0.0.1:${port}`
  const answer = await Promise.race([answers(endpoint, child, signal), failure])
  // An answer is another program's if ours has ended.
  const problem = hasEnded(child) ? await failure : answer
  const { pid } = child
  if (problem !== undefined || pid === undefined || signal?.aborted) {
    if (pid !== undefined) await stopRuntime(pid)
    signal?.throwIfAborted()
    const tail = (await readFile(options.logFile)).subarray(logged).toString().trim().split('\n').slice(-20).join('\n')
    throw new Error(`The local runtime did not start: ${problem}.\n${tail}\nIts log is ${options.logFile}`)
  }
  letGo(child)
  // It may have ended before it is told.
  child.stdin?.on('error', () => {})
  const detach = () => new Promise<void>((resolve) => child.stdin?.end('stay\n', resolve))
  if (options.detached) await detach()
  return { endpoint, port, pid, detach, stop: () => stopRuntime(pid) }
}

/**
 * Ends a runtime with all its functions and jobs. Resolves at once when there is none by this pid,
 * also when the pid has meanwhile become another program's.
 */
export async function stopRuntime(pid: number): Promise<void> {
  if (await isRuntime(pid)) {
    process.kill(pid, 'SIGTERM')
    if (!(await until(() => !isAlive(pid), STOP_MS))) process.kill(pid, 'SIGKILL')
  }
  // The guardian removes it last, when it has killed everything.
  const removed = await until(() => !existsSync(runDir(pid)), STOP_MS)
  // One that was ended before it had a guardian; or that of another program's pid, which is never removed here.
  if (!removed && !isAlive(pid)) await rm(runDir(pid), { recursive: true, force: true })
}

function environment(port: number, { logFile, env }: RuntimeOptions): Record<string, string> {
  const passed = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && (name.startsWith('LANDFALL_') || PASSED.includes(name)),
  ) as [string, string][]
  return {
    ...Object.fromEntries(passed),
    LANDFALL_LOG_DIR: dirname(logFile),
    ...env,
    PATH: [join(projectRoot, 'node_modules/.bin'), process.env.PATH].join(delimiter),
    LANDFALL_RUN_DIR: runDir('{pid}'),
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    // Roles are enforced, so that what a policy forgets fails here and not on AWS.
    AUTH: 'true',
    AWS_ACCESS_KEY_ID: localCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: localCredentials.secretAccessKey,
    MINISTACK_REGION: localRegion,
    LAMBDA_EXECUTOR: 'local',
    SFTP_ENABLED: '0',
    IOT_MTLS_ENABLED: '0',
  }
}

const PASSED = ['HOME', 'LANG', 'LC_ALL', 'JAVA_HOME', 'TZ']

/** Resolves with undefined once the emulator is healthy, else with what is wrong. */
async function answers(endpoint: string, child: ChildProcess, signal?: AbortSignal): Promise<string | undefined> {
  const healthy = () =>
    new Promise<boolean>((resolve) => {
      // Not by fetch, which refuses a hundred ports, 6000 and 10080 among them, that AWS clients do not.
      get(`${endpoint}/_ministack/health`, { agent: false, timeout: 1000 }, (response) => {
        response.resume()
        resolve(response.statusCode === 200)
      })
        .on('timeout', function (this: ClientRequest) {
          this.destroy()
        })
        .on('error', () => resolve(false))
    })
  const ready = await until(async () => hasEnded(child) || signal?.aborted || (await healthy()), BOOT_MS)
  return ready ? undefined : `it did not answer within ${BOOT_MS / 1000} s`
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** This process may end while the emulator runs. */
function letGo(child: ChildProcess): void {
  child.unref()
  if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
}

/** Whether this pid is a runtime's, and not by now another program's. */
export async function isRuntime(pid: number): Promise<boolean> {
  return isAlive(pid) && (await isLauncher(pid))
}

async function isLauncher(pid: number): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({
    stdout: '',
  }))
  return stdout.includes(launcher)
}
