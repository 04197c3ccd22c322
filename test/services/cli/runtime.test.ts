import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { generateSales } from '../../generator/sales.ts'
import { temporary } from '../../infra/local/support.ts'
import { type Ended, type Home, home, landfall, leavesNothing } from './at-home.ts'

const run = (place: Home, args: string[], env?: Record<string, string>): Promise<Ended> =>
  landfall(place, args, env).ended

async function salesFile(folder: string): Promise<string> {
  const file = join(folder, 'a.csv')
  const chunks: Buffer[] = []
  for await (const chunk of generateSales({ rows: 10, seed: 1 }).stream) chunks.push(Buffer.from(chunk))
  writeFileSync(file, Buffer.concat(chunks))
  return file
}

describe('up', () => {
  it('refuses a port that is taken, in words, and leaves nothing', async () => {
    const place = await home('there')
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        resolve(typeof address === 'object' && address ? address.port : 0)
      }),
    )
    const { code, err } = await run(place, ['up', '--port', String(port)])
    server.close()
    expect(code).toBe(3)
    expect(err).toContain(`error: Port ${port} is taken. Stop what listens there, or choose another port.`)
    await leavesNothing(place)
  }, 60_000)

  it('is refused while another one is up or on its way, and its runtime is lost in words when it is killed', async () => {
    const place = await home('there')
    // The crawl takes as long as it takes to kill the emulator.
    const first = landfall(place, ['up', '--json'], { LANDFALL_CRAWL_SECONDS: '60' })
    await first.says('Synthesizing')
    const meanwhile = await run(place, ['up'])
    expect([meanwhile.code, meanwhile.err]).toEqual([2, 'Another landfall up is at work. Wait for it, or end it.\n'])
    const { code, out } = await first.ended
    expect(code).toBe(0)
    const { endpoint, pid } = JSON.parse(out)
    const second = await run(place, ['up'])
    expect(second.code).toBe(2)
    expect(second.err).toBe(`A runtime is up already, at ${endpoint}, with engine duckdb. End it with landfall down.\n`)

    const land = landfall(place, ['land', await salesFile(place.folder), '--wait'])
    await land.says('partition')
    process.kill(pid, 'SIGKILL')
    const lost = await land.ended
    expect(lost.code).toBe(3)
    expect(lost.err).toContain(
      `error: The local runtime at ${endpoint} has ended while it was asked, and its objects, tables and history with it.`,
    )
    expect(lost.err).toContain('Start another one with landfall up, and land the files again.')
    execFileSync('rm', [join(place.folder, 'a.csv')])
    await leavesNothing(place)

    const after = await run(place, ['query', 'select 1'])
    expect(after.code).toBe(2)
    expect(after.err).toContain('No local runtime is up. Start one with landfall up')
  }, 120_000)

  it('is not taken for up by the record of a runtime whose pid is another program’s by now, nor by half a record', async () => {
    const place = await home('there')
    const record = join(place.folder, 'runtime.json')
    const state = { endpoint: 'http://127.0.0.1:1', pid: process.pid, engine: 'duckdb', startedAt: '', log: '' }
    for (const text of [JSON.stringify(state), '{"endpoint": "http']) {
      writeFileSync(record, text)
      const { code, err } = await run(place, ['query', 'select 1'])
      expect([code, err]).toEqual([2, expect.stringContaining('No local runtime is up.')])
    }
    expect(readFileSync(record, 'utf8')).toContain('endpoint')
  }, 60_000)
})

describe('start', () => {
  it('whose runtime is killed says that it has ended, and leaves nothing', async () => {
    const place = await home('there')
    const start = landfall(place, ['start'], { LANDFALL_CRAWL_SECONDS: '60' })
    await start.says('waits for a job')
    const [folder = ''] = readdirSync(place.tmp)
    process.kill(Number(folder.replace('landfall-run-', '')), 'SIGKILL')
    const { code, err } = await start.ended
    expect(code).toBe(3)
    expect(err).toMatch(/error: The runtime does not answer any more \(ECONN\w+\): it has ended while it was asked\./)
    await leavesNothing(place)
  }, 60_000)
})

describe('a machine', () => {
  it('without Python is told what to install', async () => {
    const place = await home('missing')
    const { code, err } = await run(place, ['start'], { LANDFALL_PYTHON: '/nowhere/python3' })
    expect(code).toBe(3)
    expect(err).toContain('needs Python 3.10 or later, and /nowhere/python3 does not run. Install Python 3')
    await leavesNothing(place)
  }, 60_000)

  it('with a Python that is too old is told so', async () => {
    const place = await home('missing')
    const old = join(temporary(), 'old')
    writeFileSync(old, '#!/bin/sh\necho 3 9\n', { mode: 0o755 })
    const { code, err } = await run(place, ['start'], { LANDFALL_PYTHON: old })
    expect([code, err]).toEqual([3, expect.stringContaining(`${old} is Python 3.9.`)])
    await leavesNothing(place)
  }, 60_000)
})

const mounts: string[] = []
afterAll(() => {
  for (const place of mounts) execFileSync('umount', [place])
})
/** A disk of 64 KB, or undefined where this user may not mount one. */
function tinyDisk(): string | undefined {
  const place = join(temporary(), 'disk')
  mkdirSync(place)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  mounts.push(place)
  return place
}
const [forState, forTemporary] = [tinyDisk(), tinyDisk()]

describe.skipIf(!forState || !forTemporary)('a full disk (skipped for users who may not mount one of 64 KB)', () => {
  it('where Python would be made is named as the cause, and nothing half-made is left', async () => {
    const place = await home('missing', forState)
    const { code, err } = await run(place, ['up'])
    expect(code).toBe(3)
    expect(err).toContain(
      `error: The disk is full: ${forState} has no room for the emulator and DuckDB. Free some space, and try again.`,
    )
    await leavesNothing(place)
  }, 60_000)

  it('where temporary files are is named as the cause, and nothing is left running', async () => {
    const place = { ...(await home('there')), tmp: forTemporary ?? '' }
    const { code, err } = await run(place, ['up'])
    expect(code).toBe(3)
    expect(err).toMatch(/error: The disk is full: ENOSPC: .*\. Free some space, and try again\./)
    await leavesNothing(place)
  }, 60_000)
})
