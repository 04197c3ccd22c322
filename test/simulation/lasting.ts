import { DELIVERY, type Message, PROCESSING, RAW, type World } from '../services/memory/world.ts'
import type { Fault, Faults } from './faults.ts'
import { pick, type Random } from './random.ts'

/** As visibility timeouts, longer together than any other message is tried. */
const DEATHS = 3
/** Calls of an extraction, the last of which shows a member. */
const READS = ['GetObject', 'UploadPart', 'CompleteMultipartUpload', 'CompleteMultipartUpload']
const SILENCED: Fault = 'a function dies three times before it tells what it published'

/** What does not pass by itself, until somebody mends it. */
export class Lasting {
  readonly #world: World
  readonly #faults: Faults
  readonly #random: Random
  /** Of each version of a zip that was read: the call at which it kills its function, if it does. */
  readonly #deadly = new Map<string, string | undefined>()
  /** Of each run: how often whoever would tell of what it has published dies before. */
  readonly #dumb = new Map<string, number>()
  /** Where S3 takes no copy: an object of the delivery zone, or a source's folder of the processing zone. */
  #closed: string | undefined

  constructor(world: World, faults: Faults, random: Random) {
    this.#world = world
    this.#faults = faults
    this.#random = random
  }

  /** Whether a function dies before it tells the ledger of what it has published of a run. */
  silences(call: string, about: string): boolean {
    if (call !== 'TransactWrite' || !this.#faults.has(SILENCED)) return false
    const [, run] = /"(?:processingRows|deliveredRows)".*?"Key":\{"pk":"[^"]*","sk":"RUN#(\w+)"/.exec(about) ?? []
    if (run === undefined) return false
    const left = this.#dumb.get(run) ?? (this.#faults.strikes(SILENCED) ? DEATHS : 0)
    this.#dumb.set(run, Math.max(0, left - 1))
    return left > 0
  }

  /** Whether a function dies of the zip that it was given, whenever it has made this call. */
  kills(message: Message, call: string): boolean {
    if (message.to !== 'unzip' || !this.#faults.has('a zip kills its function')) return false
    const zip = this.#zipOf(message)
    if (!this.#deadly.has(zip)) {
      const isDeadly = this.#faults.strikes('a zip kills its function')
      this.#deadly.set(zip, isDeadly ? pick(this.#random, READS) : undefined)
    }
    return this.#deadly.get(zip) === call
  }

  #zipOf(message: Message): string {
    if (message.kind === 'object')
      return `${message.event.detail.object.key} ${message.event.detail.object['version-id']}`
    if (message.kind !== 'rerun') return ''
    const { key } = message.arrival
    return `${key} ${this.#world.objects.read(RAW, key)?.versionId}`
  }

  /** @param about `bucket/key` of the copy */
  refuses(call: string, about: string): boolean {
    if (call !== 'CopyObject' || !this.#faults.has('S3 refuses one object for hours')) return false
    const isTyped = about.startsWith(`${PROCESSING}/`)
    if (!isTyped && !about.startsWith(`${DELIVERY}/`)) return false
    if (this.#closed === undefined && this.#faults.strikes('S3 refuses one object for hours'))
      this.#closed = isTyped ? about.split('/').slice(0, 4).join('/') : about
    return this.#closed !== undefined && about.startsWith(this.#closed)
  }
}
