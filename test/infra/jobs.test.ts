import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { aws, JOB_CODE, JOB_STAGES, type JobCode, laptop } from '../../infra/config.ts'
import { readAssembly } from '../../infra/local/assembly.ts'
import { EngineSize } from '../../schemas/contract.ts'
import { placesOf, resources, runnersOf, templates, text } from './templates.ts'

/** What a configuration deploys of its jobs, with the files that it uploads. */
async function deploy(config: typeof aws) {
  const { app, stateful, templates: both } = templates(config)
  const { directory } = app.synth()
  const { assets } = await readAssembly(directory)
  const uploaded = (uri: unknown) => assets.find(({ key }) => text(uri).includes(`/${key}`))
  return { template: both.stateless, stateful, uploaded }
}
type Deployed = Awaited<ReturnType<typeof deploy>>

const jobsOf = ({ template }: Deployed) =>
  resources(template, 'AWS::Glue::Job').map(([, { Properties }]) => ({
    ...Properties,
    script: (Properties.Command as { ScriptLocation: unknown }).ScriptLocation,
    arguments: (Properties.DefaultArguments ?? {}) as Record<string, unknown>,
  }))

const onAws = await deploy(aws)
const onLaptop = await deploy(laptop())
const sparkOnLaptop = await deploy(laptop({ jobs: JOB_CODE.spark }))

describe('the Glue jobs', () => {
  it.each([
    { where: 'AWS', deployed: onAws },
    { where: 'a laptop', deployed: onLaptop },
  ])('are one a stage on $where, which Glue neither queues nor retries by itself', ({ deployed }) => {
    const jobs = jobsOf(deployed)
    expect(jobs).toHaveLength(JOB_STAGES.length)
    const { workers, timeoutMinutes } = EngineSize.parse({})
    for (const job of jobs) {
      expect(job).toMatchObject({ MaxRetries: 0, JobRunQueuingEnabled: false, GlueVersion: '5.0' })
      // What a contract says by default; dispatch gives each run what its own contract says.
      expect(job).toMatchObject({ WorkerType: workers.type, NumberOfWorkers: workers.most, Timeout: timeoutMinutes })
      // One at a time for each dataset, and some for slots that Glue has not freed yet.
      const { MaxConcurrentRuns } = (job as Record<string, unknown>).ExecutionProperty as { MaxConcurrentRuns: number }
      expect(MaxConcurrentRuns).toBeGreaterThan(deployed.stateful.contracts.length)
    }
  })

  it('are Spark on AWS, which scale their workers, with metrics and logs as they run, and without bookmarks', () => {
    for (const job of jobsOf(onAws)) {
      expect(job).toMatchObject({ Command: { Name: 'glueetl', PythonVersion: '3' } })
      expect(job.arguments).toEqual({
        '--extra-py-files': expect.anything(),
        '--enable-auto-scaling': 'true',
        '--enable-metrics': 'true',
        '--enable-continuous-cloudwatch-log': 'true',
        '--job-bookmark-option': 'job-bookmark-disable',
      })
    }
  })

  it.each(JOB_STAGES)(
    '%s runs the job.py of its stage, with the shared package and nothing else beside it',
    (stage) => {
      const job = jobsOf(onAws)[JOB_STAGES.indexOf(stage)]
      const script = onAws.uploaded(job?.script)
      expect(script).toMatchObject({ packaging: 'file', key: expect.stringMatching(/\.py$/) })
      expect(readFileSync(script?.path ?? '', 'utf8')).toBe(readFileSync(JOB_CODE.spark.scripts[stage], 'utf8'))
      const packages = onAws.uploaded(job?.arguments['--extra-py-files'])
      expect(packages).toMatchObject({ packaging: 'zip', key: expect.stringMatching(/\.zip$/) })
      expect(readdirSync(packages?.path ?? '')).toEqual(['landfall_spark'])
    },
  )

  it('run the same files with the same arguments on a laptop with engine spark', () => {
    const of = (deployed: Deployed) =>
      jobsOf(deployed).map(({ script, arguments: given }) => {
        const named = { ...given, '--extra-py-files': deployed.uploaded(given['--extra-py-files'])?.key }
        return { script: deployed.uploaded(script)?.key, arguments: named }
      })
    expect(of(sparkOnLaptop)).toEqual(of(onAws))
  })

  it('run DuckDB on a laptop from where it was built, beside its native module, and take no arguments of Spark', () => {
    expect(jobsOf(onLaptop).map((job) => [job.script, job.arguments])).toEqual([
      [expect.stringMatching(/^file:\/\/\/.*\/dist\/jobs\/convert\.mjs$/), {}],
      [expect.stringMatching(/^file:\/\/\/.*\/dist\/jobs\/partition\.mjs$/), {}],
    ])
  })

  it('upload the same bytes whether or not Python has left its own beside the package', async () => {
    const [clean, littered] = ['', 'littered']
      .map((litter): JobCode => {
        const folder = mkdtempSync(join(tmpdir(), 'landfall-spark-'))
        const put = (path: string) => {
          mkdirSync(dirname(join(folder, path)), { recursive: true })
          writeFileSync(join(folder, path), `# ${path}\n`)
        }
        for (const path of ['job.py', 'landfall_spark/__init__.py', 'landfall_spark/io/s3.py']) put(path)
        if (litter) {
          for (const path of [
            'tests/test_io.py',
            'landfall_spark/__pycache__/a.pyc',
            'landfall_spark/io/__pycache__/b.pyc',
          ])
            put(path)
        }
        const script = join(folder, 'job.py')
        return { engine: 'spark', scripts: { convert: script, partition: script }, packages: folder }
      })
      .map((jobs) => deploy({ ...aws, jobs }))
    const zips = await Promise.all(
      [clean, littered].map(async (each) => {
        const deployed = await each
        const [job] = deployed ? jobsOf(deployed) : []
        return deployed?.uploaded(job?.arguments['--extra-py-files'])
      }),
    )
    expect(zips[0]?.key).toBe(zips[1]?.key)
    expect(existsSync(join(zips[1]?.path ?? '', 'landfall_spark', 'io', 's3.py'))).toBe(true)
  })
})

describe('a Spark job', () => {
  const runners = runnersOf(onAws.template)
  const places = placesOf(runners)
  const own = (stage: string) => [`<Staging>/${stage}/`]

  it('may read its script and its package, and no other file of what is deployed', () => {
    for (const [name, job] of [
      ['Convert job', jobsOf(onAws)[0]],
      ['Partition job', jobsOf(onAws)[1]],
    ] as const) {
      const keys = [job?.script, job?.arguments['--extra-py-files']].map((uri) => onAws.uploaded(uri)?.key)
      const read = places(name, 's3:GetObject').filter((place) => place.includes('cdk-'))
      expect(read.map((place) => place.replace(/.*\//, '')).sort()).toEqual(keys.sort())
    }
  })

  it('may write and delete in its own stage of staging, where its committer renames, and nowhere else', () => {
    for (const stage of JOB_STAGES) {
      const name = stage === 'convert' ? 'Convert job' : 'Partition job'
      expect(places(name, 's3:PutObject')).toEqual(own(stage))
      expect(places(name, 's3:DeleteObject')).toEqual(own(stage))
      expect(places(name, 's3:DeleteObjectVersion')).toEqual([])
    }
  })

  it('may list its sources and staging, so that what is missing is missing and not forbidden', () => {
    expect(places('Convert job', 's3:ListBucket')).toEqual(['<Raw>', '<Staging>'])
    expect(places('Partition job', 's3:ListBucket')).toEqual(['<Processing>', '<Staging>'])
  })

  it("may send metrics to Glue's namespace only", () => {
    for (const { name, statements } of runners) {
      const metrics = statements.filter(({ Action }) => Action === 'cloudwatch:PutMetricData')
      const expected = { Condition: { StringEquals: { 'cloudwatch:namespace': 'Glue' } } }
      expect(metrics, name).toMatchObject(name.endsWith(' job') ? [expected] : [])
    }
  })
})
