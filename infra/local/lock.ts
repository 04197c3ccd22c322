import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive } from './process.ts'

/** Its owner writes its pid at once; without one for so long, it died in between. */
const UNSIGNED_MS = 5_000

/**
 * Takes the lock, or returns undefined while a living process holds it. One whose owner has died is removed: the next
 * call takes it.
 * @throws the file system's error, a full disk say
 */
export async function lock(folder: string): Promise<(() => Promise<void>) | undefined> {
  const owner = join(folder, 'pid')
  const release = () => rm(folder, { recursive: true, force: true })
  try {
    await mkdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const pid = Number(await readFile(owner, 'utf8').catch(() => ''))
    const dead = pid ? !isAlive(pid) : await isOld(folder)
    if (dead) await release()
    return undefined
  }
  try {
    await writeFile(owner, String(process.pid))
  } catch (error) {
    await release()
    throw error
  }
  return release
}

const isOld = (folder: string) =>
  stat(folder).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > UNSIGNED_MS,
    () => false,
  )
