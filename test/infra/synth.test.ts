import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { build, STACKS, synthesize } from '../../infra/app.ts'
import { aws, laptop, PROJECT } from '../../infra/config.ts'
import { stubs } from './templates.ts'

const withScripts = {
  ...aws,
  jobScripts: { convert: 's3://scripts/convert.py', partition: 's3://scripts/partition.py' },
}

describe('for AWS', { timeout: 60_000 }, () => {
  it('is refused while there is no Spark job, saying what to do instead', () => {
    expect(() => synthesize(aws)).toThrow(/no Spark job yet.*convert and partition.*issue 4.*npm start/)
  })

  it('`npm run synth` says so in words and fails', () => {
    const { status, stdout, stderr } = spawnSync(
      join(PROJECT, 'node_modules', '.bin', 'node'),
      [join(PROJECT, 'infra', 'synth.ts')],
      {
        encoding: 'utf8',
      },
    )
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^There is no Spark job yet: /)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it("has templates that pass CloudFormation's own schemas, once there is one", () => {
    const assembly = build(withScripts, stubs()).app.synth()
    expect(assembly.stacks.map(({ stackName }) => stackName)).toEqual([...STACKS])
    const report = JSON.parse(readFileSync(join(assembly.directory, 'validation-report.json'), 'utf8'))
    expect(report.pluginReports.flatMap((each: { violations: unknown[] }) => each.violations)).toEqual([])
  })

  it('needs the bootstrapped account that a laptop has not', () => {
    const [onAws, onLaptop] = [withScripts, laptop()].map((config) => {
      const { directory } = build({ ...config, validateTemplates: false }, stubs()).app.synth()
      return readFileSync(join(directory, 'LandfallStateless.template.json'), 'utf8')
    })
    expect(onAws).toContain('/cdk-bootstrap/')
    expect(onLaptop).not.toContain('cdk-bootstrap')
  })
})
