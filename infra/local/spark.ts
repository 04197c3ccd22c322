import { join } from 'node:path'
import { requireJava } from './java.ts'
import { ensurePython, type PythonOptions } from './python.ts'

const requirements = join(import.meta.dirname, 'requirements-spark.txt')

/**
 * A Python that can run the jobs' `job.py`; on first use it is made (half a minute and 500 MB, nearly all of it PySpark).
 * Only engine spark calls this: nothing else needs Java.
 * @throws Error in words, when there is no Java 17 or no Python 3.10, or pip fails
 */
export async function ensureSpark(
  onProgress: (message: string) => void,
  options: Pick<PythonOptions, 'home' | 'signal'> = {},
): Promise<{ python: string }> {
  // Before the download: whoever lacks Java need not wait for PySpark to learn it.
  await requireJava()
  const contents = 'PySpark (some 320 MB)'
  return { python: await ensurePython(onProgress, { ...options, requirements, contents }) }
}
