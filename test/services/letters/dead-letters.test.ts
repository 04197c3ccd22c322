import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs'
import { describe, expect, it } from 'vitest'
import { SqsDeadLetters } from '../../../services/letters/dead-letters.ts'

type Stored = { id: string; hidden: boolean; receives: number; attributes?: Record<string, { StringValue: string }> }

/** As much of SQS as is asked of it: messages of one queue, each hidden while someone has it. */
function sqs(count: number, answers: { tasks?: object[]; refuseStart?: Error; refuseSend?: string } = {}) {
  const stored: Stored[] = Array.from({ length: count }, (_, i) => ({ id: `m${i}`, hidden: false, receives: 5 }))
  const sent: string[] = []
  const asked: object[] = []
  const of = (receipt = '') => stored.find(({ id }) => receipt === `receipt of ${id}`)
  const send = async (command: object): Promise<object> => {
    if (command instanceof ReceiveMessageCommand) {
      asked.push(command.input)
      const Messages = stored
        .filter(({ hidden }) => !hidden)
        .slice(0, command.input.MaxNumberOfMessages)
        .map((message) => {
          message.hidden = true
          message.receives++
          return {
            MessageId: message.id,
            Body: `body of ${message.id}`,
            ReceiptHandle: `receipt of ${message.id}`,
            Attributes: { SentTimestamp: '1767225600000', ApproximateReceiveCount: String(message.receives) },
            MessageAttributes: message.attributes,
          }
        })
      return Messages.length > 0 ? { Messages } : {}
    }
    if (command instanceof ChangeMessageVisibilityBatchCommand) {
      const { Entries = [] } = command.input
      if (Entries.length < 1 || Entries.length > 10) throw new Error('a batch has 1 to 10 entries')
      for (const { ReceiptHandle, VisibilityTimeout } of Entries) {
        const message = of(ReceiptHandle)
        if (message) message.hidden = VisibilityTimeout !== 0
      }
      return {}
    }
    if (command instanceof SendMessageBatchCommand) {
      const Failed: object[] = []
      const Successful: object[] = []
      for (const { Id, MessageBody = '' } of command.input.Entries ?? [])
        if (MessageBody === answers.refuseSend) Failed.push({ Id, Code: 'Refused', Message: 'why' })
        else {
          sent.push(`${command.input.QueueUrl}: ${MessageBody}`)
          Successful.push({ Id })
        }
      return { Successful, Failed }
    }
    if (command instanceof DeleteMessageBatchCommand) {
      for (const { ReceiptHandle } of command.input.Entries ?? []) {
        const message = of(ReceiptHandle)
        if (message) stored.splice(stored.indexOf(message), 1)
      }
      return {}
    }
    if (command instanceof GetQueueAttributesCommand)
      return { Attributes: { QueueArn: `arn of ${command.input.QueueUrl}` } }
    asked.push(command)
    if (command instanceof StartMessageMoveTaskCommand && answers.refuseStart) throw answers.refuseStart
    return command instanceof ListMessageMoveTasksCommand ? { Results: answers.tasks } : { TaskHandle: 'h' }
  }
  return { deadLetters: new SqsDeadLetters({ send } as unknown as SQSClient), stored, sent, asked }
}

describe('a look at a queue of SQS', () => {
  it('reads messages of several receives, and gives every one back', async () => {
    const { deadLetters, stored } = sqs(23)
    const letters = await deadLetters.peek('dlq', 200)
    expect(letters).toHaveLength(23)
    expect(letters[0]).toEqual({ id: 'm0', body: 'body of m0', sentAt: '2026-01-01T00:00:00.000Z', receives: 5 })
    expect(stored.filter(({ hidden }) => hidden)).toEqual([])
  })

  it('reads no more than it was asked for, and asks all servers of SQS', async () => {
    const { deadLetters, stored, asked } = sqs(23)
    expect(await deadLetters.peek('dlq', 12)).toHaveLength(12)
    expect(asked).toMatchObject([
      { MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: 30 },
      { MaxNumberOfMessages: 2 },
    ])
    expect(stored.filter(({ hidden }) => hidden)).toEqual([])
  })

  it('gives back what it has read when it is interrupted', async () => {
    const { deadLetters, stored } = sqs(23)
    const interrupted = new AbortController()
    const throwIfAborted = interrupted.signal.throwIfAborted.bind(interrupted.signal)
    let looks = 0
    interrupted.signal.throwIfAborted = () => {
      if (++looks === 2) interrupted.abort(new Error('interrupted'))
      throwIfAborted()
    }
    await expect(deadLetters.peek('dlq', 200, interrupted.signal)).rejects.toThrow('interrupted')
    expect(stored.map(({ receives }) => receives).filter((n) => n > 5)).toHaveLength(10)
    expect(stored.filter(({ hidden }) => hidden)).toEqual([])
  })

  it('has what EventBridge said of a message', async () => {
    const { deadLetters, stored } = sqs(1)
    const [message] = stored
    if (message)
      message.attributes = {
        ERROR_CODE: { StringValue: 'NO_PERMISSIONS' },
        ERROR_MESSAGE: { StringValue: 'not allowed' },
      }
    expect(await deadLetters.peek('dlq', 10)).toMatchObject([{ undelivered: 'NO_PERMISSIONS: not allowed' }])
  })
})

describe('a move of SQS', () => {
  it("goes to the stage's queue by name, for a message that someone sent to the DLQ came from none", async () => {
    const { deadLetters, asked } = sqs(0)
    expect(await deadLetters.startMove('dlq', 'queue')).toBe(true)
    expect(asked).toMatchObject([{ input: { SourceArn: 'arn of dlq', DestinationArn: 'arn of queue' } }])
  })

  it('is not started while another one runs, and any other refusal is an error', async () => {
    const refuseStart = Object.assign(new Error('no'), { name: 'UnsupportedOperation' })
    const tasks = (Status: string) => [{ Status, StartedTimestamp: 1 }]
    for (const state of ['RUNNING', 'CANCELLING'])
      expect(await sqs(0, { refuseStart, tasks: tasks(state) }).deadLetters.startMove('dlq', 'queue')).toBe(false)
    for (const state of ['COMPLETED', 'FAILED'])
      await expect(sqs(0, { refuseStart, tasks: tasks(state) }).deadLetters.startMove('dlq', 'queue')).rejects.toThrow(
        'no',
      )
  })

  it.each([
    ['RUNNING', 'running'],
    ['CANCELLING', 'running'],
    ['COMPLETED', 'completed'],
    ['CANCELLED', 'cancelled'],
    ['FAILED', 'failed'],
  ])('that SQS calls %s is %s', async (Status, state) => {
    const task = {
      Status,
      StartedTimestamp: 7,
      ApproximateNumberOfMessagesMoved: 2,
      ApproximateNumberOfMessagesToMove: 5,
    }
    const { deadLetters } = sqs(0, { tasks: [{ ...task, FailureReason: 'why' }] })
    expect(await deadLetters.lastMove('dlq')).toEqual({ startedAt: 7, state, moved: 2, toMove: 5, why: 'why' })
  })

  it('is not there where there was none', async () => {
    expect(await sqs(0, { tasks: [] }).deadLetters.lastMove('dlq')).toBeUndefined()
  })
})

describe('what is carried', () => {
  it('is sent on, and then deleted, ten at a time', async () => {
    const { deadLetters, stored, sent } = sqs(12)
    expect(await deadLetters.carry('dlq', 'queue')).toEqual({ carried: 10 })
    expect(await deadLetters.carry('dlq', 'queue')).toEqual({ carried: 2 })
    expect(await deadLetters.carry('dlq', 'queue')).toEqual({ carried: 0 })
    expect(stored).toEqual([])
    expect(sent).toHaveLength(12)
    expect(sent[0]).toBe('queue: body of m0')
  })

  it('and is refused, stays in its queue', async () => {
    const { deadLetters, stored } = sqs(3, { refuseSend: 'body of m1' })
    expect(await deadLetters.carry('dlq', 'queue')).toEqual({ carried: 2, failed: 'Refused: why' })
    expect(stored.map(({ id }) => id)).toEqual(['m1'])
  })
})
