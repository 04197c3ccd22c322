import { readdirSync, readFileSync } from 'node:fs'
import { eventually } from '../infra/local/support.ts'

/** Linux alone shows of which function a process is: by its environment. */
export const CAN_SEE_PROCESSES = process.platform === 'linux'

const read = (pid: string, file: 'environ' | 'cmdline'): string[] => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
  } catch {
    // It has ended meanwhile.
    return []
  }
}

const isZombie = (pid: string) => {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}

const pids = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name))

/** Workers of these functions of the runtime at an endpoint, by the environment that it gave them. */
export const workers = (endpoint: string, functions: string[]): number[] =>
  pids()
    .filter((pid) => {
      const environment = read(pid, 'environ')
      return (
        environment.includes(`AWS_ENDPOINT_URL=${endpoint}`) &&
        functions.some((name) => environment.includes(`AWS_LAMBDA_FUNCTION_NAME=${name}`)) &&
        !isZombie(pid)
      )
    })
    .map(Number)

/** Processes of Glue runs whose manifest is below this URI, by their argument. Its manifest is the batch's. */
export const jobs = (staging: string): { pid: number; manifest: string }[] =>
  pids().flatMap((pid) => {
    const manifest = read(pid, 'cmdline').find((argument) => argument.startsWith(staging))
    return manifest && !isZombie(pid) ? [{ pid: Number(pid), manifest }] : []
  })

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}

/** What a process has sent by then is done, as it is on AWS when a function dies. */
const SENT_MS = 30

/**
 * Stops these processes, looks whether they are where they are to be struck, and kills them there; else they go on as if nothing
 * had been. So each kill is one that hits.
 */
export async function strike<T>(targets: () => number[], look: () => Promise<T | undefined>): Promise<T | undefined> {
  const struck = targets()
  for (const pid of struck) signal(pid, 'SIGSTOP')
  await new Promise((resolve) => setTimeout(resolve, SENT_MS))
  const alive = struck.filter((pid) => !isZombie(String(pid)))
  const found = alive.length > 0 ? await look() : undefined
  for (const pid of struck) signal(pid, found === undefined ? 'SIGCONT' : 'SIGKILL')
  if (found !== undefined)
    await eventually('all of them dead', () => alive.every((pid) => isZombie(String(pid))) || undefined)
  return found
}
