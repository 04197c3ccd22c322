import { S3ObjectEvent } from '../../../events/s3-object.ts'
import type { DeadLetter, DeadLetters, Move } from '../../../services/letters/dead-letters.ts'
import { refusing } from './calls.ts'
import { landfallOf } from './landfall.ts'
import { bodyOf } from './letters.ts'
import { type Message, RAW, World } from './world.ts'

/** Queues by their url, `convert`, `convert-dead`, `convert-rule`, and moves of them, so many messages at each look. */
export class MemoryDeadLetters implements DeadLetters {
  readonly queues = new Map<string, DeadLetter[]>()
  /** Told of every message that reaches a queue. */
  onSent: (queue: string, body: string) => void = () => {}
  pace = 1000
  /** How the next moves end, if not well. */
  ends: Move['state'] = 'completed'
  readonly #moves = new Map<string, Move & { to: string }>()
  #last = 0

  put(queue: string, body: string | object, more: Partial<DeadLetter> = {}): void {
    const id = `m${++this.#last}`
    const sentAt = new Date(Date.UTC(2026, 0, 1, 0, 0, this.#last)).toISOString()
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    this.#of(queue).push({ id, body: text, sentAt, receives: 5, ...more })
  }

  #of(queue: string): DeadLetter[] {
    const letters = this.queues.get(queue) ?? []
    this.queues.set(queue, letters)
    return letters
  }

  bodies = (queue: string): string[] => this.#of(queue).map(({ body }) => body)

  async peek(queue: string, most: number): Promise<DeadLetter[]> {
    return this.#of(queue)
      .slice(0, most)
      .map((letter) => ({ ...letter, receives: letter.receives++ }))
  }

  async startMove(from: string, to: string): Promise<boolean> {
    if (this.#moves.get(from)?.state === 'running') return false
    this.#moves.set(from, { startedAt: ++this.#last, state: 'running', moved: 0, toMove: this.#of(from).length, to })
    return true
  }

  async lastMove(from: string): Promise<Move | undefined> {
    const move = this.#moves.get(from)
    if (move?.state !== 'running') return move
    const now = { ...move }
    if (this.ends === 'completed') move.moved += this.#take(from, move.to, this.pace)
    if (this.ends !== 'completed') Object.assign(move, { state: this.ends, why: 'AccessDenied' })
    else if (this.#of(from).length === 0) move.state = 'completed'
    return now
  }

  async carry(from: string, to: string): Promise<{ carried: number; failed?: string }> {
    if (this.ends !== 'completed') return { carried: 0, failed: 'AccessDenied' }
    return { carried: this.#take(from, to, Math.min(10, this.pace)) }
  }

  #take(from: string, to: string, most: number): number {
    const taken = this.#of(from).splice(0, most)
    for (const { body } of taken) this.onSent(to, body)
    return taken.length
  }
}

/** A world in which no one may look at the raw zone until `allow`, what its people see of it, and its dead-letter queues. */
export function worldOfDead() {
  let deny = false
  const world = new World(
    refusing(({ name, args }) =>
      deny && name === 'head' && args[0] === RAW ? new Error('reading it is denied') : undefined,
    ),
  )
  const deadLetters = new MemoryDeadLetters()
  deadLetters.onSent = (queue, body) => {
    const event = S3ObjectEvent.safeParse(JSON.parse(body))
    if (event.success)
      world.messages.push({ to: queue as Message['to'], kind: 'object', event: event.data, receives: 0 })
  }
  const depth = async (url: string) => {
    const mine = world.messages.filter(({ to }) => to === url).length
    return { waiting: mine + (deadLetters.queues.get(url)?.length ?? 0), inFlight: 0 }
  }
  const landfall = { ...landfallOf(world), deadLetters, depth }
  return {
    world,
    deadLetters,
    landfall,
    deny: () => {
      deny = true
    },
    allow: () => {
      deny = false
    },
    /** Handles what waits, and puts what was handed out as often as a message may be where SQS puts it. */
    die: async () => {
      await world.pump()
      for (const message of world.deadLetters.splice(0)) deadLetters.put(`${message.to}-dead`, bodyOf(message))
    },
  }
}
