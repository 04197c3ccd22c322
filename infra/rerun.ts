import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ITable } from 'aws-cdk-lib/aws-dynamodb'
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { MOST_KEYS, type RerunInput } from '../services/rerun/input.ts'
import { alarm } from './alarms.ts'
import { type Config, PROJECT } from './config.ts'
import { rerunRights } from './rights.ts'
import { Rule } from './rule.ts'

/** What the machine is, says and takes is in its own comments. */
export const MACHINE = join(PROJECT, 'services', 'rerun', 'machine.asl.json')

export interface RerunProps {
  config: Config
  stateful: { raw: IBucket; ledger: ITable }
  datasets: string[]
  /** Seconds between two looks at whether all has settled, early on. @default 20 */
  waitSeconds?: number
  /** Keys of one rerun; it fails, in words, where there are as many or more. @default MOST_KEYS */
  mostKeys?: number
}

/** The machine that runs the sources of a dataset again: no function of ours, and each dataset's schedule if it has one. */
export class Rerun extends Construct {
  readonly machine: StateMachine
  /** All executions of the machine. */
  readonly executionsArn: string
  /** By dataset. */
  readonly schedules: Record<string, Rule> = {}

  constructor(scope: Construct, id: string, { config, stateful, datasets, ...limits }: RerunProps) {
    super(scope, id)
    const { waitSeconds = 20, mostKeys = MOST_KEYS } = limits
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: 'Landfall: what a rerun may do',
    })
    for (const right of rerunRights(this, stateful)) role.addToPolicy(right)

    this.machine = new StateMachine(this, 'Machine', {
      definitionBody: DefinitionBody.fromString(readFileSync(MACHINE, 'utf8')),
      definitionSubstitutions: {
        LedgerTable: stateful.ledger.tableName,
        RawBucket: stateful.raw.bucketName,
        Datasets: datasets.map((dataset) => `'${dataset}'`).join(', '),
        WaitSeconds: String(waitSeconds),
        MostKeys: String(mostKeys),
      },
      role,
      tracingEnabled: true,
      // Of the children too, which are short and leave no other trace of why one failed.
      logs: {
        destination: new LogGroup(this, 'Logs', {
          retention: config.logRetention,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ERROR,
        includeExecutionData: true,
      },
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.executionsArn = Stack.of(this).formatArn({
      service: 'states',
      resource: 'execution',
      resourceName: `${this.machine.stateMachineName}:*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    this.mayRunItsChildren(role)
    alarm(this, 'Alarm', config, {
      metric: this.machine.metricFailed({ period: Duration.minutes(5) }),
      says: 'A rerun failed. Its cause, in the execution or by `landfall rerun --list`, names the sources; mend what it says and start it with "only": ["failed"]. RerunAtWork is no fault: an earlier one was still at work.',
      section: 'failed-reruns',
    })
    this.schedule(config, datasets)
  }

  /** The children of a distributed map are executions of this machine. A policy of its own, as it names the machine. */
  private mayRunItsChildren(role: Role) {
    const resources = [this.executionsArn]
    const statements = [
      new PolicyStatement({ actions: ['states:StartExecution'], resources: [this.machine.stateMachineArn] }),
      new PolicyStatement({ actions: ['states:DescribeExecution', 'states:StopExecution'], resources }),
    ]
    new Policy(this, 'Children', { roles: [role], statements })
  }

  private schedule(config: Config, datasets: string[]) {
    for (const [dataset, schedule] of Object.entries(config.rerunSchedule)) {
      if (!datasets.includes(dataset))
        throw new Error(
          `rerunSchedule names the dataset "${dataset}", which has no contract (there are: ${datasets.join(', ')}). Take it out, or add schemas/datasets/${dataset}.json.`,
        )
      const input: RerunInput = { dataset }
      this.schedules[dataset] = new Rule(this, `Schedule-${dataset}`, {
        config,
        description: `${schedule} reruns ${dataset}`,
        on: { schedule },
        target: { machine: this.machine, input },
      })
    }
  }
}
