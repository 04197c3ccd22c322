import { CfnRule } from 'aws-cdk-lib/aws-events'
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnPermission, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import type { Config } from './config.ts'
import { deadLetters } from './queue.ts'

export interface RuleProps {
  config: Config
  description: string
  /** An EventBridge pattern as its event's module says it, or a schedule expression. */
  on: { pattern: object } | { schedule: string }
  target: Queue | LambdaFunction | { machine: StateMachine; input: object }
}

/**
 * A rule of the default bus, its one target, and a DLQ of its own for what EventBridge could not hand over.
 * It is the L1 rule, because the pattern must reach EventBridge as the event's module wrote it and the tests matched it.
 */
export class Rule extends Construct {
  readonly deadLetters: Queue
  readonly ruleArn: string

  constructor(scope: Construct, id: string, { config, description, on, target }: RuleProps) {
    super(scope, id)
    this.deadLetters = deadLetters(this, 'DeadLetters', config, {
      says: `EventBridge could not deliver: ${description}. Look at the target's policy, which it names; then send the events back with landfall redrive.`,
      section: 'undelivered-events',
    })

    const rule = new CfnRule(this, 'Rule', {
      description,
      ...('pattern' in on ? { eventPattern: on.pattern } : { scheduleExpression: on.schedule }),
      targets: [{ id: 'target', ...this.aim(target), deadLetterConfig: { arn: this.deadLetters.queueArn } }],
    })

    this.ruleArn = rule.attrArn

    const queues = target instanceof Queue ? [this.deadLetters, target] : [this.deadLetters]
    for (const queue of queues) {
      queue.addToResourcePolicy(
        new PolicyStatement({
          effect: Effect.ALLOW,
          principals: [new ServicePrincipal('events.amazonaws.com')],
          actions: ['sqs:SendMessage'],
          resources: [queue.queueArn],
          // Without the condition, a rule of any other account could write here.
          conditions: { ArnEquals: { 'aws:SourceArn': rule.attrArn } },
        }),
      )
    }
    if (target instanceof LambdaFunction) {
      new CfnPermission(this, 'Invoke', {
        action: 'lambda:InvokeFunction',
        functionName: target.functionName,
        principal: 'events.amazonaws.com',
        sourceArn: rule.attrArn,
      })
    }
  }

  private aim(target: RuleProps['target']): Pick<CfnRule.TargetProperty, 'arn' | 'roleArn' | 'input'> {
    if (target instanceof Queue) return { arn: target.queueArn }
    if (target instanceof LambdaFunction) return { arn: target.functionArn }
    // Queues and functions say themselves who may call them; a state machine cannot.
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('events.amazonaws.com'),
      description: 'Landfall: a rule may start its state machine',
    })
    target.machine.grantStartExecution(role)
    return { arn: target.machine.stateMachineArn, roleArn: role.roleArn, input: JSON.stringify(target.input) }
  }
}
