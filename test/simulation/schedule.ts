import { hasEnded } from '../../services/ledger/run.ts'
import { seeded } from '../generator/random.ts'
import type { World } from '../services/memory/world.ts'
import { type Fault, Faults } from './faults.ts'
import { People } from './people.ts'
import { broken, isBehind, unheard } from './promises.ts'
import { pick, type Random } from './random.ts'
import { Surroundings } from './surroundings.ts'
import { type Theme, themeOf } from './themes.ts'
import { MINUTE, SECOND } from './time.ts'
import { Timeline } from './timeline.ts'

/** Of simulated time, in which all must have come to rest: what is tried again each hour may meet trouble more than once. */
const PATIENCE_MS = 24 * 60 * MINUTE

export type Played = {
  seed: number
  story: string[]
  faults: Map<Fault, number>
  calls: number
  steps: number
  /** What broke. */
  wrong?: string
}

/** One schedule: what people do, and what goes wrong at which call, all of it from the seed. */
export class Schedule {
  readonly seed: number
  readonly #random: Random
  readonly #theme: Theme
  readonly #faults: Faults
  readonly #around: Surroundings
  readonly #world: World
  readonly #timeline = new Timeline()
  readonly #people: People
  #steps = 0

  /** @param isTold each call is in the story */
  constructor(seed: number, isTold = false) {
    this.seed = seed
    this.#random = seeded(seed)
    this.#theme = themeOf(this.#random)
    this.#faults = new Faults(this.#random, this.#theme)
    this.#around = new Surroundings(this.#random, this.#faults, (key) => this.#people.brokeOff(key), isTold)
    this.#world = this.#around.world
    this.#people = new People(this.#world, this.#timeline, this.#random, this.#theme.isOneFile)
    this.#around.say(`It is about ${this.#theme.name}`)
  }

  async play(): Promise<Played> {
    try {
      await this.#act()
      await this.#heal()
      return this.#played()
    } catch (error) {
      const wrong = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return { ...this.#played(), wrong }
    }
  }

  #played(): Played {
    const { story, calls } = this.#around
    return { seed: this.seed, story, faults: this.#faults.struck, calls, steps: this.#steps }
  }

  /** People do a few things, one over the other; the rest goes on meanwhile. */
  async #act(): Promise<void> {
    for (let left = 3 + this.#random(7); left > 0; left--) {
      await this.#step()
      await this.#pause([0, 0, SECOND, 20 * SECOND, 2 * MINUTE, 20 * MINUTE])
    }
    await this.#quiet()
    this.#check('after all that went wrong')
  }

  /** As the runbook says: what is in the DLQs is redriven when its cause is mended, and what failed is run again. */
  async #heal(): Promise<void> {
    this.#faults.over = true
    this.#world.glue.maxConcurrentRuns = 5
    this.#world.job.poison = undefined
    this.#around.say('all is mended')
    await this.#quiet()
    // What could not be finished is tried again each hour.
    if (this.#isQueued()) await this.#around.until(() => !this.#isQueued(), this.#around.now + 61 * MINUTE)
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
    this.#around.say(`${letters} redriven, and what failed is run again`)
    this.#check('in the end', true)
  }

  #isQueued = () => [...this.#world.table.items.values()].some(({ pk }) => pk.startsWith('QUEUE#'))

  /** A new version of the contract is seen when all is typed under it: a version that it refuses would lose the last good one's rows. */
  async #typeAgain(): Promise<void> {
    for (const key of this.#timeline.keys())
      if (this.#timeline.newest(key)?.rows === null)
        this.#around.say(`land ${this.#people.land(key, this.#people.content('good'))}`)
    await this.#quiet()
    await this.#world.rerun('typed-again')
    await this.#quiet()
  }

  #check(when: string, isLast = false): void {
    const wrong = [...broken(this.#world, this.#people, this.#faults, isLast), ...this.#around.watch.wrong]
    if (wrong.length > 0) throw new Error(`${when}:\n${wrong.join('\n')}`)
  }

  async #step(): Promise<void> {
    const people = this.#people
    const steps: Record<string, () => string | Promise<string>> = {
      land: () => people.land(),
      'land a zip': () => people.landZip(),
      'land a member by itself': () => people.landMember(),
      replay: () => people.replay(),
      'replay the zips': () => people.replay('unzip'),
      rerun: () => people.rerun(),
      withdraw: () => this.#withdraw(),
      'land by mistake': () => this.#landByMistake(),
      'change the contract': () => people.changeContract(),
    }
    const name = pick(this.#random, ['land', 'land', 'land', 'land a zip', ...this.#theme.steps, ...Object.keys(steps)])
    this.#steps++
    this.#around.say(`${name}: ${await steps[name]?.()}`)
  }

  #pause = (lengths: number[]) => this.#around.until(() => false, this.#around.now + pick(this.#random, lengths))

  /** Somebody finds out that the file was the wrong one, and as often as not lands another. */
  async #landByMistake(): Promise<string> {
    const people = this.#people
    const isZip = this.#random(3) > 0
    const key = isZip ? people.zipKey() : people.csvKey()
    const land = () => (isZip ? people.landZip(key, 2) : people.land(key))
    const first = await land()
    await this.#pause([SECOND, 20 * SECOND, 2 * MINUTE])
    this.#withdraw(key)
    await this.#pause([SECOND, 20 * SECOND, 2 * MINUTE])
    return this.#random(2) === 0 ? first : `${first}, then ${await land()}`
  }

  #withdraw(key = this.#people.withdrawable()): string {
    if (key === undefined) return 'nothing'
    this.#around.start(`withdraw ${key}`, 60 * MINUTE, { withdraws: key }, () => this.#people.withdraw(key))
    return key
  }

  /** Until nothing is at work, no run is open and nothing is held. */
  async #quiet(): Promise<void> {
    const deadline = this.#around.now + PATIENCE_MS
    const rests = () =>
      this.#around.isStill &&
      this.#world.runs().every(({ state }) => hasEnded(state)) &&
      unheard(this.#world).length === 0 &&
      !isBehind(this.#world)
    if (await this.#around.until(rests, deadline)) return
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
}
