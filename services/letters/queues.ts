import { GetQueueAttributesCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { STAGES, type Stage } from '../../events/replay.ts'

/** Messages of a queue, as near as SQS knows. */
export type Depth = { waiting: number; inFlight: number }

/** `work`: events for a stage; `dead`: what the stage, or with `event` the rule that wakes it, gave up on. */
export type NamedQueue = { stage: string; kind: 'work' | 'dead'; event?: string; url: string }

type Outputs = Iterable<readonly [string | undefined, string | undefined]>

/** The rules among a stack's outputs: `UnzipZipLandedRule`. */
export const objectRulesOf = (outputs: Outputs): Partial<Record<Stage, string>> =>
  Object.fromEntries(
    [...outputs].flatMap(([name = '', arn]) => {
      const [, word = ''] = /^([A-Z][a-z]+)\w*Rule$/.exec(name) ?? []
      const stage = STAGES.find((known) => known === word.toLowerCase())
      return stage && arn ? [[stage, arn]] : []
    }),
  )

/** The queues among a stack's outputs: `UnzipQueue`, `UnzipDeadLetters`, `UnzipZipLandedDeadLetters`. */
export function queuesOf(outputs: Outputs): NamedQueue[] {
  const queues: NamedQueue[] = []
  for (const [name = '', url = ''] of outputs) {
    const [, stage, event, kind] = /^([A-Z][a-z]+)([A-Z]\w*)??(Queue|DeadLetters)$/.exec(name) ?? []
    if (!stage) continue
    queues.push({
      stage: stage.toLowerCase(),
      kind: kind === 'Queue' ? 'work' : 'dead',
      ...(event && { event }),
      url,
    })
  }
  return queues
}

export const sqsDepth =
  (sqs: SQSClient) =>
  async (url: string): Promise<Depth> => {
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: [
          'ApproximateNumberOfMessages',
          'ApproximateNumberOfMessagesDelayed',
          'ApproximateNumberOfMessagesNotVisible',
        ],
      }),
    )
    const of = (name: keyof typeof Attributes) => Number(Attributes[name] ?? 0)
    return {
      waiting: of('ApproximateNumberOfMessages') + of('ApproximateNumberOfMessagesDelayed'),
      inFlight: of('ApproximateNumberOfMessagesNotVisible'),
    }
  }

/** An event, as EventBridge would have put it there. */
export async function sqsSend(sqs: SQSClient, url: string, event: object): Promise<void> {
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: JSON.stringify(event) }))
}
