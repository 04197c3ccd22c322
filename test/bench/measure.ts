import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What one process took, all of it: from its start to its end. Without GNU time, CPU and memory are not known. */
export type Usage = { seconds: number; cpuSeconds?: number; peakMiB?: number }

const GNU_TIME = '/usr/bin/time'

/**
 * Runs a command to its end.
 * @param stdout `discard` sends it to the null device, as `> /dev/null` does
 * @throws Error with the end of what it said, when it fails
 */
export async function run(
  command: string,
  args: string[],
  { stdout = 'keep', env = {} }: { stdout?: 'keep' | 'discard'; env?: NodeJS.ProcessEnv } = {},
): Promise<Usage & { stdout: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'landfall-bench-'))
  try {
    const log = join(folder, 'usage')
    const timed = process.platform === 'linux' && existsSync(GNU_TIME)
    const [file = '', ...rest] = timed
      ? [GNU_TIME, '-q', '-f', '%U %S %M', '-o', log, command, ...args]
      : [command, ...args]
    const began = performance.now()
    const child = spawn(file, rest, {
      stdio: ['ignore', stdout === 'keep' ? 'pipe' : 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    })
    const said = { out: '', err: '' }
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said.out += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said.err = (said.err + text).slice(-2000)
    })
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    )
    const seconds = (performance.now() - began) / 1000
    if (code !== 0) throw new Error(`${[command, ...args].join(' ')} ended with ${code}:\n${said.err || said.out}`)
    if (!timed) return { seconds, stdout: said.out }
    const [user = 0, system = 0, peak = 0] = (await readFile(log, 'utf8')).trim().split(' ').map(Number)
    return { seconds, cpuSeconds: user + system, peakMiB: Math.round(peak / 1024), stdout: said.out }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** The medians of several runs of the same. */
export const medians = (runs: Usage[]): Usage => ({
  seconds: median(runs.map(({ seconds }) => seconds)),
  ...(runs.every(({ cpuSeconds }) => cpuSeconds !== undefined) && {
    cpuSeconds: median(runs.map(({ cpuSeconds = 0 }) => cpuSeconds)),
    peakMiB: median(runs.map(({ peakMiB = 0 }) => peakMiB)),
  }),
})

/** Each of the sides once, then each of them again: what else the machine does falls on all alike. */
export async function inTurns<T>(
  sides: { name: string; run: () => Promise<T> }[],
  rounds: number,
  say: (text: string) => void,
): Promise<T[][]> {
  const found: T[][] = sides.map(() => [])
  for (let round = 1; round <= rounds; round++)
    for (const [i, side] of sides.entries()) {
      say(`${side.name}, ${round} of ${rounds}`)
      found[i]?.push(await side.run())
    }
  return found
}
