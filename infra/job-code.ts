import { pathToFileURL } from 'node:url'
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import { IgnoreMode } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import type { JobCode, JobStage } from './config.ts'
import { assets, DELETE, glueMetrics, list, objects } from './grants.ts'
import type { Stateful } from './stateful.ts'

/** Arguments that Glue itself reads: all text, and a misspelt one is ignored without a word. With each run comes `--manifest`. */
export type JobArguments = {
  /** Zips on the path of the driver's and the executors' Python. */
  '--extra-py-files': string
  /** The number of workers is then the most that a run may grow to. */
  '--enable-auto-scaling': 'true'
  '--enable-metrics': 'true'
  '--enable-continuous-cloudwatch-log': 'true'
  /** What is done and what is not is in the ledger; a bookmark would skip what is run again on purpose. */
  '--job-bookmark-option': 'job-bookmark-disable'
  /** One setting of Spark that must hold before the script starts; everything else the script sets itself. */
  '--conf'?: `spark.${string}=${string}`
}

/** What an engine's code asks of its job. */
export interface DeployedCode {
  scriptLocation: string
  arguments: JobArguments | undefined
  rights: PolicyStatement[]
}

type Props = { stage: JobStage; code: JobCode; stateful: Stateful }

/** Puts the script of a job where Glue finds it. @throws Error when a file of it is missing */
export function deployCode(scope: Construct, { stage, code, stateful }: Props): DeployedCode {
  if (code.engine === 'duckdb') {
    return { scriptLocation: pathToFileURL(code.scripts[stage]).href, arguments: undefined, rights: [] }
  }
  const script = new Asset(scope, 'Script', { path: code.scripts[stage] })
  const packages = new Asset(scope, 'Packages', {
    path: code.packages,
    ignoreMode: IgnoreMode.GIT,
    // The package alone: neither tests beside it, nor bytecode, which would make each machine's zip another one.
    exclude: ['/*', '!/landfall_spark', '__pycache__'],
  })
  return {
    scriptLocation: script.s3ObjectUrl,
    arguments: {
      '--extra-py-files': packages.s3ObjectUrl,
      '--enable-auto-scaling': 'true',
      '--enable-metrics': 'true',
      '--enable-continuous-cloudwatch-log': 'true',
      '--job-bookmark-option': 'job-bookmark-disable',
    },
    rights: [
      assets(script, packages),
      list(stateful.staging),
      // Spark's committer renames what it wrote below `_temporary`, which on S3 is a copy and a delete.
      objects(DELETE, stateful.staging, `${stage}/`),
      glueMetrics(),
    ],
  }
}
