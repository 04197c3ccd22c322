import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { Duration } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { MAX_RECEIVES } from '../services/lambda/receives.ts'
import { type AlarmProps, alarm } from './alarms.ts'
import type { Config } from './config.ts'

const defaults: QueueProps = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true }

/** The end of the line: kept as long as SQS can, and an alarm from the first message on. */
export function deadLetters(
  scope: Construct,
  id: string,
  config: Config,
  alarms: Pick<AlarmProps, 'says' | 'section'>,
) {
  const queue = new Queue(scope, id, { ...defaults, retentionPeriod: Duration.days(14) })
  alarm(queue, 'Alarm', config, {
    ...alarms,
    metric: queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
  })
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
