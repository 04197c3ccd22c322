import { EventBridge } from '@aws-sdk/client-eventbridge'
import { afterAll, describe, expect, it } from 'vitest'
import { clientConfig, localAccount, localRegion } from '../../../infra/local/runtime.ts'
import { createStack, eventually, listen, startLocal, userWith } from './support.ts'

const local = await startLocal({ LANDFALL_REPLAY_EVENT_SECONDS: '0.05' })
afterAll(() => local.stop())
const { cloudformation, eventbridge, s3 } = local

const here = `arn:aws:events:${localRegion}:${localAccount}`
const bus = `${here}:event-bus/default`
const EventSourceArn = `${here}:archive/objects`
const pattern = { source: ['aws.s3'], detail: { bucket: { name: ['raw'] }, object: { key: [{ prefix: 'data/' }] } } }
await eventbridge.createArchive({
  ArchiveName: 'objects',
  EventSourceArn: bus,
  EventPattern: JSON.stringify({ ...pattern, 'replay-name': [{ exists: false }] }),
})
await s3.createBucket({ Bucket: 'raw' })
await s3.putBucketVersioning({ Bucket: 'raw', VersioningConfiguration: { Status: 'Enabled' } })
await s3.createBucket({ Bucket: 'other' })
for (const Bucket of ['raw', 'other']) {
  const NotificationConfiguration = { EventBridgeConfiguration: {} }
  await s3.putBucketNotificationConfiguration({ Bucket, NotificationConfiguration })
}
const live = await listen(local, 'live', { ...pattern, 'replay-name': [{ exists: false }] })
const again = await listen(local, 'again', { ...pattern, 'replay-name': [{ prefix: 'again-' }] })
const both = await listen(local, 'both', { ...pattern, 'replay-name': [{ prefix: 'again-' }, { prefix: 'both-' }] })

const hour = { EventStartTime: new Date(Date.now() - 3_600_000), EventEndTime: new Date(Date.now() + 3_600_000) }
const toBus = { EventSourceArn, Destination: { Arn: bus }, ...hour }
const put = (Key: string, Bucket = 'raw') => s3.putObject({ Bucket, Key, Body: 'x' })
const archived = async () => (await eventbridge.describeArchive({ ArchiveName: 'objects' })).EventCount
const replayIn = (ReplayName: string, ...states: string[]) =>
  eventually(`the replay ${ReplayName}`, async () => {
    const replay = await eventbridge.describeReplay({ ReplayName })
    return states.includes(replay.State ?? '') ? replay : undefined
  })

describe('an archive', () => {
  it('holds the S3 events that match it, and no others', async () => {
    const { VersionId } = await put('data/a.csv')
    await put('landing/a.zip')
    await put('data/a.csv', 'other')
    expect(await live.next()).toMatchObject({ detail: { object: { key: 'data/a.csv', 'version-id': VersionId } } })
    // An event has a thread of its own: the later two may still be on their way when the first has come.
    await put('data/b.csv')
    expect((await live.next()).detail.object).toMatchObject({ key: 'data/b.csv' })
    expect(await archived()).toBe(2)
  })
})

describe('a replay', () => {
  it('gives the events to the rules as they were, with its name, and archives them no second time', async () => {
    const { VersionId } = await put('data/same.csv')
    const first = await live.next()
    const { State, ReplayArn, ReplayStartTime } = await eventbridge.startReplay({ ReplayName: 'again-1', ...toBus })
    expect({ State, ReplayArn }).toEqual({ State: 'STARTING', ReplayArn: `${here}:replay/again-1` })
    expect(ReplayStartTime).toBeInstanceOf(Date)
    const replayed = [await again.next(), await again.next(), await again.next()]
    const same = replayed.find(({ id }) => id === first.id)
    expect(same).toEqual({ ...first, 'replay-name': 'again-1' })
    expect(same?.detail.object).toMatchObject({ key: 'data/same.csv', 'version-id': VersionId })
    const replay = await replayIn('again-1', 'COMPLETED')
    expect(replay).toMatchObject({ EventSourceArn, Destination: { Arn: bus }, ...hour })
    expect(replay.EventLastReplayedTime).toEqual(new Date(first.time.replace(/\.\d+Z/, 'Z')))
    expect(replay.ReplayEndTime?.getTime()).toBeGreaterThanOrEqual(replay.ReplayStartTime?.getTime() ?? Infinity)
    expect(await archived()).toBe(3)
    for (let n = 0; n < 3; n++) await both.next()
    await put('data/marker.csv')
    expect((await live.next()).detail.object).toMatchObject({ key: 'data/marker.csv' })
  })

  it('gives them only to the rules that it names', async () => {
    const FilterArns = [`${here}:rule/both`]
    await eventbridge.startReplay({ ReplayName: 'again-2', ...toBus, Destination: { Arn: bus, FilterArns } })
    await replayIn('again-2', 'COMPLETED')
    const names = [await both.next(), await both.next(), await both.next(), await both.next()]
    expect(names.map((event) => event['replay-name'])).toEqual(Array(4).fill('again-2'))
    // Had the first rule seen them too, they would come before those of a later replay.
    await eventbridge.startReplay({ ReplayName: 'again-3', ...toBus })
    expect((await again.next())['replay-name']).toBe('again-3')
    await replayIn('again-3', 'COMPLETED')
  })

  it('takes the events from its start on and before its end', async () => {
    await put('data/last.csv')
    const { time } = await live.next()
    const second = Math.floor(Date.parse(time) / 1000) * 1000
    const EventStartTime = new Date(second)
    await eventbridge.startReplay({ ReplayName: 'both-before', ...toBus, EventEndTime: EventStartTime })
    const before = await replayIn('both-before', 'COMPLETED')
    expect(before.EventLastReplayedTime?.getTime() ?? 0).toBeLessThan(second)
    await eventbridge.startReplay({
      ReplayName: 'both-at',
      ...toBus,
      EventStartTime,
      EventEndTime: new Date(second + 1000),
    })
    expect((await replayIn('both-at', 'COMPLETED')).EventLastReplayedTime).toEqual(EventStartTime)
  })

  it('can be cancelled while it runs, and not afterwards', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, n) => put(`data/many/${n}.csv`)))
    await eventually('all of them', async () => ((await archived()) === 65 ? true : undefined))
    await eventbridge.startReplay({ ReplayName: 'long', ...toBus })
    await replayIn('long', 'RUNNING')
    expect((await eventbridge.cancelReplay({ ReplayName: 'long' })).State).toBe('CANCELLING')
    const cancelled = await replayIn('long', 'CANCELLED')
    expect(cancelled.ReplayEndTime).toBeInstanceOf(Date)
    await expect(eventbridge.cancelReplay({ ReplayName: 'long' })).rejects.toMatchObject({
      name: 'IllegalStatusException',
      message: 'Replay long is not in a valid state for this operation.',
    })
  })

  it('fails, and says why, when its bus is deleted under it', async () => {
    const { EventBusArn = '' } = await eventbridge.createEventBus({ Name: 'short-lived' })
    await eventbridge.createArchive({ ArchiveName: 'short-lived', EventSourceArn: EventBusArn })
    const Entries = Array.from({ length: 10 }, () => ({ Source: 'x', DetailType: 'x', Detail: '{}' }))
    for (let n = 0; n < 4; n++) {
      await eventbridge.putEvents({ Entries: Entries.map((entry) => ({ ...entry, EventBusName: 'short-lived' })) })
    }
    const from = { EventSourceArn: `${here}:archive/short-lived`, Destination: { Arn: EventBusArn } }
    await eventbridge.startReplay({ ReplayName: 'failing', ...hour, ...from })
    await eventbridge.deleteEventBus({ Name: 'short-lived' })
    const { StateReason } = await replayIn('failing', 'FAILED')
    expect(StateReason).toBe('Event bus short-lived does not exist.')
  })

  it.each([
    ['a name that was used before', { ReplayName: 'again-1' }, 'ResourceAlreadyExistsException', 'already exists'],
    ['a name with a blank', { ReplayName: 'a b' }, 'ValidationException', "Value 'a b' at 'replayName'"],
    [
      'a name of 65 characters',
      { ReplayName: 'a'.repeat(65) },
      'ValidationException',
      'Member must be 1 to 64 characters',
    ],
    [
      'an archive that does not exist',
      { EventSourceArn: `${here}:archive/none` },
      'ValidationException',
      'Parameter EventSourceArn is not valid. Reason: Archive none does not exist.',
    ],
    [
      'a bus that does not exist',
      { Destination: { Arn: `${here}:event-bus/none` } },
      'ResourceNotFoundException',
      'Event bus none does not exist.',
    ],
    [
      'an end that is not after the start',
      { EventEndTime: hour.EventStartTime },
      'ValidationException',
      'Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.',
    ],
  ])('is refused for %s', async (_, change, name, message) => {
    const call = eventbridge.startReplay({ ReplayName: 'refused', ...toBus, ...change })
    await expect(call).rejects.toMatchObject({ name, message: expect.stringContaining(message) })
  })

  it('is listed by a prefix, a state or its archive, and by one of these only', async () => {
    const names = async (by: object) => (await eventbridge.listReplays(by)).Replays?.map(({ ReplayName }) => ReplayName)
    expect(await names({ NamePrefix: 'again-' })).toEqual(['again-1', 'again-2', 'again-3'])
    expect(await names({ State: 'CANCELLED' })).toEqual(['long'])
    expect(await names({ EventSourceArn: `${here}:archive/short-lived` })).toEqual(['failing'])
    const { Replays, NextToken } = await eventbridge.listReplays({ EventSourceArn, Limit: 2 })
    expect(Replays?.[0]).toMatchObject({ State: 'COMPLETED', ReplayEndTime: expect.any(Date), ...hour })
    expect(await names({ EventSourceArn, Limit: 2, NextToken })).toEqual(['again-3', 'both-at'])
    await expect(eventbridge.listReplays({ EventSourceArn, NamePrefix: 'a' })).rejects.toThrow('At most one filter')
  })

  it('takes the right to its archive, its bus and itself', async () => {
    const may = async (name: string, Resource: string[]) => {
      const credentials = await userWith(local.endpoint, name, [{ Effect: 'Allow', Action: 'events:*', Resource }])
      return new EventBridge({ ...clientConfig(local.endpoint), credentials })
    }
    const all = [EventSourceArn, bus, `${here}:replay/owned-*`]
    const allowed = await may('replayer', all)
    await allowed.startReplay({ ReplayName: 'owned-1', ...toBus })
    await expect(allowed.startReplay({ ReplayName: 'foreign-1', ...toBus })).rejects.toThrow('events:StartReplay')
    expect((await allowed.cancelReplay({ ReplayName: 'owned-1' })).State).toBe('CANCELLING')
    const withoutArchive = await may('no-archive', all.slice(1))
    await expect(withoutArchive.startReplay({ ReplayName: 'owned-2', ...toBus })).rejects.toThrow('events:StartReplay')
  })
})

describe('AWS::Events::Archive', () => {
  const StackName = `a-stack-with-a-name-so-long-that-nothing-else-would-fit`
  const described = async (ArchiveName: string) => await eventbridge.describeArchive({ ArchiveName })
  const update = async (Properties: object) => {
    const TemplateBody = JSON.stringify({
      Resources: { Archive: { Type: 'AWS::Events::Archive', Properties } },
      Outputs: { Name: { Value: { Ref: 'Archive' } } },
    })
    await cloudformation.updateStack({ StackName, TemplateBody })
    const stack = await eventually('the update', async () => {
      const { Stacks = [] } = await cloudformation.describeStacks({ StackName })
      return Stacks[0]?.StackStatus?.match(/^UPDATE_(COMPLETE|ROLLBACK_COMPLETE)$/) ? Stacks[0] : undefined
    })
    return { status: stack.StackStatus, name: stack.Outputs?.[0]?.OutputValue ?? '' }
  }

  it('is created with a generated name, changed in place, and deleted with its stack', async () => {
    const Properties = { SourceArn: bus, EventPattern: { source: ['x'] }, RetentionDays: 7, Description: 'kept' }
    const { Name = '', Arn } = await createStack(
      local,
      StackName,
      { Archive: { Type: 'AWS::Events::Archive', Properties } },
      { Name: { Ref: 'Archive' }, Arn: { 'Fn::GetAtt': ['Archive', 'Arn'] } },
    )
    expect(Name).toMatch(/^[.\-_A-Za-z0-9]{1,48}$/)
    expect(Arn).toBe(`${here}:archive/${Name}`)
    expect(await described(Name)).toMatchObject({
      EventSourceArn: bus,
      EventPattern: '{"source": ["x"]}',
      RetentionDays: 7,
      Description: 'kept',
    })
    const Entries = [{ Source: 'x', DetailType: 'x', Detail: '{}' }]
    await eventbridge.putEvents({ Entries })
    expect(await update({ SourceArn: bus, EventPattern: { source: ['y'] } })).toEqual({
      status: 'UPDATE_COMPLETE',
      name: Name,
    })
    // What it holds stays, and what the template no longer says is reset.
    expect(await described(Name)).toMatchObject({ EventPattern: '{"source": ["y"]}', RetentionDays: 0, EventCount: 1 })
    const replaced = await update({ SourceArn: bus, ArchiveName: 'named' })
    expect(replaced).toEqual({ status: 'UPDATE_COMPLETE', name: 'named' })
    await expect(described(Name)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
    await cloudformation.deleteStack({ StackName })
    await eventually('the end of the archive', () =>
      described('named').then(
        () => undefined,
        (error) => error.name === 'ResourceNotFoundException' || undefined,
      ),
    )
  })

  it('is refused for a bus that does not exist, and for a name of more than 48 characters', async () => {
    const reasons = async (StackName: string, Properties: object) => {
      const create = createStack(local, StackName, { Archive: { Type: 'AWS::Events::Archive', Properties } }, {})
      await expect(create).rejects.toThrow(StackName)
      const { StackEvents = [] } = await cloudformation.describeStackEvents({ StackName })
      return StackEvents.map(({ ResourceStatusReason }) => ResourceStatusReason).join('\n')
    }
    const none = `${here}:event-bus/none`
    expect(await reasons('no-bus', { SourceArn: none })).toContain(`Event bus ${none} does not exist.`)
    const ArchiveName = 'a'.repeat(49)
    expect(await reasons('long-name', { SourceArn: bus, ArchiveName })).toContain('is not 1 to 48 of')
  })
})
