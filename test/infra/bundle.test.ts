import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bundle } from '../../infra/bundle.ts'
import { DIST, laptop, PROJECT, STAGES } from '../../infra/config.ts'

// Away from the project: what is not inside a bundle is nowhere to be found. And away from `dist/`, which others may read.
const dist = mkdtempSync(join(tmpdir(), 'landfall-dist-'))
const { functions, jobs, code } = bundle(dist)
const files = [...STAGES.map((stage) => join(functions[stage], 'index.mjs')), ...Object.values(jobs)]

describe('the bundle', { timeout: 60_000 }, () => {
  it("has the job scripts where the laptop's Glue jobs look for them", () => {
    const expected = Object.values(jobs).map((file) => file.replace(dist, DIST))
    expect(Object.values(laptop().jobs.scripts)).toEqual(expected)
  })

  it('is the same for the same sources, wherever it is built, and leaves unchanged files alone', () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'landfall-dist-'))
    const before = files.map((file) => statSync(file).mtimeMs)
    expect(code).toMatch(/^\d+\.\d+\.\d+\+[0-9a-f]{10}$/)
    expect(bundle(dist).code).toBe(code)
    expect(bundle(elsewhere).code).toBe(code)
    expect(files.map((file) => statSync(file).mtimeMs)).toEqual(before)
    for (const file of files) {
      const text = readFileSync(file, 'utf8')
      expect(text === readFileSync(file.replace(dist, elsewhere), 'utf8'), file).toBe(true)
      expect(text.includes(PROJECT), file).toBe(false)
    }
  })

  it('has functions that need nothing but Node: the AWS SDK is inside, and no native module', () => {
    const load = STAGES.map((stage) => `console.log(typeof (await import('${functions[stage]}/index.mjs')).handler)`)
    const node = join(PROJECT, 'node_modules', '.bin', 'node')
    const { stdout, stderr } = spawnSync(node, ['--input-type=module', '-e', load.join(';')], {
      cwd: dist,
      encoding: 'utf8',
    })
    expect({ stdout, stderr }).toEqual({ stdout: 'function\n'.repeat(STAGES.length), stderr: '' })
  })

  it('carries each contract beside each function, and none that is gone', () => {
    writeFileSync(join(functions.unzip, 'datasets', 'gone.json'), '{}')
    bundle(dist)
    const contracts = readdirSync(join(PROJECT, 'schemas', 'datasets')).filter((name) => name.endsWith('.json'))
    for (const stage of STAGES) expect(readdirSync(join(functions[stage], 'datasets'))).toEqual(contracts)
  })
})
