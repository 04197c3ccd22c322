import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const projectRoot = join(import.meta.dirname, '../..')

/** What the local runtime keeps: its Python, its logs, and which one is up. In the project, where git ignores it. */
export const stateDir = resolve(projectRoot, process.env.LANDFALL_HOME ?? '.landfall')

/**
 * The temporary folder of a running emulator and all that it starts. Outside the project, where a function's code would
 * find the project's `node_modules` (on AWS it must be bundled) and the emulator's own `_worker.js` would be a module.
 */
export const runDir = (pid: number | string) => join(tmpdir(), `landfall-run-${pid}`)
