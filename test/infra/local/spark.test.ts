import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { zipFolder } from '../../../infra/local/deploy.ts'
import { requireJava } from '../../../infra/local/java.ts'
import { ensurePython } from '../../../infra/local/python.ts'
import { ensureSpark } from '../../../infra/local/spark.ts'
import { createRole, eventually, listen, startLocal, temporary } from './support.ts'

/** The environment of a machine whose `java` says this. */
function java(says: string, { home = false } = {}): NodeJS.ProcessEnv {
  const folder = temporary()
  mkdirSync(join(folder, 'bin'))
  writeFileSync(join(folder, 'bin/java'), `#!/bin/sh\ncat >&2 <<'END'\n${says}\nEND\n`, { mode: 0o755 })
  return home ? { JAVA_HOME: folder, PATH: '/bin' } : { PATH: `${join(folder, 'bin')}:/bin` }
}
const openjdk = (version: string) => `openjdk version "${version}" 2025-04-15\nOpenJDK Runtime Environment`

describe('Java for engine spark', () => {
  it.each(['17', '17.0.15', '17-ea'])('may be version %s', async (version) => {
    await expect(requireJava(java(openjdk(version)))).resolves.toBeUndefined()
  })

  it.each([
    ['1.8.0_402', 8],
    ['11.0.2', 11],
    ['21.0.1', 21],
    ['25', 25],
  ])('may not be version %s, and the error says what to install', async (version, major) => {
    await expect(requireJava(java(openjdk(version)))).rejects.toThrow(
      `Engine spark needs Java 17, as Spark 3.5 on Glue 5 does: \`java\` on the PATH is Java ${major} (${version}). ` +
        'Install it (Debian and Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17) ' +
        'and set JAVA_HOME to its folder. Engine duckdb, the default, needs no Java.',
    )
  })

  it('is that of JAVA_HOME where it is set, as Spark takes it', async () => {
    const { JAVA_HOME } = java(openjdk('21'), { home: true })
    const { PATH } = java(openjdk('17'))
    const found = `JAVA_HOME is ${JAVA_HOME}, and ${JAVA_HOME}/bin/java is Java 21`
    await expect(requireJava({ JAVA_HOME, PATH })).rejects.toThrow(found)
    await expect(requireJava({ JAVA_HOME: '/nowhere', PATH })).rejects.toThrow(
      '/nowhere/bin/java does not run. Install',
    )
  })

  it('may not be missing, nor be another program of that name', async () => {
    await expect(requireJava({ PATH: temporary() })).rejects.toThrow('`java` on the PATH does not run. Install it')
    await expect(requireJava(java('coffee'))).rejects.toThrow('`java` on the PATH does not say its version')
  })

  it('is looked for before anything is installed', async () => {
    const home = temporary()
    vi.stubEnv('JAVA_HOME', '/nowhere')
    const said: string[] = []
    await expect(ensureSpark((message) => said.push(message), { home })).rejects.toThrow('Engine spark needs Java 17')
    vi.unstubAllEnvs()
    expect([said, readdirSync(home)]).toEqual([[], []])
  })
})

describe('a Spark run', async () => {
  // Any Python will do for what is around a job: none of it is Spark's.
  const python = await ensurePython(() => {})
  const local = await startLocal({ LANDFALL_SPARK_PYTHON: python, LANDFALL_SPARK_MEMORY: '3g' })
  afterAll(() => local.stop())

  it('has its script and its packages from S3, with all the arguments that Glue would pass', async () => {
    const folder = temporary()
    mkdirSync(join(folder, 'shared'))
    writeFileSync(join(folder, 'shared/__init__.py'), "NAME = 'a package in a zip'\n")
    const script = [
      'import json, os, sys',
      'import alone, shared',
      'seen = {"argv": sys.argv[1:], "found": [shared.NAME, alone.NAME], "env": dict(os.environ)}',
      'print(json.dumps(seen))',
    ].join('\n')
    const Bucket = 'spark-jobs'
    await local.s3.createBucket({ Bucket })
    await local.s3.putObject({ Bucket, Key: 'job.py', Body: script })
    await local.s3.putObject({ Bucket, Key: 'a/0123.zip', Body: await zipFolder(folder) })
    await local.s3.putObject({ Bucket, Key: 'b/alone.py', Body: "NAME = 'a module by itself'\n" })

    const events = await listen(local, 'spark-events', { source: ['aws.glue'] })
    const given = {
      '--extra-py-files': `s3://${Bucket}/a/0123.zip,s3://${Bucket}/b/alone.py`,
      '--enable-metrics': 'true',
      '--conf': 'spark.sql.shuffle.partitions=7',
    }
    await local.glue.createJob({
      Name: 'spark',
      Role: await createRole(local, Bucket, 'glue.amazonaws.com'),
      Command: { Name: 'glueetl', ScriptLocation: `s3://${Bucket}/job.py` },
      DefaultArguments: given,
    })
    const { JobRunId } = await local.glue.startJobRun({ JobName: 'spark', Arguments: { '--manifest': 's3://m/1' } })
    expect((await events.next()).detail).toMatchObject({ state: 'SUCCEEDED' })
    const log = readFileSync(join(dirname(local.logFile), `glue-spark-${JobRunId}.log`), 'utf8')
    const { argv, found, env } = JSON.parse(log)

    expect(found).toEqual(['a package in a zip', 'a module by itself'])
    const all = { '--JOB_NAME': 'spark', '--JOB_RUN_ID': JobRunId, ...given, '--manifest': 's3://m/1' }
    expect(argv).toEqual(Object.entries(all).flat())
    expect(env.AWS_ENDPOINT_URL).toBe(local.endpoint)
    // The job itself sets what it takes, as for every JVM of its own.
    expect(env.LANDFALL_SPARK_MEMORY).toBe('3g')
    expect(env.PYSPARK_SUBMIT_ARGS).toMatch(/--conf spark\.sql\.shuffle\.partitions=7 pyspark-shell$/)
    // What a run leaves on the disk goes with it.
    expect(env.TMPDIR).toContain(`landfall-run-${local.pid}/spark-`)
    await eventually('its folder to be gone', () => (existsSync(env.TMPDIR) ? undefined : true))
  })
})
