import { CfnJob } from 'aws-cdk-lib/aws-glue'
import { type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { EngineSize } from '../schemas/contract.ts'
import type { Config, JobStage } from './config.ts'
import { glueLogs, list, objects, READ, WRITE } from './grants.ts'
import { deployCode } from './job-code.ts'
import type { Stateful } from './stateful.ts'

/** Dispatch runs one job for each dataset; these more cover that Glue frees a slot some time after it reports the end. */
const SPARE_RUNS = 4
/** Of a run that nobody but a person can have started: dispatch starts each with the size of its dataset's contract. */
const DEFAULT_SIZE = EngineSize.parse({})

/** A job reads its sources and its manifest, and writes to its own stage's staging: it can publish nothing. */
function jobRights(stage: JobStage, { raw, processing, staging }: Stateful): PolicyStatement[] {
  const sources = stage === 'convert' ? raw : processing
  return [
    list(sources),
    objects(READ, sources, 'data/'),
    objects(READ, staging, `${stage}/`),
    objects(WRITE, staging, `${stage}/`),
  ]
}

/** A stage's Glue job. It gets `--manifest <uri>` with each run and knows nothing else. */
export class Job extends Construct {
  readonly jobName: string

  constructor(scope: Construct, id: string, props: { stage: JobStage; config: Config; stateful: Stateful }) {
    super(scope, id)
    const { stage, config, stateful } = props

    const code = deployCode(this, { stage, code: config.jobs, stateful })
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('glue.amazonaws.com'),
      description: `Landfall: what the Glue job of ${stage} may do`,
    })
    for (const right of [...jobRights(stage, stateful), ...code.rights, glueLogs(this, 'jobs')]) role.addToPolicy(right)

    const job = new CfnJob(this, 'Job', {
      description: `Landfall: ${stage}`,
      role: role.roleArn,
      command: { name: 'glueetl', pythonVersion: '3', scriptLocation: code.scriptLocation },
      glueVersion: '5.0',
      workerType: DEFAULT_SIZE.workers.type,
      numberOfWorkers: DEFAULT_SIZE.workers.most,
      defaultArguments: code.arguments,
      executionProperty: { maxConcurrentRuns: stateful.contracts.length + SPARE_RUNS },
      // Dispatch and sweep retry and queue; Glue doing it as well would run a batch behind the ledger's back.
      maxRetries: 0,
      jobRunQueuingEnabled: false,
      timeout: DEFAULT_SIZE.timeoutMinutes,
    })
    // A run that starts before its role can read fails for no reason of its own.
    job.node.addDependency(role)
    this.jobName = job.ref
  }
}
