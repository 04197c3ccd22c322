import { DELIVERY, type Message, PROCESSING, RAW, type World } from '../services/memory/world.ts'
import type { Faults } from './faults.ts'
import { pick, type Random } from './random.ts'

/** What does not pass by itself, until somebody mends it. */
export class Lasting {
  readonly #world: World
  readonly #faults: Faults
  readonly #random: Random
  /** Of each version of a zip that was read: the call at which it kills its function, if it does. */
  readonly #deadly = new Map<string, string | undefined>()
  /** Where S3 takes no copy: an object of the delivery zone, or a source's folder of the processing zone. */
  #closed: string | undefined

  constructor(world: World, faults: Faults, random: Random) {
    this.#world = world
    this.#faults = faults
    this.#random = random
  }

  /** Whether a function dies of the zip that it was given, whenever it comes to this call. */
  kills({ to, ...message }: Message, call: string): boolean {
    if (to !== 'unzip' || !this.#faults.has('a zip kills its function')) return false
    const zip = this.#zipOf(message as Message)
    if (!this.#deadly.has(zip)) {
      const isDeadly = this.#faults.strikes('a zip kills its function')
      this.#deadly.set(
        zip,
        isDeadly ? pick(this.#random, ['GetObject', 'UploadPart', 'CompleteMultipartUpload']) : undefined,
      )
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
