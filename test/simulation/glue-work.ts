import type { JobEnd } from '../services/memory/glue.ts'
import { type Message, STAGING, type World } from '../services/memory/world.ts'
import { type Faults, lying } from './faults.ts'
import { pick, type Random } from './random.ts'
import { MINUTE, SECOND } from './time.ts'

type Job = {
  at: number
  id: string
  stage: 'convert' | 'partition'
  manifest: string
  fate: 'ok' | 'dies' | 'dies after'
}

export type GlueAround = {
  world: World
  random: Random
  faults: Faults
  say: (words: string) => void
  /** Has a message come at this time. */
  tell: (at: number, message: Message) => void
}

/** What Glue does by itself with the jobs and crawls that were started, and what goes wrong there. */
export class GlueWork {
  readonly #around: GlueAround
  readonly #jobs: Job[] = []
  readonly #slots: { at: number; id: string }[] = []
  #crawlEndsAt: number | undefined

  constructor(around: GlueAround) {
    this.#around = around
    around.world.job.parts = 2
    if (around.faults.has('Glue has one slot, and frees it late')) around.world.glue.maxConcurrentRuns = 1
  }

  get isCrawling(): boolean {
    return this.#crawlEndsAt !== undefined
  }

  /** When something is due, in epoch milliseconds. */
  times = (): number[] => [
    ...this.#jobs.map(({ at }) => at),
    ...this.#slots.map(({ at }) => at),
    this.#crawlEndsAt ?? Number.POSITIVE_INFINITY,
  ]

  due(): (() => void)[] {
    const now = this.#now
    const crawl = this.#crawlEndsAt !== undefined && this.#crawlEndsAt <= now
    return [
      ...this.#jobs.filter(({ at }) => at <= now).map((job) => () => this.#endJob(job)),
      ...this.#slots.filter(({ at }) => at <= now).map((slot) => () => this.#freeSlot(slot)),
      ...(crawl ? [() => this.#endCrawl()] : []),
    ]
  }

  get #now(): number {
    return this.#around.world.clock.ms
  }

  /** Takes in what has been started. @returns the jobs among it */
  takeIn(): string[] {
    const { world, random } = this.#around
    const known = new Set(this.#jobs.map(({ id }) => id))
    const begun = world.glue.running.filter(({ id }) => !known.has(id))
    for (const { id, job, manifest } of begun) this.#begin(id, job as Job['stage'], manifest)
    if (world.glue.crawler === 'RUNNING') this.#crawlEndsAt ??= this.#now + (5 + random(60)) * SECOND
    return begun.map(({ id }) => id)
  }

  #begin(id: string, stage: Job['stage'], manifest: string): void {
    const { random, faults, tell } = this.#around
    const long = faults.strikes('a job takes longer than its lease') ? 12 * MINUTE : 0
    const at = this.#now + long + (20 + random(90)) * SECOND
    const fate = faults.strikes('a job dies before its report')
      ? 'dies'
      : faults.strikes('a job dies after its report')
        ? 'dies after'
        : 'ok'
    this.#jobs.push({ at, id, stage, manifest, fate })
    if (faults.strikes("a job's end is heard before Glue knows"))
      tell(at - SECOND, { to: stage, kind: 'job', id, receives: 0 })
  }

  #endJob(job: Job): void {
    const { world, random, faults, say } = this.#around
    const { id, stage, manifest, fate } = job
    this.#jobs.splice(this.#jobs.indexOf(job), 1)
    const lies = faults.strikes('a job lies about its rows')
    const wrote = fate !== 'dies' && world.job.run(manifest, lies ? lying : undefined)
    if (wrote && faults.strikes('someone overwrites what a job staged')) this.#overwrite(manifest)
    const how: JobEnd = wrote && fate === 'ok' ? 'SUCCEEDED' : 'FAILED'
    say(`  ${stage} job ${id}: ${how}${lies ? ', and lies' : ''}`)
    const holds = faults.has('Glue has one slot, and frees it late')
    world.endJob(id, stage, how)
    if (!holds) return
    world.glue.end(id, how, undefined, 'held')
    this.#slots.push({ at: this.#now + random(20) * SECOND, id })
  }

  #freeSlot(slot: { at: number; id: string }): void {
    this.#slots.splice(this.#slots.indexOf(slot), 1)
    this.#around.world.glue.free(slot.id)
  }

  #overwrite(manifest: string): void {
    const { objects } = this.#around.world
    const folder = manifest.replace(/^s3:\/\/[^/]+\//, '').replace(/manifest\.json$/, '')
    const keys = objects.keys(STAGING, folder).filter((key) => !key.endsWith('.json'))
    if (keys.length > 0) objects.put(STAGING, pick(this.#around.random, keys), 'Mars,999')
  }

  #endCrawl(): void {
    const { world, faults } = this.#around
    this.#crawlEndsAt = undefined
    world.endCrawl()
    if (faults.strikes('a crawler is stopping for a minute')) world.glue.endCrawl(MINUTE)
  }
}
