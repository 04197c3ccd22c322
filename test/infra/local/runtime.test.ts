import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { runDir } from '../../../infra/local/paths.ts'
import { isAlive, until } from '../../../infra/local/process.ts'
import { startRuntime, stopRuntime } from '../../../infra/local/runtime.ts'
import { clients, createRole, eventually, logFile, processesNaming } from './support.ts'

const onProgress = () => {}
/** Found in the command line of a job's processes, and of no other run of these tests. */
const mark = (name: string) => `mark-${name}-${process.pid}`

/** A job that never ends, with a child, in the emulator at this endpoint; returns once both run. */
async function startJob(endpoint: string, name: string): Promise<void> {
  const local = clients(endpoint)
  await local.s3.createBucket({ Bucket: 'jobs' })
  const Role = await createRole(local, 'jobs', 'glue.amazonaws.com')
  const ScriptLocation = `file://${join(import.meta.dirname, 'fixtures/job.mjs')}`
  await local.glue.createJob({ Name: 'hangs', Role, Command: { Name: 'glueetl', ScriptLocation } })
  await local.glue.startJobRun({ JobName: 'hangs', Arguments: { '--do': 'hang', '--mark': name } })
  await eventually('the job and its child', () => (processesNaming(name).length > 0 ? true : undefined))
}

async function startParent(...how: 'detached'[]): Promise<{ parent: ChildProcess; pid: number; endpoint: string }> {
  const script = join(import.meta.dirname, 'fixtures/parent.ts')
  const parent = spawn(process.execPath, [script, logFile(), ...how], { stdio: ['ignore', 'pipe', 'inherit'] })
  if (!parent.stdout) throw new Error('no stdout')
  for await (const line of createInterface(parent.stdout)) return { parent, ...JSON.parse(line) }
  throw new Error('the parent ended')
}

async function nothingLeft(pid: number, name: string): Promise<void> {
  const left = () => ({ emulator: isAlive(pid), processes: processesNaming(name), folder: existsSync(runDir(pid)) })
  const nothing = { emulator: false, processes: [], folder: false }
  await until(() => isDeepStrictEqual(left(), nothing), 10_000)
  expect(left()).toEqual(nothing)
}

describe('the local runtime', () => {
  it('answers on 127.0.0.1 and leaves nothing when stopped', async () => {
    const runtime = await startRuntime({ logFile: logFile(), onProgress })
    expect(runtime.endpoint).toBe(`http://127.0.0.1:${runtime.port}`)
    expect(existsSync(runDir(runtime.pid))).toBe(true)
    await startJob(runtime.endpoint, mark('stop'))
    await runtime.stop()
    expect(isAlive(runtime.pid)).toBe(false)
    expect(processesNaming(mark('stop'))).toEqual([])
    expect(existsSync(runDir(runtime.pid))).toBe(false)
    await runtime.stop()
  })

  it('ends with its parent, however that ends', async () => {
    const { parent, pid, endpoint } = await startParent()
    await startJob(endpoint, mark('parent'))
    parent.kill('SIGKILL')
    await nothingLeft(pid, mark('parent'))
  })

  it.each(['SIGTERM', 'SIGKILL'] as const)('leaves nothing when it is ended by %s', async (signal) => {
    const runtime = await startRuntime({ logFile: logFile(), onProgress })
    await startJob(runtime.endpoint, mark(signal))
    process.kill(runtime.pid, signal)
    await nothingLeft(runtime.pid, mark(signal))
  })

  it('that is detached outlives its parent and is stopped by its pid', async () => {
    const { parent, pid, endpoint } = await startParent('detached')
    await startJob(endpoint, mark('detached'))
    const ended = new Promise((resolve) => parent.once('exit', resolve))
    parent.kill('SIGKILL')
    await ended
    expect((await fetch(`${endpoint}/_ministack/health`)).ok).toBe(true)
    expect(processesNaming(mark('detached'))).not.toEqual([])
    await stopRuntime(pid)
    expect(isAlive(pid)).toBe(false)
    expect(processesNaming(mark('detached'))).toEqual([])
  })

  it('is not stopped by the pid of another program', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await stopRuntime(other.pid ?? 0)
    expect(other.exitCode).toBeNull()
    other.kill()
  })

  it('refuses a port that is taken', async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : 0)
      }),
    )
    await expect(startRuntime({ logFile: logFile(), onProgress, port })).rejects.toThrow(`Port ${port} is taken.`)
    server.close()
  })

  it('that does not start says so with the end of its log', async () => {
    const start = startRuntime({ logFile: logFile(), onProgress, env: { PYTHONHOME: '/nowhere' } })
    await expect(start).rejects.toThrow(/did not start: it ended with code 1\.\n[\s\S]*encodings/)
  })
})
