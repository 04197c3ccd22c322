import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { Duration } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { MAX_RECEIVES } from '../services/lambda/receives.ts'
import type { Config } from './config.ts'

const defaults: QueueProps = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }

/** The end of the line: kept as long as SQS can, and an alarm from the first message on. */
export function deadLetters(scope: Construct, id: string, config: Config, what: string): Queue {
  const queue = new Queue(scope, id, { ...defaults, retentionPeriod: Duration.days(14) })
  if (config.alarms) {
    new Alarm(queue, 'Alarm', {
      alarmDescription: `${what} Read the ledger's reasons before sending messages back.`,
      metric: queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    })
  }
  return queue
}

/** A stage's queue; its retention is shorter than its DLQ's, where a message's age goes on counting. */
export function workQueue(scope: Construct, id: string, config: Config, deadLetterQueue: Queue): Queue {
  return new Queue(scope, id, {
    ...defaults,
    visibilityTimeout: config.visibilityTimeout,
    retentionPeriod: Duration.days(4),
    deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: MAX_RECEIVES },
  })
}
