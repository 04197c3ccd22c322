import { queuePk, slotKey } from '../../services/ledger/queue.ts'
import type { World } from '../services/memory/world.ts'
import type { Fault, Faults } from './faults.ts'

/** After these, a job may be at work of which its dispatcher does not know. */
const START_UNKNOWN: Fault[] = ['the answer to a call is lost', 'a call is sent twice']
/** After these, what someone held stays held until its lease is over. */
const HELD_ON: Fault[] = [
  'a call is refused: throttled, a conflict, 5xx',
  ...START_UNKNOWN,
  'a process is killed at a call',
  'a process stalls for minutes',
  'a function dies three times before it tells what it published',
  'a zip kills its function',
  'S3 refuses one object for hours',
]
const FULL: Fault = 'Glue has one slot, and frees it late'
const STAGES = ['convert', 'partition'] as const

/**
 * What must hold at any time, where nothing has gone wrong that would excuse it: nothing is held that nobody works on, nothing
 * waits that could go, and no two jobs do the same. The sweep and the leases would mend each of it, only later.
 */
export class Watch {
  readonly wrong = new Set<string>()
  readonly #world: World
  readonly #faults: Faults

  constructor(world: World, faults: Faults) {
    this.#world = world
    this.#faults = faults
  }

  #isFree = (of: Fault[]) => !of.some((fault) => this.#faults.of.has(fault))

  /** Jobs that have been started. */
  begun(ids: string[]): void {
    if (ids.length === 0 || !this.#isFree(START_UNKNOWN)) return
    const { running } = this.#world.glue
    for (const stage of STAGES) {
      const atWork = running.filter(({ job }) => job === stage)
      if (atWork.length > 1)
        this.wrong.add(`${atWork.map(({ id }) => id).join(' and ')} of ${stage} are at work at once`)
    }
  }

  /** Nobody is at work. */
  rests(): void {
    if (!this.#isFree(HELD_ON)) return
    for (const stage of STAGES) {
      const queue = { stage, dataset: 'sales' }
      const { pk, sk } = slotKey(queue)
      const slot = this.#world.table.items.get(`${pk}\n${sk}`)
      if (!slot && this.#isFree([FULL]) && this.#waits(queuePk(queue)))
        this.wrong.add(`runs wait for ${stage}, and nobody starts a job for them`)
      if (slot && !this.#world.glue.jobs.some(({ manifest }) => manifest === slot.manifest))
        this.wrong.add(`${slot.batch} holds the slot of ${stage}, and has no job`)
    }
  }

  #waits(of: string): boolean {
    const now = this.#world.clock.ms
    return [...this.#world.table.items.values()].some(
      ({ pk, sk, notBefore }) => pk === of && sk !== 'SLOT' && !(Number(notBefore ?? 0) > now),
    )
  }
}
