import { CfnJob } from 'aws-cdk-lib/aws-glue'
import { type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { type Config, type JobStage, jobScripts } from './config.ts'
import { glueLogs, objects, READ, WRITE } from './grants.ts'
import type { Stateful } from './stateful.ts'

/** A job reads its sources and its manifest, and writes to its own stage's staging: it can publish nothing. */
const jobRights = (stage: JobStage, { raw, processing, staging }: Stateful): PolicyStatement[] => [
  objects(READ, stage === 'convert' ? raw : processing, 'data/'),
  objects(READ, staging, `${stage}/`),
  objects(WRITE, staging, `${stage}/`),
]

/** A stage's Glue job. It gets `--manifest <uri>` with each run and knows nothing else. */
export class Job extends Construct {
  readonly jobName: string

  constructor(scope: Construct, id: string, props: { stage: JobStage; config: Config; stateful: Stateful }) {
    super(scope, id)
    const { stage, config, stateful } = props

    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('glue.amazonaws.com'),
      description: `Landfall: what the Glue job of ${stage} may do`,
    })
    for (const right of [...jobRights(stage, stateful), glueLogs(this, 'jobs')]) role.addToPolicy(right)

    const job = new CfnJob(this, 'Job', {
      description: `Landfall: ${stage}`,
      role: role.roleArn,
      command: { name: 'glueetl', pythonVersion: '3', scriptLocation: jobScripts(config)[stage] },
      glueVersion: '5.0',
      workerType: 'G.1X',
      numberOfWorkers: 2,
      // Dispatch runs one per dataset; the surplus covers that Glue frees a slot some time after it reports the end.
      executionProperty: { maxConcurrentRuns: 5 },
      // Dispatch and sweep retry and queue; Glue doing it as well would run a batch behind the ledger's back.
      maxRetries: 0,
      jobRunQueuingEnabled: false,
      timeout: 60,
    })
    // A run that starts before its role can read fails for no reason of its own.
    job.node.addDependency(role)
    this.jobName = job.ref
  }
}
