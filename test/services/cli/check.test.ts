import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { sales } from '../../chain/stack.ts'
import { zipOf } from '../unzip/zips.ts'
import { landfall, main } from './landfall.ts'

const dir = mkdtempSync(join(tmpdir(), 'landfall-cli-test-'))
afterAll(() => rmSync(dir, { recursive: true }))
function file(name: string, content: string | Buffer): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  return path
}
const lines = async (seed: number) => (await sales({ rows: 20, seed })).trimEnd().split('\n')

describe('landfall check', () => {
  it('ends with 0 for a file that would be delivered, some rows of it rejected', async () => {
    const [header, first = '', ...rest] = await lines(1)
    const bad = first.split(',').with(5, '13/20/2015').join(',')
    const path = file('few.csv', [header, bad, ...rest].join('\n'))
    const { code, out } = await landfall(['check', path])
    expect(code).toBe(0)
    expect(out).toContain(`${path} would be delivered with rejects.`)
    expect(out).toMatch(/^ +2 {2}Order Date {2}"13\/20\/2015" {2}not_a_date$/m)
    // Not a terminal: no colours.
    expect(out).not.toContain('\u001b')
  })

  it('ends with 1 for a file that would be refused, and names the change of the contract that would take it', async () => {
    const path = file('semicolons.csv', (await lines(2)).join('\n').replaceAll(',', ';'))
    const { code, out } = await landfall(['check', path])
    expect(code).toBe(1)
    expect(out).toContain('has no column "Region"')
    expect(out).toMatch(/^source\.delimiter {2}"," {2}";"$/m)
    expect(out).toContain('With that: 20 rows in, 20 accepted, 0 rejected: delivered.')
  })

  it('gives JSON to scripts', async () => {
    const path = file('z.zip', await zipOf({ 'a.csv': (await lines(3)).join('\n'), 'b.csv': 'NOPE\n1\n' }))
    const { code, out } = await landfall(['check', path, '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      file: path,
      dataset: 'sales',
      ends: 'refused',
      sources: [
        { name: 'a.csv', ends: 'delivered', rowsIn: 20, accepted: 20, rejected: 0, reasons: [], examples: [] },
        { name: 'b.csv', ends: 'refused', problem: { code: 'header_mismatch' } },
      ],
      skipped: [],
    })
  })

  it.each([
    [['check'], "missing required argument 'file'"],
    [['check', '/nowhere.csv'], '/nowhere.csv is not a file that can be read.'],
    [['check', '/nowhere.txt'], 'is neither a zip nor a CSV by its name'],
    [['check', '/nowhere.csv', '--dataset', 'nope'], 'No contract names the dataset "nope" (known: sales)'],
    [['runs', '--since', 'soon'], 'Expected an age as 2h or 3d'],
    [['runs', '--state', 'done'], 'Expected one of extracting, queued'],
    [['runs', '--next', 'x'], 'Expected what the page before has printed.'],
    [['rejects', 'abcd', '--csv', '--json'], 'choose one'],
    [['rejects', 'abcd', '--no-header'], '--no-header belongs to --csv'],
  ])('and its like end with 2 where they are used wrongly: %j', async (args, words) => {
    const { code, out, err } = await landfall(args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(words)
  })
})

describe('Ctrl-C', () => {
  it.each([
    ['the rows of a CSV are converted', 'long.csv', 2],
    ['a zip is read through', 'long.zip', 1],
  ])('ends check at once with 130 while %s, and leaves nothing in the temporary folder', async (_, name, folders) => {
    const [header, ...rows] = await lines(4)
    const text = `${header}\n${`${rows.join('\n')}\n`.repeat(40_000)}`
    const path = file(name, name.endsWith('.zip') ? await zipOf({ 'a.csv': { content: text, compress: false } }) : text)
    const temporary = mkdtempSync(join(dir, 'tmp-'))
    const child = spawn(process.execPath, [main, 'check', path], { env: { ...process.env, TMPDIR: temporary } })
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    await vi.waitFor(() => expect(readdirSync(temporary).length).toBeGreaterThanOrEqual(folders), {
      timeout: 30_000,
      interval: 20,
    })
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(readdirSync(temporary)).toEqual([])
  })
})
