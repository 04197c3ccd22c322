import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'landfall-generate-'))
afterAll(() => rmSync(folder, { recursive: true }))

function generate(...args: string[]) {
  const main = join(import.meta.dirname, 'main.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('npm run generate', () => {
  it('writes the file, says on standard error what it wrote, and exits with 0', () => {
    const out = join(folder, 'a.csv')
    const { status, stdout, stderr } = generate(
      '--rows',
      '1000',
      '--bad-share',
      '0.01',
      '--bad-kinds',
      'bad_date',
      '--out',
      out,
    )
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: '',
      stderr: `${out}: 1,000 rows, 10 of them bad (bad_date 10)\n`,
    })
    expect(readFileSync(out, 'utf8').trimEnd().split('\n')).toHaveLength(1001)
  })

  it('writes a zip like the real one, and its summary as JSON', () => {
    const out = join(folder, 'a.zip')
    const { status, stdout } = generate('--like-real', '--zip', '--json', '--out', out)
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ rows: 5000, bad: 1, lines: [{ line: 6, kind: 'bad_date' }] })
    expect(readFileSync(out).subarray(0, 4).toString('latin1')).toBe('PK\x03\x04')
  })

  it('writes to standard output when told to', () => {
    expect(generate('--rows', '3', '--out', '-').stdout.split('\n')).toHaveLength(5)
  })

  it.each([
    ['no --out', [], "required option '-o, --out <file>' not specified"],
    ['an unknown kind', ['--out', '-', '--bad-kinds', 'bad_luck'], 'Expected some of bad_date, too_few_fields'],
    ['rows that are no number', ['--out', '-', '--rows', 'many'], 'Expected a number.'],
    ['a share above one', ['--out', '-', '--bad-share', '7'], 'badShare: expected 0 to 1, found 7.'],
  ])('exits with 2 for %s', (_what, args, message) => {
    const { status, stdout, stderr } = generate(...args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  it('exits with 1 when it cannot write, and removes nothing that it did not write', () => {
    const file = join(folder, 'file')
    writeFileSync(file, 'precious')
    const { status, stderr } = generate('--out', join(file, 'a.csv'))
    expect(status).toBe(1)
    expect(stderr).toContain('Could not write')
    expect(existsSync(file)).toBe(true)
  })

  it('shows its options for --help, and exits with 0', () => {
    const { status, stdout } = generate('--help')
    expect(status).toBe(0)
    for (const option of ['--rows', '--seed', '--bad-share', '--bad-kinds', '--like-real', '--zip', '--out']) {
      expect(stdout).toContain(option)
    }
  })
})
