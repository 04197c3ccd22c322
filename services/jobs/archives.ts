import {
  CancelReplayCommand,
  DescribeArchiveCommand,
  DescribeReplayCommand,
  type EventBridgeClient,
  IllegalStatusException,
  LimitExceededException,
  ListReplaysCommand,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  type Replay as Said,
  StartReplayCommand,
} from '@aws-sdk/client-eventbridge'

export type ReplayProgress = 'starting' | 'running' | 'cancelling' | 'completed' | 'cancelled' | 'failed'

/** One replay of the archive. Instants are ISO 8601. */
export type Replay = {
  name: string
  state: ReplayProgress
  from: string
  to: string
  startedAt?: string
  endedAt?: string
  /** The time of the event that was replayed last: how far it has come in its window. */
  lastReplayed?: string
  why?: string
}

export type StartReplay = {
  name: string
  from: Date
  to: Date
  /** ARN of the one rule that gets the events. */
  rule: string
  description: string
}

/** The archive of the zones' object events, and the replays of it. */
export interface Archives {
  /** `retentionDays` is absent where events are kept for good. */
  kept(): Promise<{ createdAt?: string; retentionDays?: number }>
  /** False where as many replays are at work as AWS runs at once. */
  start(replay: StartReplay): Promise<boolean>
  replay(name: string): Promise<Replay | undefined>
  /** Newest first. */
  replays(): Promise<Replay[]>
  /** False for one that has ended. */
  cancel(name: string): Promise<boolean>
}

/** @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html */
export class EventBridgeArchives implements Archives {
  readonly #client: EventBridgeClient
  readonly #arn: string

  constructor(client: EventBridgeClient, archiveArn: string) {
    this.#client = client
    this.#arn = archiveArn
  }

  async #describe() {
    const ArchiveName = this.#arn.slice(this.#arn.lastIndexOf('/') + 1)
    return await this.#client.send(new DescribeArchiveCommand({ ArchiveName }))
  }

  async kept() {
    const { CreationTime, RetentionDays } = await this.#describe()
    // 0 is how EventBridge says "for good".
    return {
      ...(CreationTime && { createdAt: CreationTime.toISOString() }),
      ...(RetentionDays && { retentionDays: RetentionDays }),
    }
  }

  async start({ name, from, to, rule, description }: StartReplay): Promise<boolean> {
    // A replay goes to the bus that its archive is of, and to no other.
    const { EventSourceArn: bus } = await this.#describe()
    try {
      await this.#client.send(
        new StartReplayCommand({
          ReplayName: name,
          Description: description,
          EventSourceArn: this.#arn,
          EventStartTime: from,
          EventEndTime: to,
          Destination: { Arn: bus, FilterArns: [rule] },
        }),
      )
      return true
    } catch (error) {
      if (error instanceof LimitExceededException) return false
      // No two replays get one name: the SDK has tried again what had been heard at first.
      if (error instanceof ResourceAlreadyExistsException) return true
      throw error
    }
  }

  async replay(name: string): Promise<Replay | undefined> {
    try {
      const said = await this.#client.send(new DescribeReplayCommand({ ReplayName: name }))
      // Names are the account's: one of another archive is none of ours.
      return said.EventSourceArn === this.#arn ? replayOf(said) : undefined
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined
      throw error
    }
  }

  async replays(): Promise<Replay[]> {
    const found: Replay[] = []
    let NextToken: string | undefined
    do {
      const page = await this.#client.send(new ListReplaysCommand({ EventSourceArn: this.#arn, NextToken }))
      found.push(...(page.Replays ?? []).map(replayOf))
      NextToken = page.NextToken
    } while (NextToken)
    return found.sort((a, b) => ((a.startedAt ?? '') < (b.startedAt ?? '') ? 1 : -1))
  }

  async cancel(name: string): Promise<boolean> {
    try {
      await this.#client.send(new CancelReplayCommand({ ReplayName: name }))
      return true
    } catch (error) {
      if (error instanceof IllegalStatusException) return false
      throw error
    }
  }
}

function replayOf(said: Said): Replay {
  const { ReplayName: name = '', State = 'STARTING', EventStartTime, EventEndTime, StateReason: why } = said
  const { ReplayStartTime, ReplayEndTime, EventLastReplayedTime } = said
  return {
    name,
    state: State.toLowerCase() as ReplayProgress,
    from: EventStartTime?.toISOString() ?? '',
    to: EventEndTime?.toISOString() ?? '',
    ...(ReplayStartTime && { startedAt: ReplayStartTime.toISOString() }),
    ...(ReplayEndTime && { endedAt: ReplayEndTime.toISOString() }),
    ...(EventLastReplayedTime && { lastReplayed: EventLastReplayedTime.toISOString() }),
    ...(why && { why }),
  }
}
