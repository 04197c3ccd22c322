import { EventSourceMapping, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { StageName } from './config.ts'
import { type StageFunctionProps, stageFunction } from './function.ts'
import { deadLetters, workQueue } from './queue.ts'
import { Rule } from './rule.ts'

export interface StageProps extends StageFunctionProps {
  /** EventBridge patterns that wake the stage, by a name for each. */
  wakesOn: Record<string, object>
  /** @default the config's */
  batchSize?: number
}

/** A stage: rules (each with a DLQ of its own) -> queue (with DLQ and alarm) -> function. */
export class Stage extends Construct {
  readonly name: StageName
  readonly function: LambdaFunction
  readonly queue: Queue
  readonly deadLetters: Queue
  /** By the event that wakes the stage. */
  readonly rules: Record<string, Rule> = {}

  constructor(scope: Construct, id: string, props: StageProps) {
    super(scope, id)
    const { name, config, wakesOn } = props
    this.name = name

    this.deadLetters = deadLetters(this, 'DeadLetters', config, {
      says: `Stage ${name} gave up on an event. Run: landfall redrive --stage ${name} --dry-run says which and why; mend that, then send it back without --dry-run.`,
      section: 'dead-letters',
    })
    this.queue = workQueue(this, 'Queue', config, this.deadLetters)
    this.function = stageFunction(this, props)

    this.queue.grantConsumeMessages(this.function)
    new EventSourceMapping(this, 'Mapping', {
      target: this.function,
      eventSourceArn: this.queue.queueArn,
      batchSize: props.batchSize ?? config.batchSize,
      maxConcurrency: config.maxConcurrency,
      reportBatchItemFailures: true,
    })

    for (const [event, pattern] of Object.entries(wakesOn)) {
      const description = `${event} wakes ${name}`
      this.rules[event] = new Rule(this, event, { config, description, on: { pattern }, target: this.queue })
    }
  }
}
