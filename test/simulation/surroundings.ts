import { backoff, MAX_RECEIVES } from '../../services/lambda/receives.ts'
import { FOUND } from '../../services/sweep/landings.ts'
import { contract, DELIVERY, type Message, PROCESSING, RAW, STAGING, World } from '../services/memory/world.ts'
import { denied, errorOf, type Faults } from './faults.ts'
import { GlueWork } from './glue-work.ts'
import { Lasting } from './lasting.ts'
import { type Mishap, type Outcome, type Process, Processes, type Turn } from './processes.ts'
import type { Random } from './random.ts'
import { MINUTE, SECOND } from './time.ts'
import { Watch } from './watch.ts'

/** As the functions are deployed. */
const FUNCTION_MS = 5 * MINUTE
const VISIBILITY_MS = 6 * MINUTE
/** Messages of a stage that are handled at the same time. */
const AT_ONCE = 2
/** What changes S3: between it and what tells the ledger a death is worst. */
const WRITES = /^(CopyObject|CompleteMultipartUpload|DeleteObjects?)$/
/** What each role may list, as the rights say. */
const LISTS: Record<string, string[]> = {
  unzip: [RAW, PROCESSING, DELIVERY],
  convert: [RAW, STAGING, PROCESSING],
  partition: [RAW, STAGING, PROCESSING, DELIVERY],
  catalog: [DELIVERY],
}

type Queued = { at: number; message: Message }
/** What a process has of a queue, or does for a person. */
type Work = Message | { withdraws: string } | 'sweep'

/** All that goes on by itself around a world: queues, functions, jobs, the crawler, the sweep, the time; and what goes wrong there. */
export class Surroundings {
  readonly world: World
  /** What was wrong in the meantime. */
  readonly watch: Watch
  readonly story: string[] = []
  calls = 0
  readonly #isTold: boolean
  readonly #random: Random
  readonly #faults: Faults
  readonly #brokeOff: (key: string) => void
  readonly #processes: Processes
  readonly #queue: Queued[] = []
  readonly #glue: GlueWork
  readonly #lasting: Lasting
  readonly #work = new Map<Process, Work>()
  #sweepAt: number

  /**
   * @param brokeOff is told of a withdrawal that did not come to its end
   * @param isTold each call is in the story
   */
  constructor(random: Random, faults: Faults, brokeOff: (key: string) => void, isTold: boolean) {
    this.#random = random
    this.#faults = faults
    this.#brokeOff = brokeOff
    this.#isTold = isTold
    this.#processes = new Processes((process, outcome) => this.#ended(process, outcome))
    const { clock, wrap } = this.#processes
    this.world = new World((port) => ('startJob' in port ? wrap(port) : port), undefined, contract, {
      clock,
      clients: wrap,
      mayList: (bucket) => this.#mayList(bucket),
    })
    this.#sweepAt = clock.ms + MINUTE
    this.#lasting = new Lasting(this.world, faults, random)
    this.watch = new Watch(this.world, faults)
    this.#glue = new GlueWork({
      world: this.world,
      random,
      faults,
      say: (words) => this.say(words),
      tell: (at, message) => void this.#queue.push({ at, message }),
    })
  }

  /** Whether nobody is at work, and nothing on its way. */
  get isStill(): boolean {
    const { world } = this
    const isIdle = this.#processes.all.size === 0 && this.#queue.length === 0 && world.messages.length === 0
    return isIdle && !this.#glue.isCrawling && world.idle()
  }

  /** @returns whether `reached` was, before the time was over */
  async until(reached: () => boolean, deadline: number): Promise<boolean> {
    for (;;) {
      await this.#processes.settle()
      this.#takeIn()
      const next = this.#processes.tick()
      const turns = this.#processes.turns()
      const due = this.#due()
      if (turns.length > 0 || due.length > 0) {
        // Work goes on rather than that new work begins, but not always.
        const i = this.#random(turns.length * 3 + due.length)
        if (i < turns.length * 3) await this.#turn(turns[Math.floor(i / 3)] as Turn)
        else due[i - turns.length * 3]?.()
        this.world.clock.advance(this.#random(40))
        continue
      }
      if (this.#processes.all.size === 0) this.watch.rests()
      if (reached()) return true
      // What is due and did not begin waits for someone who is at work.
      const later = this.#times().filter((time) => time > this.now)
      const at = Math.min(next ?? Number.POSITIVE_INFINITY, ...later)
      if (at >= deadline) {
        this.world.clock.ms = Math.max(this.now, deadline)
        return false
      }
      this.world.clock.ms = Math.max(this.now, at)
    }
  }

  /** Epoch milliseconds. */
  get now(): number {
    return this.world.clock.ms
  }

  #times = (): number[] => [...this.#queue.map(({ at }) => at), ...this.#glue.times(), this.#sweepAt]

  /** What may begin now. */
  #due(): (() => void)[] {
    const now = this.now
    const due: (() => void)[] = []
    const busy = (stage: string) =>
      [...this.#work.values()].filter((work) => typeof work === 'object' && 'to' in work && work.to === stage).length
    for (const queued of this.#queue)
      if (queued.at <= now && busy(queued.message.to) < AT_ONCE) due.push(() => this.#handle(queued))
    due.push(...this.#glue.due())
    if (this.#sweepAt <= now && ![...this.#work.values()].includes('sweep')) due.push(() => this.#sweep())
    return due
  }

  /** Events on their way to a queue; and jobs and crawls that have been started. */
  #takeIn(): void {
    for (const message of this.world.messages.splice(0)) {
      if (this.#isLost(message)) continue
      this.#enqueue(message)
      if (this.#faults.strikes('an event comes twice')) this.#enqueue({ ...message })
      if (message.kind === 'object' && this.#faults.strikes('an event comes hours later again'))
        this.#queue.push({ at: this.now + this.#random(120) * MINUTE, message: { ...message } })
    }
    this.watch.begun(this.#glue.takeIn())
  }

  #isLost(message: Message): boolean {
    if (message.kind === 'job') return this.#faults.strikes("a job's end is not heard")
    if (message.kind === 'crawl') return this.#faults.strikes("a crawl's end is not heard")
    if (message.kind !== 'object' || message.event['replay-name']) return false
    // It is a message to a queue, and no event of S3's.
    if (message.event.detail.reason === FOUND) return false
    if (message.to === 'unzip' || message.to === 'convert')
      return this.#faults.strikes('the event of a landing is lost')
    if (message.to === 'partition') return this.#faults.strikes('the event of a parquet is lost')
    if (message.to === 'catalog') return this.#faults.strikes('the event of a delivery is lost')
    return false
  }

  #enqueue(message: Message): void {
    const late = this.#faults.strikes('an event comes late') ? this.#random(15) * MINUTE : this.#random(500)
    this.#queue.push({ at: this.now + late, message })
  }

  #handle(queued: Queued): void {
    const { message } = queued
    this.#queue.splice(this.#queue.indexOf(queued), 1)
    message.receives++
    this.start(`${message.to} ${nameOf(message)}`, FUNCTION_MS, message, () => this.world.work(message))
  }

  #sweep(): void {
    this.#sweepAt = this.now + MINUTE
    this.start('sweep', FUNCTION_MS, 'sweep', async () => {
      for (const { stage, did } of await this.world.sweep()) this.say(`  the sweep, ${stage}: ${did}`)
    })
  }

  start(name: string, limitMs: number, work: Work, run: () => Promise<unknown>): void {
    const skew = this.#faults.has('clocks differ by up to half a minute') ? this.#random(60_000) - 30_000 : 0
    this.#work.set(this.#processes.start(name, limitMs, skew, run), work)
  }

  #ended(process: Process, outcome: Outcome): void {
    const work = this.#work.get(process)
    this.#work.delete(process)
    if (outcome.how !== 'done') {
      const why = outcome.how === 'threw' ? String(outcome.error).slice(0, 200) : 'killed'
      this.say(`  ${process.name}: ${why}`)
    }
    if (work === undefined || work === 'sweep' || outcome.how === 'done') return
    if ('withdraws' in work) {
      this.#brokeOff(work.withdraws)
      return
    }
    if (work.receives >= MAX_RECEIVES) {
      this.say(`  ${process.name}: into the DLQ`)
      this.world.deadLetters.push(work)
      return
    }
    const wait = outcome.how === 'killed' ? VISIBILITY_MS : backoff(work.receives) * SECOND
    this.#queue.push({ at: this.now + wait, message: work })
  }

  async #turn(turn: Turn): Promise<void> {
    this.calls++
    const { process, call } = turn
    if (this.#isTold) this.say(`    ${process.name}: ${call} ${turn.about}`)
    const work = this.#work.get(process)
    if (typeof work === 'object' && 'to' in work && this.#lasting.kills(work, call)) {
      this.say(`  ${process.name}: the zip kills it after ${call}`)
      await turn.perform()
      this.#processes.kill(process)
      return
    }
    if (this.#lasting.silences(call, turn.about)) {
      this.say(`  ${process.name}: dies before it tells what it published`)
      this.#processes.kill(process)
      return
    }
    if (this.#faults.strikes('a process is killed at a call', WRITES.test(call) ? 5 : 1)) {
      const isAfter = this.#random(2) === 0
      this.say(`  ${process.name}: is killed ${isAfter ? 'after' : 'before'} ${call}`)
      if (isAfter) await turn.perform()
      this.#processes.kill(process)
      return
    }
    const mishap: Mishap | undefined = this.#lasting.refuses(call, turn.about)
      ? { kind: 'refused', error: denied() }
      : this.#mishap(turn)
    if (mishap) this.say(`  ${process.name}: ${call} is ${mishap.kind}`)
    const isPersons = process.name.startsWith('withdraw')
    const stall = isPersons ? "a person's laptop sleeps for minutes" : 'a process stalls for minutes'
    // A laptop may be shut for longer than any function lives.
    const longest = isPersons ? 40 : 12
    const stalls = this.#faults.strikes(stall) ? this.#random(longest) * MINUTE : 0
    if (stalls > 0) this.say(`  ${process.name}: stalls for ${stalls / MINUTE} minutes after ${call}`)
    await turn.perform(mishap, stalls)
  }

  #mishap({ call }: Turn): Mishap | undefined {
    const error = () => errorOf(call, this.#random)
    if (this.#faults.strikes('a call is refused: throttled, a conflict, 5xx'))
      return { kind: 'refused', error: error() }
    if (this.#faults.strikes('the answer to a call is lost')) return { kind: 'lost', error: error() }
    if (call !== 'GetObject' && this.#faults.strikes('a call is sent twice')) return { kind: 'twice', error: error() }
    return undefined
  }

  #mayList(bucket: string): boolean {
    const role = /^\w+/.exec(this.#processes.current?.name ?? '')?.[0] ?? ''
    return LISTS[role]?.includes(bucket) ?? true
  }

  say(words: string): void {
    const minutes = (this.now - Date.parse('2026-01-01T00:00:00Z')) / MINUTE
    this.story.push(`${minutes.toFixed(2).padStart(8)} ${words}`)
  }
}

function nameOf(message: Message): string {
  if (message.kind === 'object') {
    const { object } = message.event.detail
    return `${message.event['detail-type'] === 'Object Created' ? '' : 'deleted '}${object.key} ${object['version-id'] ?? ''} ${message.event['replay-name'] ?? ''}`
  }
  if (message.kind === 'rerun') return `${message.arrival.key} ${message.arrival.cause}`
  return message.kind === 'job' ? `job ${message.id}` : 'crawl'
}
