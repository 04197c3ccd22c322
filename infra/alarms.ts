import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { RemovalPolicy, Stack } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Config } from './config.ts'

export interface AlarmProps {
  metric: IMetric
  /** It alarms from here on. @default 1 */
  from?: number
  /** What has happened, and what to do next. */
  says: string
  /** Heading of RUNBOOK.md that says more, as a link names it: `failed-files`. */
  section: string
}

/** An alarm whose message is of use at night; none where the configuration wants none. */
export function alarm(scope: Construct, id: string, config: Config, { metric, from = 1, says, section }: AlarmProps) {
  if (!config.alarms) return
  new Alarm(scope, id, {
    alarmDescription: `${says} See RUNBOOK.md#${section}.`,
    metric,
    threshold: from,
    evaluationPeriods: 1,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    // What counts troubles is written when there is one.
    treatMissingData: TreatMissingData.NOT_BREACHING,
  })
}

/** The one place that all alarms of a stack tell: an encrypted topic, and whom the configuration names. */
export class AlarmTopic extends Construct {
  readonly topic: Topic

  constructor(scope: Construct, id: string, config: Pick<Config, 'alarmEmails'>) {
    super(scope, id)
    const key = new Key(this, 'Key', {
      description: 'Landfall: messages of the alarms',
      enableKeyRotation: true,
      // It encrypts what is on its way only.
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.topic = new Topic(this, 'Topic', { displayName: 'Landfall', masterKey: key, enforceSSL: true })
    const account = { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } }
    const publishers = [
      { principal: new ServicePrincipal('cloudwatch.amazonaws.com'), conditions: account },
      // A rule of yours on landfall.run or landfall.overdue. EventBridge takes no condition in a topic's policy.
      { principal: new ServicePrincipal('events.amazonaws.com'), conditions: undefined },
    ]
    for (const { principal, conditions } of publishers) {
      // Without it the topic refuses every message of the service, and no one is told that an alarm was not heard.
      key.addToResourcePolicy(
        new PolicyStatement({
          principals: [principal],
          actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
          resources: ['*'],
          conditions,
        }),
      )
      this.topic.addToResourcePolicy(
        new PolicyStatement({
          principals: [principal],
          actions: ['sns:Publish'],
          resources: [this.topic.topicArn],
          conditions,
        }),
      )
    }
    for (const address of config.alarmEmails) this.topic.addSubscription(new EmailSubscription(address))
  }

  /** Tells it of every alarm below a construct. */
  hears(scope: Construct): void {
    for (const each of scope.node.findAll()) if (each instanceof Alarm) each.addAlarmAction(new SnsAction(this.topic))
  }
}
