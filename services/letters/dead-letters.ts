import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs'
import { MAX_RECEIVES } from '../lambda/receives.ts'

export type DeadLetter = {
  id: string
  body: string
  /** When it was sent to the queue that it died in, ISO 8601. */
  sentAt: string
  /** How often its stage was given it; none where it was EventBridge that gave up. */
  receives: number
  /** What EventBridge said, where it was EventBridge that gave up. */
  undelivered?: string
}

/** One move of all messages of a queue, as far as it has come. */
export type Move = {
  /** Tells it from the moves before. Epoch milliseconds. */
  startedAt: number
  state: 'running' | 'completed' | 'cancelled' | 'failed'
  moved: number
  toMove?: number
  why?: string
}

/** What people do with dead-letter queues, each named by its url. */
export interface DeadLetters {
  /** The first messages, all of which are there for others again when it returns. */
  peek(queue: string, most: number, signal?: AbortSignal): Promise<DeadLetter[]>
  /** Has a queue's messages moved. False where a move of that queue is at work already: there is one at a time. */
  startMove(from: string, to: string): Promise<boolean>
  /** The move that was started last. */
  lastMove(from: string): Promise<Move | undefined>
  /** Receives a few messages, sends them on, and only then deletes them: twice is harmless, never is not. */
  carry(from: string, to: string): Promise<{ carried: number; failed?: string }>
}

/** How long a message that is looked at is hidden from others, where this process does not live to give it back. */
const LOOK_SECONDS = 30
/** SQS's own limit for one call. */
const BATCH = 10

export class SqsDeadLetters implements DeadLetters {
  readonly #sqs: SQSClient
  readonly #arns = new Map<string, string>()

  constructor(sqs: SQSClient) {
    this.#sqs = sqs
  }

  // Looking counts as a receive. That changes nothing: a DLQ has no redrive policy of its own that would count them.
  async peek(queue: string, most: number, signal?: AbortSignal): Promise<DeadLetter[]> {
    const letters = new Map<string, DeadLetter>()
    const receipts = new Map<string, string>()
    try {
      while (letters.size < most) {
        signal?.throwIfAborted()
        const messages = await this.#receive(queue, Math.min(BATCH, most - letters.size))
        const known = letters.size
        for (const message of messages) {
          const letter = letterOf(message)
          letters.set(letter.id, letters.get(letter.id) ?? letter)
          receipts.set(letter.id, message.ReceiptHandle ?? '')
        }
        // None, or only such as were hidden for too short a time to see all.
        if (letters.size === known) break
      }
    } finally {
      await this.#giveBack(queue, [...receipts.values()])
    }
    return [...letters.values()]
  }

  async startMove(from: string, to: string): Promise<boolean> {
    const [SourceArn, DestinationArn] = await Promise.all([this.#arn(from), this.#arn(to)])
    try {
      // Without a destination, one message that someone sent to the DLQ by hand, and so came from no queue, fails the task.
      await this.#sqs.send(new StartMessageMoveTaskCommand({ SourceArn, DestinationArn }))
      return true
    } catch (error) {
      if ((await this.lastMove(from))?.state === 'running') return false
      throw error
    }
  }

  async lastMove(from: string): Promise<Move | undefined> {
    const { Results: [task] = [] } = await this.#sqs.send(
      new ListMessageMoveTasksCommand({ SourceArn: await this.#arn(from), MaxResults: 1 }),
    )
    if (!task) return undefined
    const { Status = '', StartedTimestamp = 0, ApproximateNumberOfMessagesMoved: moved = 0 } = task
    const { ApproximateNumberOfMessagesToMove: toMove, FailureReason: why } = task
    const state = STATES[Status] ?? 'running'
    return { startedAt: StartedTimestamp, state, moved, ...(toMove !== undefined && { toMove }), ...(why && { why }) }
  }

  async carry(from: string, to: string): Promise<{ carried: number; failed?: string }> {
    const messages = await this.#receive(from, BATCH)
    if (messages.length === 0) return { carried: 0 }
    const sent = await this.#sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: to,
        Entries: messages.map(({ Body }, i) => ({ Id: String(i), MessageBody: Body })),
      }),
    )
    const done = (sent.Successful ?? []).map(({ Id }) => ({ Id, ReceiptHandle: messages[Number(Id)]?.ReceiptHandle }))
    const deleted =
      done.length > 0
        ? await this.#sqs.send(new DeleteMessageBatchCommand({ QueueUrl: from, Entries: done }))
        : { Failed: [] }
    const [failed] = [...(sent.Failed ?? []), ...(deleted.Failed ?? [])]
    return { carried: done.length, ...(failed && { failed: `${failed.Code}: ${failed.Message ?? 'no reason given'}` }) }
  }

  async #receive(queue: string, most: number): Promise<Message[]> {
    const { Messages = [] } = await this.#sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queue,
        MaxNumberOfMessages: most,
        VisibilityTimeout: LOOK_SECONDS,
        // A short poll asks some of SQS's servers only, and finds nothing where there is something.
        WaitTimeSeconds: 1,
        MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount'],
        MessageAttributeNames: ['ERROR_CODE', 'ERROR_MESSAGE'],
      }),
    )
    return Messages
  }

  /** One that cannot be given back is there again when its time is over. */
  async #giveBack(queue: string, receipts: string[]): Promise<void> {
    for (let i = 0; i < receipts.length; i += BATCH) {
      const Entries = receipts
        .slice(i, i + BATCH)
        .map((ReceiptHandle, n) => ({ Id: String(n), ReceiptHandle, VisibilityTimeout: 0 }))
      await this.#sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queue, Entries }))
    }
  }

  async #arn(queue: string): Promise<string> {
    const known = this.#arns.get(queue)
    if (known) return known
    const { Attributes } = await this.#sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ['QueueArn'] }),
    )
    const arn = Attributes?.QueueArn
    if (!arn) throw new Error(`SQS does not say the ARN of ${queue}.`)
    this.#arns.set(queue, arn)
    return arn
  }
}

const STATES: Record<string, Move['state']> = { COMPLETED: 'completed', CANCELLED: 'cancelled', FAILED: 'failed' }

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html has the attributes that EventBridge sets. */
function letterOf({ MessageId: id = '', Body: body = '', Attributes, MessageAttributes }: Message): DeadLetter {
  const said = [MessageAttributes?.ERROR_CODE, MessageAttributes?.ERROR_MESSAGE].flatMap(
    (attribute) => attribute?.StringValue ?? [],
  )
  return {
    id,
    body,
    sentAt: new Date(Number(Attributes?.SentTimestamp ?? 0)).toISOString(),
    // Whoever looks at it counts as well.
    receives: said.length > 0 ? 0 : Math.min(MAX_RECEIVES, Number(Attributes?.ApproximateReceiveCount ?? 1) - 1),
    ...(said.length > 0 && { undelivered: said.join(': ') }),
  }
}
