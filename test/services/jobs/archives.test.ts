import {
  type EventBridgeClient,
  IllegalStatusException,
  LimitExceededException,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
} from '@aws-sdk/client-eventbridge'
import { describe, expect, it } from 'vitest'
import { EventBridgeArchives } from '../../../services/jobs/archives.ts'

const ARN = 'arn:aws:events:eu-central-1:111122223333:archive/objects'
const BUS = 'arn:aws:events:eu-central-1:111122223333:event-bus/default'

type Call = { input: Record<string, unknown>; constructor: { name: string } }
type Answers = Record<string, (input: Record<string, unknown>) => unknown>

/** EventBridge's archive, as far as its answers go. */
function archives(answers: Answers) {
  const all: Answers = { DescribeArchiveCommand: () => ({ EventSourceArn: BUS }), ...answers }
  const calls: [string, Record<string, unknown>][] = []
  const send = async ({ input, constructor: { name } }: Call) => {
    calls.push([name, input])
    return all[name]?.(input)
  }
  return { archives: new EventBridgeArchives({ send } as unknown as EventBridgeClient, ARN), calls }
}
const fail =
  (Kind: new (options: { message: string; $metadata: object }) => Error): (() => never) =>
  () => {
    throw new Kind({ message: 'said by AWS', $metadata: {} })
  }

const asked = {
  name: 'convert-1',
  from: new Date('2026-01-01T00:00:00Z'),
  to: new Date('2026-01-01T01:00:00Z'),
  rule: 'arn:rule',
  description: 'why',
}

describe('the archive', () => {
  it('is replayed to the bus that it is of, and to one rule of that', async () => {
    const { archives: archive, calls } = archives({ StartReplayCommand: () => ({ State: 'STARTING' }) })
    expect(await archive.start(asked)).toBe(true)
    expect(calls).toEqual([
      ['DescribeArchiveCommand', { ArchiveName: 'objects' }],
      [
        'StartReplayCommand',
        {
          ReplayName: 'convert-1',
          Description: 'why',
          EventSourceArn: ARN,
          EventStartTime: asked.from,
          EventEndTime: asked.to,
          Destination: { Arn: BUS, FilterArns: ['arn:rule'] },
        },
      ],
    ])
  })

  it.each([
    ['as many are at work as AWS runs, is told so', LimitExceededException, false],
    ['EventBridge had heard it at the first attempt, has started', ResourceAlreadyExistsException, true],
  ])('where %s', async (_, Kind, started) => {
    expect(await archives({ StartReplayCommand: fail(Kind) }).archives.start(asked)).toBe(started)
  })

  it('throws what else AWS says', async () => {
    const { archives: archive } = archives({ StartReplayCommand: fail(ResourceNotFoundException) })
    await expect(archive.start(asked)).rejects.toThrow('said by AWS')
  })

  it('says how long it keeps events; 0 days is for good', async () => {
    const CreationTime = new Date('2026-01-01T00:00:00Z')
    const kept = (RetentionDays: number) =>
      archives({ DescribeArchiveCommand: () => ({ CreationTime, RetentionDays }) }).archives.kept()
    expect(await kept(90)).toEqual({ createdAt: '2026-01-01T00:00:00.000Z', retentionDays: 90 })
    expect(await kept(0)).toEqual({ createdAt: '2026-01-01T00:00:00.000Z' })
  })
})

describe('replays', () => {
  const said = (name: string, minute: number) => ({
    ReplayName: name,
    EventSourceArn: ARN,
    State: 'COMPLETED',
    EventStartTime: asked.from,
    EventEndTime: asked.to,
    ReplayStartTime: new Date(Date.UTC(2026, 0, 1, 2, minute)),
  })

  it('are listed by the archive over all pages, newest first', async () => {
    const pages: Record<string, unknown> = {
      first: { Replays: [said('b-1', 1), said('a-3', 3)], NextToken: 'second' },
      second: { Replays: [said('c-2', 2)] },
    }
    const { archives: archive, calls } = archives({
      ListReplaysCommand: ({ NextToken }) => pages[String(NextToken ?? 'first')],
    })
    expect((await archive.replays()).map(({ name }) => name)).toEqual(['a-3', 'c-2', 'b-1'])
    expect(calls.map(([, input]) => input)).toEqual([
      { EventSourceArn: ARN, NextToken: undefined },
      { EventSourceArn: ARN, NextToken: 'second' },
    ])
  })

  it('are told one by one, in the words of the ledger', async () => {
    const { archives: archive } = archives({
      DescribeReplayCommand: () => ({
        ...said('convert-1', 1),
        State: 'FAILED',
        StateReason: 'why',
        EventLastReplayedTime: asked.from,
        ReplayEndTime: asked.to,
      }),
    })
    expect(await archive.replay('convert-1')).toEqual({
      name: 'convert-1',
      state: 'failed',
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-01-01T01:00:00.000Z',
      startedAt: '2026-01-01T02:01:00.000Z',
      endedAt: '2026-01-01T01:00:00.000Z',
      lastReplayed: '2026-01-01T00:00:00.000Z',
      why: 'why',
    })
  })

  it('of another archive, and such as there are none of, are none', async () => {
    const other = { ...said('convert-1', 1), EventSourceArn: `${ARN}-2` }
    expect(await archives({ DescribeReplayCommand: () => other }).archives.replay('convert-1')).toBeUndefined()
    const none = archives({ DescribeReplayCommand: fail(ResourceNotFoundException) })
    expect(await none.archives.replay('convert-1')).toBeUndefined()
  })

  it('are cancelled unless they have ended', async () => {
    expect(await archives({ CancelReplayCommand: () => ({}) }).archives.cancel('convert-1')).toBe(true)
    const ended = archives({ CancelReplayCommand: fail(IllegalStatusException) })
    expect(await ended.archives.cancel('convert-1')).toBe(false)
  })
})
