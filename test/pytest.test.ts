import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectRoot } from '../infra/local/paths.ts'
import { BRIEF, findSpark } from './engine/spark.ts'

const home = await findSpark()

/** pytest over all `test_*.py` below this folder. @returns its exit code and all that it says */
function pytest({ python, javaHome }: NonNullable<typeof home>): Promise<{ code: unknown; said: string }> {
  const JAVA_HOME = javaHome ?? process.env.JAVA_HOME
  const env = {
    ...process.env,
    ...BRIEF,
    ...(JAVA_HOME ? { JAVA_HOME } : {}),
    LANDFALL_SPARK_MEMORY: '1g',
    PYTHONDONTWRITEBYTECODE: '1',
  }
  const args = ['-m', 'pytest', '--quiet', '--no-header', '--tb=short', join(projectRoot, 'test')]
  return new Promise((resolve) => {
    execFile(python, args, { cwd: projectRoot, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? error.signal) : 0, said: `${stdout}\n${stderr}` }),
    )
  })
}

describe.skipIf(!home)(`Python${home ? '' : ' (skipped: no Python with pyspark, or no Java for it)'}`, () => {
  it('passes the tests of the Spark package and of what is around a job', async () => {
    if (!home) throw new Error('skipped')
    const { code, said } = await pytest(home)
    if (code !== 0) expect.fail(`python -m pytest test ended with ${code}:\n${said}`)
    expect(said).toMatch(/\d+ passed/)
  }, 300_000)
})
