import { execFile } from 'node:child_process'
import { join } from 'node:path'

/** The one that Glue 5 has. Spark 3.5 runs on 8, 11 and 17 and fails in its own ways on later ones. */
const MAJOR = 17

/**
 * Looks for the Java that Spark's launcher will take: JAVA_HOME's, else the first on the path.
 * @throws Error saying what was found instead of Java 17, and what to install
 */
export async function requireJava(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { JAVA_HOME } = env
  const java = JAVA_HOME ? join(JAVA_HOME, 'bin', 'java') : 'java'
  const where = JAVA_HOME ? `JAVA_HOME is ${JAVA_HOME}, and ${java}` : '`java` on the PATH'
  const said = await versionText(java, env)
  if (said === undefined) throw missing(`${where} does not run`)
  const version = /version "([^"]+)"/.exec(said)?.[1]
  if (version === undefined) throw missing(`${where} does not say its version`)
  if (majorOf(version) !== MAJOR) throw missing(`${where} is Java ${majorOf(version)} (${version})`)
}

/** `17.0.15` -> 17; before Java 9 it was `1.8.0_402`. */
function majorOf(version: string): number {
  const [first = 0, second = 0] = version.split(/\D/).map(Number)
  return first === 1 ? second : first
}

/** What `java -version` says, on stderr; undefined where it does not run. */
function versionText(java: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(java, ['-version'], { env }, (error, stdout, stderr) => resolve(error ? undefined : stderr + stdout))
  })
}

const missing = (found: string) =>
  new Error(
    `Engine spark needs Java ${MAJOR}, as Spark 3.5 on Glue 5 does: ${found}. Install it ` +
      `(Debian and Ubuntu: apt-get install openjdk-${MAJOR}-jre-headless; macOS: brew install openjdk@${MAJOR}) and set ` +
      'JAVA_HOME to its folder. Engine duckdb, the default, needs no Java.',
  )
