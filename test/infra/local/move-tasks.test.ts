import { SQS } from '@aws-sdk/client-sqs'
import { afterAll, describe, expect, it } from 'vitest'
import { clientConfig, localAccount, localRegion } from '../../../infra/local/runtime.ts'
import { eventually, startLocal, userWith } from './support.ts'

const local = await startLocal()
afterAll(() => local.stop())
const { sqs } = local

const arnOf = (name: string) => `arn:aws:sqs:${localRegion}:${localAccount}:${name}`
async function queue(QueueName: string, deadLetters?: string) {
  const redrive = { deadLetterTargetArn: arnOf(deadLetters ?? ''), maxReceiveCount: 1 }
  const Attributes = deadLetters ? { RedrivePolicy: JSON.stringify(redrive) } : {}
  const { QueueUrl = '' } = await sqs.createQueue({ QueueName, Attributes })
  return QueueUrl
}

/** A queue, its dead-letter queue, and as many messages in the latter, each received once in the former. */
async function withDeadLetters(name: string, bodies: string[]) {
  const deadLetters = await queue(`${name}-dlq`)
  const source = await queue(name, `${name}-dlq`)
  for (const MessageBody of bodies) {
    const MessageAttributes = { kind: { DataType: 'String', StringValue: `kind of ${MessageBody}` } }
    await sqs.sendMessage({ QueueUrl: source, MessageBody, MessageAttributes })
  }
  await fail(source)
  return { source, deadLetters, SourceArn: arnOf(`${name}-dlq`) }
}
async function fail(QueueUrl: string) {
  const receive = () => sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0 })
  while ((await receive()).Messages) {}
}
async function received(QueueUrl: string) {
  const { Messages = [] } = await sqs.receiveMessage({
    QueueUrl,
    MaxNumberOfMessages: 10,
    MessageAttributeNames: ['All'],
    MessageSystemAttributeNames: ['All'],
  })
  return Messages
}
const tasks = async (SourceArn: string, MaxResults?: number) =>
  (await sqs.listMessageMoveTasks({ SourceArn, MaxResults })).Results ?? []
const ended = (SourceArn: string) =>
  eventually(`the task of ${SourceArn}`, async () => {
    const [task] = await tasks(SourceArn)
    return task?.Status?.match(/RUNNING|CANCELLING/) ? undefined : task
  })

describe('a message move task', () => {
  it('moves each message back to the queue that it came from, as new and with its attributes', async () => {
    const one = await withDeadLetters('one', ['a', 'b'])
    const two = await queue('two', 'one-dlq')
    await sqs.sendMessage({ QueueUrl: two, MessageBody: 'c' })
    await fail(two)
    const dead = await received(one.deadLetters)
    expect(dead).toHaveLength(3)
    for (const { ReceiptHandle } of dead) {
      await sqs.changeMessageVisibility({ QueueUrl: one.deadLetters, ReceiptHandle, VisibilityTimeout: 0 })
    }
    const before = Date.now()
    const { TaskHandle } = await sqs.startMessageMoveTask({ SourceArn: one.SourceArn })
    expect(TaskHandle).toMatch(/./)
    const task = await ended(one.SourceArn)
    expect(task).toEqual({
      Status: 'COMPLETED',
      SourceArn: one.SourceArn,
      ApproximateNumberOfMessagesMoved: 3,
      ApproximateNumberOfMessagesToMove: 3,
      StartedTimestamp: expect.any(Number),
    })
    expect(task.StartedTimestamp).toBeGreaterThanOrEqual(before)
    const back = await received(one.source)
    expect(back.map(({ Body }) => Body)).toEqual(['a', 'b'])
    expect(back[0]?.Attributes).toMatchObject({ ApproximateReceiveCount: '1' })
    expect(back[0]?.Attributes).not.toHaveProperty('DeadLetterQueueSourceArn')
    expect(Number(back[0]?.Attributes?.SentTimestamp)).toBeGreaterThanOrEqual(before)
    expect(back[0]?.MessageAttributes).toEqual({ kind: { DataType: 'String', StringValue: 'kind of a' } })
    expect(dead.map(({ MessageId }) => MessageId)).not.toContain(back[0]?.MessageId)
    expect((await received(two)).map(({ Body }) => Body)).toEqual(['c'])
    expect(await received(one.deadLetters)).toEqual([])
  })

  it('moves to another queue when told so, also what nobody dead-lettered', async () => {
    const { SourceArn, deadLetters, source } = await withDeadLetters('other', ['a'])
    await sqs.sendMessage({ QueueUrl: deadLetters, MessageBody: 'sent there' })
    const target = await queue('target')
    const DestinationArn = arnOf('target')
    await sqs.startMessageMoveTask({ SourceArn, DestinationArn })
    expect(await ended(SourceArn)).toMatchObject({ Status: 'COMPLETED', DestinationArn })
    expect((await received(target)).map(({ Body }) => Body)).toEqual(['a', 'sent there'])
    expect(await received(source)).toEqual([])
  })

  it('keeps the group of a FIFO message and numbers it anew', async () => {
    const Attributes = { FifoQueue: 'true', ContentBasedDeduplication: 'true' }
    await sqs.createQueue({ QueueName: 'dead.fifo', Attributes })
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf('dead.fifo'), maxReceiveCount: 1 })
    const { QueueUrl = '' } = await sqs.createQueue({
      QueueName: 'a.fifo',
      Attributes: { ...Attributes, RedrivePolicy },
    })
    await sqs.sendMessage({ QueueUrl, MessageBody: 'a', MessageGroupId: 'group' })
    await fail(QueueUrl)
    await sqs.startMessageMoveTask({ SourceArn: arnOf('dead.fifo') })
    expect(await ended(arnOf('dead.fifo'))).toMatchObject({ Status: 'COMPLETED' })
    const [message] = await received(QueueUrl)
    expect(message).toMatchObject({ Body: 'a', Attributes: { MessageGroupId: 'group', ApproximateReceiveCount: '1' } })
    expect(message?.Attributes?.SequenceNumber).toBe('2'.padStart(20, '0'))
  })

  it('fails for a message that was sent to the dead-letter queue, if it has no destination, and leaves it', async () => {
    const { SourceArn, deadLetters } = await withDeadLetters('direct', [])
    await sqs.sendMessage({ QueueUrl: deadLetters, MessageBody: 'sent there' })
    await sqs.startMessageMoveTask({ SourceArn })
    const failed = {
      Status: 'FAILED',
      FailureReason: 'CouldNotDetermineMessageSource',
      ApproximateNumberOfMessagesMoved: 0,
    }
    expect(await ended(SourceArn)).toMatchObject(failed)
    expect(await received(deadLetters)).toHaveLength(1)
  })

  it('keeps to its rate, is the only one of its queue, and can be cancelled while it runs', async () => {
    const bodies = Array.from({ length: 10 }, (_, n) => String(n))
    const { SourceArn, source, deadLetters } = await withDeadLetters('slow', bodies)
    const started = Date.now()
    const { TaskHandle } = await sqs.startMessageMoveTask({ SourceArn, MaxNumberOfMessagesPerSecond: 4 })
    await eventually('two of them', async () =>
      ((await tasks(SourceArn))[0]?.ApproximateNumberOfMessagesMoved ?? 0) >= 2 ? true : undefined,
    )
    expect(Date.now() - started).toBeGreaterThanOrEqual(490)
    expect((await tasks(SourceArn))[0]).toMatchObject({
      Status: 'RUNNING',
      TaskHandle,
      MaxNumberOfMessagesPerSecond: 4,
    })
    await expect(sqs.startMessageMoveTask({ SourceArn })).rejects.toThrow('There is already a task running')
    const { ApproximateNumberOfMessagesMoved: moved = 0 } = await sqs.cancelMessageMoveTask({ TaskHandle })
    expect(await ended(SourceArn)).toMatchObject({ Status: 'CANCELLED', ApproximateNumberOfMessagesMoved: moved })
    expect((await received(source)).length + (await received(deadLetters)).length).toBe(10)
    await expect(sqs.cancelMessageMoveTask({ TaskHandle })).rejects.toMatchObject({ name: 'UnsupportedOperation' })
  })

  it.each([
    [
      'a queue that is nobody’s dead-letter queue',
      'target',
      {},
      'InvalidParameterValue',
      'configured as a Dead Letter',
    ],
    ['a queue that does not exist', 'none', {}, 'ResourceNotFoundException', 'the SourceArn parameter'],
    [
      'a destination that does not exist',
      'direct-dlq',
      { DestinationArn: arnOf('none') },
      'ResourceNotFoundException',
      'the DestinationArn parameter',
    ],
    [
      'the queue as its own destination',
      'direct-dlq',
      { DestinationArn: arnOf('direct-dlq') },
      'InvalidParameterValue',
      'cannot be the same',
    ],
    [
      'more than 500 messages a second',
      'direct-dlq',
      { MaxNumberOfMessagesPerSecond: 501 },
      'InvalidParameterValue',
      'between 1 and 500',
    ],
  ])('is refused for %s', async (_, name, more, error, message) => {
    const call = sqs.startMessageMoveTask({ SourceArn: arnOf(name), ...more })
    await expect(call).rejects.toMatchObject({ name: error, message: expect.stringContaining(message) })
  })

  it('lists the tasks of a queue, newest first', async () => {
    const SourceArn = arnOf('other-dlq')
    await sqs.startMessageMoveTask({ SourceArn })
    await ended(SourceArn)
    expect((await tasks(SourceArn)).map(({ DestinationArn }) => DestinationArn)).toEqual([undefined])
    const both = (await tasks(SourceArn, 10)).map(({ DestinationArn }) => DestinationArn)
    expect(both).toEqual([undefined, arnOf('target')])
    await expect(sqs.cancelMessageMoveTask({ TaskHandle: 'none' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  it('takes the rights to move: on the dead-letter queue, and to send to where the messages go', async () => {
    const { SourceArn } = await withDeadLetters('owned', ['a'])
    const actions = ['StartMessageMoveTask', 'ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes']
    const may = async (name: string, ...more: object[]) => {
      const Action = actions.map((action) => `sqs:${action}`)
      const credentials = await userWith(local.endpoint, name, [
        { Effect: 'Allow', Action, Resource: SourceArn },
        ...more,
      ])
      return new SQS({ ...clientConfig(local.endpoint), credentials })
    }
    const denied = (await may('no-sender')).startMessageMoveTask({ SourceArn })
    await expect(denied).rejects.toThrow(`sqs:SendMessage on ${arnOf('owned')}`)
    const send = { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: arnOf('owned') }
    await (await may('redriver', send)).startMessageMoveTask({ SourceArn })
    expect(await ended(SourceArn)).toMatchObject({ Status: 'COMPLETED', ApproximateNumberOfMessagesMoved: 1 })
    await expect((await may('other', send)).listMessageMoveTasks({ SourceArn })).rejects.toMatchObject({
      name: expect.stringContaining('AccessDenied'),
    })
  })
})
