import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ensurePython } from '../../../infra/local/python.ts'
import { temporary } from './support.ts'

afterEach(() => vi.unstubAllEnvs())

function place(requirements: string) {
  const home = temporary()
  const file = join(home, 'requirements.txt')
  writeFileSync(file, requirements)
  return { home, requirements: file }
}
const left = (home: string) => readdirSync(home).filter((name) => name.startsWith('python-'))

describe('ensurePython', () => {
  it('makes one environment for callers at the same time, past the lock of one that died', async () => {
    const options = place('# nothing\n')
    const folder = join(options.home, `python-${createHash('sha256').update('# nothing\n').digest('hex').slice(0, 12)}`)
    mkdirSync(`${folder}.lock`)
    writeFileSync(join(`${folder}.lock`, 'pid'), '999999999')
    const said: string[] = []
    const both = [ensurePython((m) => said.push(m), options), ensurePython((m) => said.push(m), options)]
    expect(await Promise.all(both)).toEqual([join(folder, 'bin/python'), join(folder, 'bin/python')])
    expect(said).toEqual(['Setting up Python for the local runtime (once)', 'Installing the emulator and DuckDB'])
    expect(left(options.home)).toHaveLength(1)
  }, 60_000)

  it('says what to install when there is no Python', async () => {
    vi.stubEnv('LANDFALL_PYTHON', '/nowhere/python3')
    await expect(ensurePython(() => {}, place(''))).rejects.toThrow(
      /needs Python 3\.10 or later, and \/nowhere\/python3 does not run\. Install Python 3 \(on Debian and Ubuntu: python3 and/,
    )
  })

  it('says which Python is too old', async () => {
    const options = place('')
    const old = join(options.home, 'old')
    writeFileSync(old, '#!/bin/sh\necho 3 8\n', { mode: 0o755 })
    vi.stubEnv('LANDFALL_PYTHON', old)
    await expect(ensurePython(() => {}, options)).rejects.toThrow(`${old} is Python 3.8.`)
  })

  it('gives the command and the last words of pip when it fails, and leaves nothing half-made', async () => {
    const options = place('./nowhere --hash=sha256:00\n')
    await expect(ensurePython(() => {}, options)).rejects.toThrow(
      /This command failed:\n.*pip install.*--require-hashes[\s\S]*ERROR/,
    )
    expect(left(options.home)).toEqual([])
  }, 60_000)
})
