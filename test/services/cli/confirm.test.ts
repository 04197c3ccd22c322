import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { checkConfirmable, confirm, NotConfirmed } from '../../../services/cli/confirm.ts'
import { WrongUsage } from '../../../services/cli/exit.ts'

const touches = 'data/sales/a.csv'
const question = 'Take out 1 source?'

function terminal({ input = true, output = true } = {}) {
  const [keys, screen] = [new PassThrough(), new PassThrough()]
  const interrupted = new AbortController()
  const shown = () => String(screen.read() ?? '')
  const streams = { input: Object.assign(keys, { isTTY: input }), output: Object.assign(screen, { isTTY: output }) }
  return { ...streams, signal: interrupted.signal, interrupted, shown }
}

describe('a confirmation', () => {
  it.each(['y', 'Y', 'yes', ' YES '])('is "%s", after what will be touched was shown', async (typed) => {
    const place = terminal()
    const asked = confirm({ touches, question }, place)
    expect(place.shown()).toBe('data/sales/a.csv\n\nTake out 1 source? [y/N] ')
    place.input.write(`${typed}\n`)
    await asked
  })

  it.each(['', 'n', 'no', 'yesterday', 'j'])('is not "%s"', async (typed) => {
    const place = terminal()
    place.input.write(`${typed}\n`)
    await expect(confirm({ touches, question }, place)).rejects.toThrow(new NotConfirmed('Nothing was done.'))
  })

  it('is not the end of the input', async () => {
    const place = terminal()
    place.input.end()
    await expect(confirm({ touches, question }, place)).rejects.toThrow(NotConfirmed)
  })

  it('beforehand asks no one, and shows what will be touched all the same', async () => {
    const place = terminal({ input: false, output: false })
    await confirm({ touches, question, yes: true }, place)
    expect(place.shown()).toBe('data/sales/a.csv\n')
    await confirm({ touches, question, yes: true, json: true }, place)
    expect(place.shown()).toBe('')
  })

  it.each([{ input: false }, { output: false }])('is needed beforehand without a terminal (%o)', async (what) => {
    const place = terminal(what)
    place.input.write('y\n')
    await expect(confirm({ touches, question }, place)).rejects.toThrow(
      new WrongUsage(
        '"Take out 1 source?" is asked on a terminal, and there is none. Nothing was done; --yes answers it beforehand.',
      ),
    )
  })

  it('is needed beforehand with --json, terminal or not', async () => {
    await expect(confirm({ touches, question, json: true }, terminal())).rejects.toThrow(WrongUsage)
    expect(() => checkConfirmable({ json: true })).toThrow('--json is for programs, which cannot be asked')
    expect(() => checkConfirmable({ json: true, yes: true })).not.toThrow()
  })

  it('that is interrupted did nothing, and says so', async () => {
    const place = terminal()
    const asked = confirm({ touches, question }, place)
    place.shown()
    place.interrupted.abort(new Error('interrupted'))
    await expect(asked).rejects.toThrow('interrupted')
    expect(place.shown()).toBe('\nNothing was done.\n')
  })
})

describe('on a terminal of its own', () => {
  const asking = join(import.meta.dirname, 'asking.ts')
  const typed = (TYPED: string) => {
    const script = join(import.meta.dirname, '../../chain/terminal.py')
    const env = { ...process.env, TYPED }
    const { stdout, stderr } = spawnSync('python3', [script, '[y/N]', '1', process.execPath, asking], {
      env,
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    return JSON.parse(stdout) as { drawn: string; code: number }
  }

  it.each([
    ['y', 'y\r', 'Taken out.', 0],
    ['n', 'n\r', 'not wanted', 1],
    ['Ctrl-D', '\u0004', 'not wanted', 1],
    ['Ctrl-C', '\u0003', 'interrupted', 130],
  ])(
    '%s is understood',
    (_, keys, ends, code) => {
      const { drawn, code: found } = typed(keys)
      expect(drawn).toContain('data/sales/a.csv\r\n\r\nTake out 1 source? [y/N] ')
      expect(drawn.trimEnd().endsWith(ends)).toBe(true)
      expect(drawn.includes('Nothing was done.')).toBe(code === 130)
      expect(drawn).not.toContain('cleaning up')
      expect(found).toBe(code)
    },
    20_000,
  )

  it('and without one, a pipe that says y is no answer', () => {
    const { stdout, status } = spawnSync(process.execPath, [asking], { input: 'y\n', encoding: 'utf8' })
    expect([stdout, status]).toEqual([expect.stringContaining('there is none'), 1])
  })
})
