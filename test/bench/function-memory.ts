import { readdir, readFile } from 'node:fs/promises'

/**
 * The most memory that any process of each stage's function has had so far, in MiB, by the kernel's own account. The local
 * runtime keeps such a process for each instance of a function. Empty where there is no /proc.
 * @param runtime pid of the runtime
 */
export async function functionPeaks(runtime: number): Promise<Map<string, number>> {
  const peaks = new Map<string, number>()
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    // A process may end while it is looked at.
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
    const [status, environ] = [await read('status'), await read('environ')]
    if (Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) !== runtime) continue
    const stage = /AWS_LAMBDA_FUNCTION_NAME=[^\0]*-(\w+?)Function/.exec(environ)?.[1]?.toLowerCase()
    if (!stage) continue
    const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
    peaks.set(stage, Math.max(peak, peaks.get(stage) ?? 0))
  }
  return peaks
}
