import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deployLocal } from './deploy.ts'
import { type Runtime, type RuntimeOptions, startRuntime } from './runtime.ts'

/**
 * Starts the emulator and deploys the app to it, in the state in which a file can land.
 * Whatever goes wrong, or when `signal` aborts: nothing is left running.
 */
export async function raise(options: RuntimeOptions & { signal?: AbortSignal }): Promise<Runtime> {
  const { onProgress, signal } = options
  const runtime = await startRuntime(options)
  try {
    signal?.throwIfAborted()
    onProgress('Synthesizing the CDK app')
    // The CDK is half of the start of any command that needs it, and most commands do not.
    const [{ synthesize }, { laptop }] = await Promise.all([import('../app.ts'), import('../config.ts')])
    const assembly = await mkdtemp(join(tmpdir(), 'landfall-assembly-'))
    try {
      await deployLocal(runtime.endpoint, synthesize(laptop(), assembly), onProgress)
    } finally {
      await rm(assembly, { recursive: true, force: true })
    }
    signal?.throwIfAborted()
    return runtime
  } catch (error) {
    await runtime.stop()
    throw error
  }
}
