import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { build, STACKS } from '../../infra/app.ts'
import { aws, JOB_CODE, laptop, PROJECT } from '../../infra/config.ts'
import { readAssembly } from '../../infra/local/assembly.ts'
import { stubs } from './templates.ts'

describe('for AWS', { timeout: 60_000 }, () => {
  it('`npm run synth` says where the templates and all their assets are', async () => {
    const outdir = mkdtempSync(join(tmpdir(), 'landfall-synth-'))
    const { status, stdout, stderr } = spawnSync(
      join(PROJECT, 'node_modules', '.bin', 'node'),
      [join(PROJECT, 'infra', 'synth.ts')],
      { encoding: 'utf8', env: { ...process.env, CDK_OUTDIR: outdir } },
    )
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${outdir}\n`, stderr: '' })
    const { stacks, assets } = await readAssembly(outdir)
    expect(stacks.map(({ name }) => name)).toEqual([...STACKS])
    for (const { path } of assets) expect(existsSync(path), path).toBe(true)
  })

  it("names a job's script that is not there", () => {
    const scripts = { ...JOB_CODE.spark.scripts, partition: '/nowhere/job.py' }
    const jobs = { ...JOB_CODE.spark, scripts }
    expect(() => build({ ...aws, jobs }, stubs())).toThrow('Cannot find asset at /nowhere/job.py')
  })

  it("has templates that pass CloudFormation's own schemas", () => {
    const assembly = build(aws, stubs()).app.synth()
    expect(assembly.stacks.map(({ stackName }) => stackName)).toEqual([...STACKS])
    const report = JSON.parse(readFileSync(join(assembly.directory, 'validation-report.json'), 'utf8'))
    expect(report.pluginReports.flatMap((each: { violations: unknown[] }) => each.violations)).toEqual([])
  })

  it('needs the bootstrapped account that a laptop has not', () => {
    const [onAws, onLaptop] = [aws, laptop()].map((config) => {
      const { directory } = build({ ...config, validateTemplates: false }, stubs()).app.synth()
      return readFileSync(join(directory, 'LandfallStateless.template.json'), 'utf8')
    })
    expect(onAws).toContain('/cdk-bootstrap/')
    expect(onLaptop).not.toContain('cdk-bootstrap')
  })
})
