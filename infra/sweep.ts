import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { type StageFunctionProps, stageFunction } from './function.ts'
import { deadLetters } from './queue.ts'
import { Rule } from './rule.ts'

/** A clock instead of a queue: each minute is a fresh look, so a failed one is not retried, but it does alarm. */
export class Sweep extends Construct {
  readonly function: LambdaFunction
  readonly deadLetters: Queue
  readonly rule: Rule

  constructor(scope: Construct, id: string, props: StageFunctionProps) {
    super(scope, id)
    const { config } = props
    this.deadLetters = deadLetters(this, 'DeadLetters', config, {
      says: 'A sweep failed: what it mends is not mended until one succeeds. Read the log of its function; the next minute tries again by itself.',
      section: 'failed-sweeps',
    })
    this.function = stageFunction(this, {
      ...props,
      function: {
        deadLetterQueue: this.deadLetters,
        retryAttempts: 0,
        maxEventAge: Duration.minutes(1),
        ...props.function,
      },
    })
    this.rule = new Rule(this, 'EveryMinute', {
      config,
      description: 'Every minute wakes sweep',
      on: { schedule: 'rate(1 minute)' },
      target: this.function,
    })
  }
}
