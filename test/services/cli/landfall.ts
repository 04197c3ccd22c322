import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const main = fileURLToPath(new URL('../../../services/cli/main.ts', import.meta.url))

export type Said = { code: number | null; out: string; err: string }

/** Runs a command as a shell does, without a terminal. */
export async function landfall(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Said> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { code, out, err }
}
