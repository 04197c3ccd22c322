import { AsyncLocalStorage } from 'node:async_hooks'
import { hearing } from '../services/memory/calls.ts'
import { Clock } from '../services/memory/clock.ts'
import type { Wrap } from '../services/memory/world.ts'

/** How a process ended: by itself, by what it threw, or because it was killed, when not even its `finally` ran. */
export type Outcome = { how: 'done' } | { how: 'threw'; error: unknown } | { how: 'killed' }

/** What happens to one call: `lost`: it took effect, its answer did not come; `twice`: the SDK sent it again, and answers of that. */
export type Mishap = { kind: 'refused' | 'lost' | 'twice'; error: Error }

export type Turn = {
  process: Process
  /** `PutCommand`, `startJob`, … */
  call: string
  /** Of what it is, for people. */
  about: string
  /** @param answer after how many milliseconds it gets the answer */
  perform: (mishap?: Mishap, answerMs?: number) => Promise<void>
}

export type Process = {
  name: string
  /** By how much its clock is wrong, in milliseconds. */
  skew: number
  /** When AWS kills it, in epoch milliseconds. */
  deadline: number
  alive: boolean
  /** Calls that wait for their turn. */
  turns: Set<Turn>
  /** Sleeps, and answers that are on their way: when, in epoch milliseconds, and what then. */
  timers: Set<{ at: number; ring: () => void }>
}

const nameOf = (method: string, [command]: unknown[]) =>
  method === 'send' ? (command as object).constructor.name.replace(/Command$/, '') : method

function aboutOf([command, ...more]: unknown[]): string {
  const { input } = command as { input?: Record<string, unknown> }
  if (!input) return JSON.stringify([command, ...more])
  const { Bucket, Key, Item, TransactItems, UpdateExpression, ExpressionAttributeValues } = input
  if (typeof Bucket === 'string') return `${Bucket}/${Key ?? input.Prefix ?? JSON.stringify(input.Delete)}`
  return JSON.stringify(TransactItems ?? [Key ?? Item, UpdateExpression, ExpressionAttributeValues])
}

/** Whatever runs at the same time, one call to AWS at a time, in an order that someone else chooses. */
export class Processes {
  readonly all = new Set<Process>()
  readonly clock: Clock
  readonly #ended: (process: Process, outcome: Outcome) => void
  readonly #storage = new AsyncLocalStorage<Process>()

  constructor(ended: (process: Process, outcome: Outcome) => void) {
    this.#ended = ended
    const current = () => this.current
    this.clock = new (class extends Clock {
      override now = () => new Date(this.ms + (current()?.skew ?? 0))
      override sleep = async (ms: number) => {
        const process = current()
        if (!process) return void this.advance(ms)
        await new Promise<void>((ring) => process.timers.add({ at: this.ms + ms, ring }))
      }
    })()
  }

  /** Whose code runs now. */
  get current(): Process | undefined {
    return this.#storage.getStore()
  }

  start(name: string, limitMs: number, skew: number, work: () => Promise<unknown>): Process {
    const process: Process = {
      name,
      skew,
      deadline: this.clock.ms + limitMs,
      alive: true,
      turns: new Set(),
      timers: new Set(),
    }
    this.all.add(process)
    const end = (outcome: Outcome) => {
      if (this.all.delete(process)) this.#ended(process, outcome)
    }
    this.#storage.run(process, () => {
      work().then(
        () => end({ how: 'done' }),
        (error: unknown) => end({ how: 'threw', error }),
      )
    })
    return process
  }

  /** From here on it does nothing any more: whatever it waits for never comes. */
  kill(process: Process): void {
    process.alive = false
    process.turns.clear()
    process.timers.clear()
    if (this.all.delete(process)) this.#ended(process, { how: 'killed' })
  }

  /** Every call of a process to what is wrapped waits for its turn. Others' calls go through. */
  readonly wrap: Wrap = hearing(({ name, args, make }) => {
    const process = this.current
    return process ? this.#wait(process, { call: nameOf(name, args), about: aboutOf(args) }, make) : make()
  })

  #wait(process: Process, what: Pick<Turn, 'call' | 'about'>, make: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // Of one that was killed nothing runs on.
      if (!process.alive) return
      const turn: Turn = {
        process,
        ...what,
        perform: async (mishap, answerMs = 0) => {
          process.turns.delete(turn)
          const answer = await this.#answer(make, mishap)
          const give = () => ('error' in answer ? reject(answer.error) : resolve(answer.value))
          if (!process.alive) return
          if (answerMs === 0) give()
          else process.timers.add({ at: this.clock.ms + answerMs, ring: give })
        },
      }
      process.turns.add(turn)
    })
  }

  async #answer(make: () => unknown, mishap?: Mishap): Promise<{ value: unknown } | { error: unknown }> {
    if (mishap?.kind === 'refused') return { error: mishap.error }
    try {
      const value = await make()
      if (mishap?.kind === 'twice') return { value: await make() }
      return mishap?.kind === 'lost' ? { error: mishap.error } : { value }
    } catch (error) {
      return { error }
    }
  }

  turns = (): Turn[] => [...this.all].flatMap(({ turns }) => [...turns])

  /** Rings what is due, and kills who is over time. @returns when the next thing is due, if any is */
  tick(): number | undefined {
    let next: number | undefined
    for (const process of [...this.all]) {
      if (process.deadline <= this.clock.ms) {
        this.kill(process)
        continue
      }
      for (const timer of [...process.timers]) {
        if (timer.at <= this.clock.ms) {
          process.timers.delete(timer)
          timer.ring()
        } else next = Math.min(next ?? Number.POSITIVE_INFINITY, timer.at)
      }
      next = Math.min(next ?? Number.POSITIVE_INFINITY, process.deadline)
    }
    return next
  }

  /** When this returns, every process waits for a turn or a timer, or has ended: nothing here uses real time. */
  settle = () => new Promise<void>((resolve) => setImmediate(resolve))
}
