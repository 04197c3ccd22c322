import { addressedStage, STAGES, type Stage } from '../../../events/replay.ts'
import type { Archives, Replay, StartReplay } from '../../../services/jobs/archives.ts'
import { landfallOf } from './landfall.ts'
import type { Message, World } from './world.ts'

const ACTIVE = ['starting', 'running', 'cancelling']

export const ruleOf = (stage: Stage) => `arn:${stage}`

/** EventBridge as people use it: replays go on by each look at them, and only the rule that is named, and hears them, gets events. */
export class MemoryArchives implements Archives {
  createdAt = '2025-06-01T00:00:00.000Z'
  retentionDays: number | undefined = 90
  most = 10
  /** Events that are replayed between two looks. */
  pace = Number.POSITIVE_INFINITY
  readonly started: StartReplay[] = []
  readonly #world: World
  readonly #replays = new Map<string, Replay & { left: Message[] }>()

  constructor(world: World) {
    this.#world = world
  }

  async kept() {
    return { createdAt: this.createdAt, ...(this.retentionDays && { retentionDays: this.retentionDays }) }
  }

  async start(replay: StartReplay): Promise<boolean> {
    const { name, from, to, rule } = replay
    if (!/^[.\-_A-Za-z0-9]{1,64}$/.test(name) || from >= to || this.#replays.has(name)) throw new Error(`Not ${name}`)
    if ([...this.#replays.values()].filter(({ state }) => ACTIVE.includes(state)).length >= this.most) return false
    this.started.push(replay)
    const hears = STAGES.find((stage) => ruleOf(stage) === rule && stage === addressedStage(name))
    this.#put(name, from, to, hears)
    return true
  }

  /** As a person does in the console, to all rules. */
  byHand(name: string, startedAt = this.#world.clock.now()): void {
    this.#put(name, new Date(0), this.#world.clock.now(), addressedStage(name), startedAt)
  }

  #put(name: string, from: Date, to: Date, hears?: Stage, startedAt = this.#world.clock.now()) {
    const left = this.#world.archive
      .filter(({ event }) => Date.parse(event.time) >= from.getTime() && Date.parse(event.time) < to.getTime())
      .filter((entry) => entry.to === hears)
      .map(({ to, event }): Message => ({ to, kind: 'object', event: { ...event, 'replay-name': name }, receives: 0 }))
    const times = { from: from.toISOString(), to: to.toISOString(), startedAt: startedAt.toISOString() }
    this.#replays.set(name, { name, state: 'starting', ...times, left })
  }

  async replay(name: string): Promise<Replay | undefined> {
    const replay = this.#replays.get(name)
    if (!replay) return undefined
    const now = said(replay)
    if (replay.state === 'cancelling') replay.state = 'cancelled'
    else if (ACTIVE.includes(replay.state)) {
      for (const message of replay.left.splice(0, this.pace)) {
        this.#world.messages.push(message)
        if (message.kind === 'object') replay.lastReplayed = message.event.time
      }
      replay.state = replay.left.length > 0 ? 'running' : 'completed'
    }
    return now
  }

  replays = async (): Promise<Replay[]> => [...this.#replays.values()].map(said).reverse()

  async cancel(name: string) {
    const replay = this.#replays.get(name)
    if (!replay || !ACTIVE.includes(replay.state)) return false
    replay.state = 'cancelling'
    return true
  }

  /** To its end, as time goes by. */
  async run(name: string): Promise<void> {
    while (ACTIVE.includes((await this.replay(name))?.state ?? '')) {}
  }
}

const said = ({ left: _, ...replay }: Replay & { left: Message[] }): Replay => ({ ...replay })

/** What people see of a world of which the archive's events can be replayed: its queues are as deep as they are. */
export function replayable(world: World) {
  let inFlight = 0
  const handle = world.handle.bind(world)
  world.handle = async (message) => {
    inFlight++
    try {
      await handle(message)
    } finally {
      inFlight--
    }
  }
  const depth = async (url: string) => ({ waiting: world.messages.filter(({ to }) => to === url).length, inFlight })
  const archives = new MemoryArchives(world)
  return { ...landfallOf(world), archives, depth, depthLag: 20 }
}
