import { backoff, MAX_RECEIVES } from '../../services/lambda/receives.ts'
import { hasEnded } from '../../services/ledger/run.ts'
import { seeded } from '../generator/random.ts'
import type { JobEnd } from '../services/memory/glue.ts'
import { contract, DELIVERY, type Message, PROCESSING, RAW, STAGING, World } from '../services/memory/world.ts'
import { errorOf, type Fault, Faults } from './faults.ts'
import { People } from './people.ts'
import { type Mishap, type Outcome, type Process, Processes, type Turn } from './processes.ts'
import { broken, isBehind, unheard } from './promises.ts'
import { pick, type Random } from './random.ts'
import { Timeline } from './timeline.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
/** As the functions are deployed. */
const FUNCTION_MS = 5 * MINUTE
const VISIBILITY_MS = 6 * MINUTE
/** Messages of a stage that are handled at the same time. */
const AT_ONCE = 2
/** Of simulated time, in which all must have come to rest once nothing goes wrong any more. */
const PATIENCE_MS = 4 * 60 * MINUTE

/** What each role may list, as the rights say. */
const LISTS: Record<string, string[]> = {
  unzip: [RAW, PROCESSING, DELIVERY],
  convert: [RAW, STAGING, PROCESSING],
  partition: [RAW, STAGING, PROCESSING, DELIVERY],
  catalog: [DELIVERY],
}

type Queued = { at: number; message: Message }
type Job = {
  at: number
  id: string
  stage: 'convert' | 'partition'
  manifest: string
  fate: 'ok' | 'dies' | 'dies after'
}

export type Played = {
  seed: number
  story: string[]
  faults: Map<Fault, number>
  calls: number
  steps: number
  wrong?: string
}

/** One schedule: what people do, and what goes wrong at which call, all of it from the seed. */
export class Schedule {
  readonly seed: number
  readonly #isTold: boolean
  readonly story: string[] = []
  readonly #random: Random
  readonly #faults: Faults
  readonly #processes: Processes
  readonly #world: World
  readonly #timeline = new Timeline()
  readonly #people: People
  readonly #queue: Queued[] = []
  readonly #jobs: Job[] = []
  /** What each process has of a queue, or does for a person. */
  readonly #work = new Map<Process, Message | { withdraws: string } | 'sweep'>()
  readonly #slots: { at: number; id: string }[] = []
  #crawlEndsAt: number | undefined
  #sweepAt = MINUTE
  #calls = 0
  #steps = 0

  /** @param isTold each call is in the story */
  constructor(seed: number, isTold = false) {
    this.#isTold = isTold
    this.seed = seed
    this.#random = seeded(seed)
    this.#faults = new Faults(this.#random)
    this.#processes = new Processes((process, outcome) => this.#ended(process, outcome))
    const { clock, wrap } = this.#processes
    this.#world = new World((port) => ('startJob' in port ? wrap(port) : port), undefined, contract, {
      clock,
      clients: wrap,
      mayList: (bucket) => this.#mayList(bucket),
    })
    this.#people = new People(this.#world, this.#timeline, this.#random)
    this.#sweepAt = clock.ms + MINUTE
    this.#world.job.parts = 2
    if (this.#faults.has('Glue has one slot, and frees it late')) this.#world.glue.maxConcurrentRuns = 1
  }

  async play(): Promise<Played> {
    try {
      await this.#act()
      await this.#heal()
      return this.#played()
    } catch (error) {
      return { ...this.#played(), wrong: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
  }

  #played(): Played {
    const { seed, story } = this
    return { seed, story, faults: this.#faults.struck, calls: this.#calls, steps: this.#steps }
  }

  /** People do a few things, one over the other; the rest goes on meanwhile. */
  async #act(): Promise<void> {
    for (let left = 3 + this.#random(7); left > 0; left--) {
      await this.#step()
      const pause = pick(this.#random, [0, 0, SECOND, 20 * SECOND, 2 * MINUTE, 20 * MINUTE])
      await this.#until(() => false, this.#now + pause)
    }
    await this.#quiet()
    this.#check('after all that went wrong')
  }

  /** As the runbook says: what is in the DLQs is redriven when its cause is mended, and what failed is run again. */
  async #heal(): Promise<void> {
    this.#faults.over = true
    this.#world.glue.maxConcurrentRuns = 5
    this.#world.job.poison = undefined
    this.#say('all is mended')
    await this.#quiet()
    // What could not be finished is tried again each hour.
    if (this.#isQueued()) await this.#until(() => !this.#isQueued(), this.#now + 61 * MINUTE)
    await this.#quiet()
    this.#timeline.mend()
    for (const key of this.#people.halfOut()) this.#withdraw(key)
    await this.#quiet()
    const letters = this.#world.deadLetters.length
    this.#world.redrive()
    await this.#quiet()
    for (const prefix of ['landing/sales/', 'data/sales/']) {
      await this.#world.rerun(`mended-${prefix.slice(0, 4)}`, { only: ['failed'] }, prefix)
      await this.#quiet()
    }
    if (this.#people.version > 1) await this.#typeAgain()
    this.#say(`${letters} redriven, and what failed is run again`)
    this.#check('in the end', true)
  }

  #isQueued = () => [...this.#world.table.items.values()].some(({ pk }) => pk.startsWith('QUEUE#'))

  /** A new version of the contract is seen when all is typed under it: a version that it refuses would lose the last good one's rows. */
  async #typeAgain(): Promise<void> {
    for (const key of this.#timeline.keys())
      if (this.#timeline.newest(key)?.rows === null)
        this.#say(`land ${this.#people.land(key, this.#people.content('good'))}`)
    await this.#quiet()
    await this.#world.rerun('typed-again')
    await this.#quiet()
  }

  #check(when: string, isLast = false): void {
    const wrong = broken(this.#world, this.#people, isLast)
    if (wrong.length > 0) throw new Error(`${when}:\n${wrong.join('\n')}`)
  }

  async #step(): Promise<void> {
    const people = this.#people
    const steps: Record<string, () => string | Promise<string>> = {
      land: () => people.land(pick(this.#random, ['data/sales/a.csv', 'data/sales/b.csv', 'data/sales/c.csv'])),
      'land a zip': () => people.landZip(),
      'land a member by itself': () => people.landMember(),
      replay: () => people.replay(),
      rerun: () => people.rerun(),
      withdraw: () => this.#withdraw(),
      'change the contract': () => people.changeContract(),
    }
    const name = pick(this.#random, ['land', 'land', 'land', 'land a zip', ...Object.keys(steps)])
    this.#steps++
    this.#say(`${name}: ${await steps[name]?.()}`)
  }

  #withdraw(key = this.#people.withdrawable()): string {
    if (key === undefined) return 'nothing'
    this.#start(`withdraw ${key}`, 60 * MINUTE, { withdraws: key }, () => this.#people.withdraw(key))
    return key
  }

  /** Until nothing is at work, no run is open and nothing is held. */
  async #quiet(): Promise<void> {
    const deadline = this.#now + PATIENCE_MS
    const rests = () =>
      this.#processes.all.size === 0 &&
      this.#queue.length === 0 &&
      this.#world.messages.length === 0 &&
      this.#crawlEndsAt === undefined &&
      this.#world.idle() &&
      this.#world.runs().every(({ state }) => hasEnded(state)) &&
      unheard(this.#world).length === 0 &&
      !isBehind(this.#world)
    if (await this.#until(rests, deadline)) return
    const open = this.#world.runs().filter(({ state }) => !hasEnded(state))
    const held = [...this.#world.table.items.values()].filter(
      ({ pk, sk }) => pk.startsWith('QUEUE#') || (pk.startsWith('RERUN#') && sk === 'OPEN'),
    )
    const lines = [
      ...open.map(({ key, versionId, cause, state }) => `${key} ${versionId} (${cause}) is ${state}`),
      ...unheard(this.#world).map(({ key, versionId }) => `${key} ${versionId} has no run`),
      ...held.map((item) => JSON.stringify(item)),
    ]
    throw new Error(`Not at rest after ${PATIENCE_MS / MINUTE} minutes:\n${lines.join('\n')}`)
  }

  /** @returns whether `reached` was, before the time was over */
  async #until(reached: () => boolean, deadline: number): Promise<boolean> {
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
        this.#world.clock.advance(this.#random(40))
        continue
      }
      if (reached()) return true
      // What is due and did not begin waits for someone who is at work.
      const later = this.#times().filter((time) => time > this.#now)
      const at = Math.min(next ?? Number.POSITIVE_INFINITY, ...later)
      if (at >= deadline) {
        this.#world.clock.ms = Math.max(this.#now, deadline)
        return false
      }
      this.#world.clock.ms = Math.max(this.#now, at)
    }
  }

  get #now(): number {
    return this.#world.clock.ms
  }

  #times(): number[] {
    const queued = this.#queue.map(({ at }) => at)
    const jobs = this.#jobs.map(({ at }) => at)
    return [
      ...queued,
      ...jobs,
      ...this.#slots.map(({ at }) => at),
      this.#crawlEndsAt ?? Number.POSITIVE_INFINITY,
      this.#sweepAt,
    ]
  }

  /** What may begin now. */
  #due(): (() => void)[] {
    const now = this.#now
    const due: (() => void)[] = []
    const busy = (stage: string) =>
      [...this.#work.values()].filter((work) => typeof work === 'object' && 'to' in work && work.to === stage).length
    for (const queued of this.#queue)
      if (queued.at <= now && busy(queued.message.to) < AT_ONCE) due.push(() => this.#handle(queued))
    for (const job of this.#jobs) if (job.at <= now) due.push(() => this.#endJob(job))
    for (const slot of this.#slots) if (slot.at <= now) due.push(() => this.#freeSlot(slot))
    if (this.#crawlEndsAt !== undefined && this.#crawlEndsAt <= now) due.push(() => this.#endCrawl())
    if (this.#sweepAt <= now && ![...this.#work.values()].includes('sweep')) due.push(() => this.#sweep())
    return due
  }

  /** Events on their way to a queue; and jobs and crawls that have been started. */
  #takeIn(): void {
    for (const message of this.#world.messages.splice(0)) {
      if (this.#isLost(message)) continue
      this.#enqueue(message)
      if (this.#faults.strikes('an event comes twice')) this.#enqueue({ ...message })
      if (message.kind === 'object' && this.#faults.strikes('an event comes hours later again'))
        this.#queue.push({ at: this.#now + this.#random(120) * MINUTE, message: { ...message } })
    }
    const known = new Set(this.#jobs.map(({ id }) => id))
    for (const { id, job, manifest } of this.#world.glue.running)
      if (!known.has(id)) this.#begin(id, job as Job['stage'], manifest)
    if (this.#world.glue.crawler === 'RUNNING') this.#crawlEndsAt ??= this.#now + (5 + this.#random(60)) * SECOND
  }

  #isLost(message: Message): boolean {
    if (message.kind === 'job') return this.#faults.strikes("a job's end is not heard")
    if (message.kind === 'crawl') return this.#faults.strikes("a crawl's end is not heard")
    if (message.kind !== 'object' || message.event['replay-name']) return false
    if (message.to === 'unzip' || message.to === 'convert')
      return this.#faults.strikes('the event of a landing is lost')
    if (message.to === 'partition') return this.#faults.strikes('the event of a parquet is lost')
    if (message.to === 'catalog') return this.#faults.strikes('the event of a delivery is lost')
    return false
  }

  #enqueue(message: Message): void {
    const late = this.#faults.strikes('an event comes late') ? this.#random(15) * MINUTE : this.#random(500)
    this.#queue.push({ at: this.#now + late, message })
  }

  #handle(queued: Queued): void {
    const { message } = queued
    this.#queue.splice(this.#queue.indexOf(queued), 1)
    message.receives++
    this.#start(`${message.to} ${nameOf(message)}`, FUNCTION_MS, message, () => this.#world.work(message))
  }

  #sweep(): void {
    this.#sweepAt = this.#now + MINUTE
    this.#start('sweep', FUNCTION_MS, 'sweep', async () => {
      for (const { stage, did } of await this.#world.sweep()) this.#say(`  the sweep, ${stage}: ${did}`)
    })
  }

  #start(
    name: string,
    limitMs: number,
    work: Message | { withdraws: string } | 'sweep',
    run: () => Promise<unknown>,
  ): void {
    const skew = this.#faults.has('clocks differ by up to half a minute') ? this.#random(60_000) - 30_000 : 0
    this.#work.set(this.#processes.start(name, limitMs, skew, run), work)
  }

  #ended(process: Process, outcome: Outcome): void {
    const work = this.#work.get(process)
    this.#work.delete(process)
    if (outcome.how !== 'done') {
      const why = outcome.how === 'threw' ? String(outcome.error).slice(0, 200) : 'killed'
      this.#say(`  ${process.name}: ${why}`)
    }
    if (work === undefined || work === 'sweep' || outcome.how === 'done') return
    if ('withdraws' in work) {
      this.#people.brokeOff(work.withdraws)
      return
    }
    if (work.receives >= MAX_RECEIVES) {
      this.#say(`  ${process.name}: into the DLQ`)
      this.#world.deadLetters.push(work)
      return
    }
    const wait = outcome.how === 'killed' ? VISIBILITY_MS : backoff(work.receives) * SECOND
    this.#queue.push({ at: this.#now + wait, message: work })
  }

  async #turn(turn: Turn): Promise<void> {
    this.#calls++
    const { process, call } = turn
    if (this.#isTold) this.#say(`    ${process.name}: ${call} ${turn.about}`)
    if (this.#faults.strikes('a process is killed at a call')) {
      const isAfter = this.#random(2) === 0
      this.#say(`  ${process.name}: is killed ${isAfter ? 'after' : 'before'} ${call}`)
      if (isAfter) await turn.perform()
      this.#processes.kill(process)
      return
    }
    const mishap = this.#mishap(turn)
    if (mishap) this.#say(`  ${process.name}: ${call} is ${mishap.kind}`)
    const isPersons = process.name.startsWith('withdraw')
    const stall = isPersons ? "a person's laptop sleeps for minutes" : 'a process stalls for minutes'
    const stalls = this.#faults.strikes(stall) ? this.#random(12) * MINUTE : 0
    if (stalls > 0) this.#say(`  ${process.name}: stalls for ${stalls / MINUTE} minutes after ${call}`)
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

  #begin(id: string, stage: Job['stage'], manifest: string): void {
    const long = this.#faults.strikes('a job takes longer than its lease') ? 12 * MINUTE : 0
    const at = this.#now + long + (20 + this.#random(90)) * SECOND
    const fate = this.#faults.strikes('a job dies before its report')
      ? 'dies'
      : this.#faults.strikes('a job dies after its report')
        ? 'dies after'
        : 'ok'
    this.#jobs.push({ at, id, stage, manifest, fate })
    if (this.#faults.strikes("a job's end is heard before Glue knows"))
      this.#queue.push({ at: at - SECOND, message: { to: stage, kind: 'job', id, receives: 0 } })
  }

  #endJob(job: Job): void {
    const { id, stage, manifest, fate } = job
    this.#jobs.splice(this.#jobs.indexOf(job), 1)
    const lies = this.#faults.strikes('a job lies about its rows')
    const wrote = fate !== 'dies' && this.#world.job.run(manifest, lies ? lying : undefined)
    if (wrote && this.#faults.strikes('someone overwrites what a job staged')) this.#overwrite(manifest)
    const how: JobEnd = wrote && fate === 'ok' ? 'SUCCEEDED' : 'FAILED'
    this.#say(`  ${stage} job ${id}: ${how}${lies ? ', and lies' : ''}`)
    const holds = this.#faults.has('Glue has one slot, and frees it late')
    this.#world.endJob(id, stage, how)
    if (!holds) return
    this.#world.glue.end(id, how, undefined, 'held')
    this.#slots.push({ at: this.#now + this.#random(20) * SECOND, id })
  }

  #freeSlot(slot: { at: number; id: string }): void {
    this.#slots.splice(this.#slots.indexOf(slot), 1)
    this.#world.glue.free(slot.id)
  }

  #overwrite(manifest: string): void {
    const folder = manifest.replace(/^s3:\/\/[^/]+\//, '').replace(/manifest\.json$/, '')
    const keys = this.#world.objects.keys(STAGING, folder).filter((key) => !key.endsWith('.json'))
    if (keys.length > 0) this.#world.objects.put(STAGING, pick(this.#random, keys), 'Mars,999')
  }

  #endCrawl(): void {
    this.#crawlEndsAt = undefined
    this.#world.endCrawl()
    if (this.#faults.strikes('a crawler is stopping for a minute')) this.#world.glue.endCrawl(MINUTE)
  }

  #mayList(bucket: string): boolean {
    const role = /^\w+/.exec(this.#processes.current?.name ?? '')?.[0] ?? ''
    return LISTS[role]?.includes(bucket) ?? true
  }

  #say(words: string): void {
    const minutes = (this.#now - Date.parse('2026-01-01T00:00:00Z')) / MINUTE
    this.story.push(`${minutes.toFixed(2).padStart(8)} ${words}`)
  }
}

/** It says of one object less that it made it, or of one row more that it read it. */
function lying<R extends { rowsIn: number; parts: unknown[] }>(report: R): R {
  return report.parts.length > 1
    ? { ...report, parts: report.parts.slice(1) }
    : { ...report, rowsIn: report.rowsIn + 1 }
}

function nameOf(message: Message): string {
  if (message.kind === 'object') {
    const { object } = message.event.detail
    return `${message.event['detail-type'] === 'Object Created' ? '' : 'deleted '}${object.key} ${object['version-id'] ?? ''} ${message.event['replay-name'] ?? ''}`
  }
  if (message.kind === 'rerun') return `${message.arrival.key} ${message.arrival.cause}`
  return message.kind === 'job' ? `job ${message.id}` : 'crawl'
}
