import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lock } from '../../../infra/local/lock.ts'
import { temporary } from './support.ts'

const place = () => join(temporary(), 'a.lock')

describe('a lock', () => {
  it('is had by one living process at a time', async () => {
    const folder = place()
    const release = await lock(folder)
    expect(readFileSync(join(folder, 'pid'), 'utf8')).toBe(String(process.pid))
    expect(await lock(folder)).toBeUndefined()
    await release?.()
    expect(existsSync(folder)).toBe(false)
    expect(await lock(folder)).toBeDefined()
  })

  it('of a process that has died is removed, and had by the next call', async () => {
    const folder = place()
    mkdirSync(folder)
    writeFileSync(join(folder, 'pid'), '999999999')
    expect(await lock(folder)).toBeUndefined()
    expect(await lock(folder)).toBeDefined()
  })

  it('of one that died before it signed is removed too, but not while it may be signing', async () => {
    const folder = place()
    mkdirSync(folder)
    expect(await lock(folder)).toBeUndefined()
    expect(await lock(folder)).toBeUndefined()
    const old = Date.now() / 1000 - 10
    utimesSync(folder, old, old)
    expect(await lock(folder)).toBeUndefined()
    expect(await lock(folder)).toBeDefined()
  })

  it('that cannot be made says why, and is not waited for', async () => {
    await expect(lock(join(temporary(), 'nowhere', 'a.lock'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
