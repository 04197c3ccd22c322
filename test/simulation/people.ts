import { memberFolderOf } from '../../services/ledger/ids.ts'
import { hasEnded } from '../../services/ledger/run.ts'
import { NoSuchRun } from '../../services/operations/find-run.ts'
import { erase } from '../../services/operations/withdraw/erase.ts'
import { tellCatalog } from '../../services/operations/withdraw/settled.ts'
import { findSources } from '../../services/operations/withdraw/sources.ts'
import { takeOut } from '../../services/operations/withdraw/take-out.ts'
import { csv } from '../services/memory/engine.ts'
import { landfallOf } from '../services/memory/landfall.ts'
import { contractOfVersion, DELIVERY, PROCESSING, RAW, type World } from '../services/memory/world.ts'
import { zipOf } from '../services/unzip/zips.ts'
import { pick, type Random } from './random.ts'
import type { Timeline } from './timeline.ts'

const CSV_KEYS = ['data/sales/a.csv', 'data/sales/b.csv', 'data/sales/c.csv']
const ZIP_KEYS = ['landing/sales/y.zip', 'landing/sales/z.zip']
const MEMBERS = ['m.csv', 'n.csv']
const COUNTRIES = ['Chad', 'Peru', 'Togo']
const STAGES = ['unzip', 'convert', 'partition', 'catalog'] as const

type Content = { text: string; rows: string[] | null; poisoned?: string[] }

/** What people do to a world, and what each of it means for the table. */
export class People {
  readonly world: World
  readonly timeline: Timeline
  readonly #random: Random
  /** Members of the good version of each zip that landed last, by the zip's key. */
  readonly #members = new Map<string, Set<string>>()
  /** Of each zip the version that landed last, if it is sound and nobody wanted to have it out. */
  readonly newestZips = new Map<string, string>()
  version = 1
  /** Withdrawals that broke off. */
  readonly brokenOff = new Set<string>()
  #row = 0
  #landed = 0

  /** That they land. */
  readonly #csvKeys: string[]
  readonly #zipKeys: string[]

  constructor(world: World, timeline: Timeline, random: Random, isOneFile = false) {
    this.world = world
    this.#csvKeys = isOneFile ? CSV_KEYS.slice(0, 1) : CSV_KEYS
    this.#zipKeys = isOneFile ? ZIP_KEYS.slice(0, 1) : ZIP_KEYS
    this.timeline = timeline
    this.#random = random
  }

  content(kind = pick(this.#random, ['good', 'good', 'good', 'rejects', 'refused', 'poison'])): Content {
    const rows = Array.from({ length: 4 + this.#random(2) }, () => `${pick(this.#random, COUNTRIES)},${++this.#row}`)
    if (kind === 'refused') return { text: `WRONG,HEADER\n${rows.join('\n')}`, rows: null }
    if (kind === 'rejects') return { text: csv(...rows, `BAD,${++this.#row}`), rows }
    // The row itself is good: it is the job that cannot read it.
    if (kind === 'poison') {
      const poisoned = [...rows, `POISON,${++this.#row}`]
      return { text: csv(...poisoned), rows: null, poisoned }
    }
    return { text: csv(...rows), rows }
  }

  csvKey = (): string => pick(this.#random, this.#csvKeys)
  zipKey = (): string => pick(this.#random, this.#zipKeys)

  land(key = this.csvKey(), content = this.content()): string {
    this.#landed++
    const { versionId } = this.world.land(key, content.text)
    this.timeline.add(key, { ...content, isIn: () => this.#isDelivered(key, versionId) })
    return `${key} ${versionId}${content.rows ? '' : content.poisoned ? ' (poison)' : ' (refused)'}`
  }

  /** @param broken one of so many is damaged */
  async landZip(key = this.zipKey(), broken = 5): Promise<string> {
    const members = MEMBERS.filter(() => this.#random(3) > 0)
    if (members.length === 0) members.push('m.csv')
    const contents = new Map(members.map((name) => [memberFolderOf('sales', key) + name, this.content()]))
    const texts = members.map((name) => contents.get(memberFolderOf('sales', key) + name)?.text ?? '')
    // Stored, for zlib's threads end when they like, and a seed must give the same schedule each time.
    const sound = await zipOf(
      Object.fromEntries(members.map((name, i) => [name, { content: texts[i], compress: false }])),
    )
    const isBroken = this.#random(broken) === 0
    const before = this.#members.get(key) ?? new Set<string>()
    if (!isBroken) this.#members.set(key, new Set(contents.keys()))
    // Of a version that is superseded unseen, nobody knows what of the one before it would have replaced.
    const inWork = this.#isUnseen(key)
    this.#landed++
    // S3 dates to the second, which is all that tells two zips of one key apart where an event is lost.
    this.world.clock.advance(1_000)
    const { versionId } = this.world.land(key, isBroken ? withWrongCrc(sound) : sound)
    if (isBroken) this.newestZips.delete(key)
    else this.newestZips.set(key, versionId)
    const isExtracted = () => this.#zipState(key, versionId) === 'extracted'
    if (isBroken) for (const member of this.familyOf(key)) this.timeline.add(member, { rows: null, isIn: () => true })
    else
      for (const member of new Set([...before, ...contents.keys()])) {
        const content = contents.get(member)
        if (!content) this.timeline.add(member, { rows: [], isIn: isExtracted, orBefore: inWork, byZip: 'lacking' })
        else
          this.timeline.add(member, {
            ...content,
            byZip: 'member',
            isIn: () => isExtracted() && this.#isCurrentDelivered(member),
          })
      }
    return `${key} ${versionId}: ${members}${isBroken ? ' (broken)' : ''}`
  }

  landMember(): string {
    const zip = this.zipKey()
    const key = memberFolderOf('sales', zip) + pick(this.#random, MEMBERS)
    const inWork = this.#isUnseen(zip)
    const content = this.content()
    this.#landed++
    const { versionId } = this.world.land(key, content.text)
    // An extraction that is still to come overwrites it.
    this.timeline.add(key, { ...content, isIn: () => this.#isDelivered(key, versionId), orBefore: inWork })
    return `${key} ${versionId}${inWork ? ' (while its zip is in work)' : ''}`
  }

  replay(stage = pick(this.#random, STAGES)): string {
    return this.world.replay(stage)
  }

  async rerun(): Promise<string> {
    const only = pick(this.#random, [undefined, ['failed', 'refused'] as ('failed' | 'refused')[]])
    const prefix = pick(this.#random, ['data/sales/', 'landing/sales/', 'data/sales/a'])
    const begun = await this.world.rerun(`r${this.world.clock.ms}-${this.#random(1000)}`, { only }, prefix)
    return `${prefix} ${only ?? 'all'}${begun ? '' : ' (another is at work)'}`
  }

  changeContract(): string {
    if (this.version === 3) return 'no more'
    this.world.deploy(contractOfVersion(++this.version))
    return `version ${this.version}`
  }

  /** What may be withdrawn now, if anything. */
  withdrawable(): string | undefined {
    const keys = [...this.timeline.keys(), ...this.#members.keys()].sort()
    return keys.length > 0 ? pick(this.#random, keys) : undefined
  }

  /** As the command does, again until it is done. Its calls wait for their turns, as it runs as a process. */
  async withdraw(key: string): Promise<void> {
    const { world } = this
    const before = this.#landed
    const zones = { processing: PROCESSING, delivery: DELIVERY }
    for (;;) {
      const asked = await findSources(landfallOf(world), key).catch((error: unknown) => {
        if (error instanceof NoSuchRun) return undefined
        throw error
      })
      if (!asked) return
      const taken = await takeOut(world.deps, asked.sources, zones)
      await tellCatalog(world.deps.ledger, 'sales')
      if (taken.every(({ outcome }) => outcome === 'withdrawn' || outcome === 'landed_again')) {
        this.newestZips.delete(key)
        const isSure = taken.every(({ outcome }) => outcome === 'withdrawn') && this.#landed === before
        // What landed by itself in a zip's folder, and that nobody has heard of yet, is not the zip's.
        const isKnown = (each: string) => each === key || taken.some((source) => source.key === each)
        const isOut = (each: string) => isKnown(each) || (this.#members.get(key)?.has(each) ?? false)
        this.#out(this.familyOf(key).filter(isOut), !isSure)
        this.#out(
          this.familyOf(key).filter((each) => !isOut(each)),
          true,
        )
        return
      }
      await world.clock.sleep(30_000)
    }
  }

  /** It broke off: some of it may be out, until it is done again. */
  brokeOff(key: string): void {
    this.brokenOff.add(key)
    this.newestZips.delete(key)
    this.#out(this.familyOf(key), true)
  }

  /** Withdrawals that are to be done again: nothing has landed there since. */
  halfOut(): string[] {
    const keys = [...this.brokenOff]
    this.brokenOff.clear()
    return keys.filter((key) => this.familyOf(key).every((each) => this.timeline.newest(each)?.rows?.length === 0))
  }

  /** All that has ever landed of a zip, or as a CSV. */
  familyOf(key: string): string[] {
    const folder = memberFolderOf('sales', key)
    return key.startsWith('landing/') ? this.timeline.keys().filter((each) => each.startsWith(folder)) : [key]
  }

  async erase(): Promise<string> {
    const landfall = landfallOf(this.world)
    const keys = [...new Set(this.world.runs().map((run) => run.key))]
    if (keys.length === 0) return 'nothing'
    const key = pick(this.#random, keys)
    const { erased } = await erase(landfall, await findSources(landfall, key))
    return `${key}: ${erased.found.length} places`
  }

  #out(keys: string[], orBefore: boolean): void {
    for (const key of keys) this.timeline.add(key, { rows: [], isIn: () => true, orBefore })
  }

  #isDelivered(key: string, versionId: string): boolean {
    const runs = this.world.runs().filter((run) => run.key === key && run.versionId === versionId)
    return runs.some(({ deliveredObjects, state }) => deliveredObjects !== undefined && state !== 'superseded')
  }

  #isCurrentDelivered(key: string): boolean {
    const current = this.world.objects.read(RAW, key)
    const runs = this.world.runs().filter((run) => run.key === key)
    return (
      current !== undefined && runs.every(({ state }) => hasEnded(state)) && this.#isDelivered(key, current.versionId)
    )
  }

  #zipState = (key: string, versionId: string) =>
    this.world.runs().find((run) => run.key === key && run.versionId === versionId)?.state

  /** Whether anybody has yet to extract this zip, of whatever version and cause. */
  #isUnseen(key: string): boolean {
    const isOpen = this.world.runs().some((run) => run.key === key && (!hasEnded(run.state) || run.state === 'failed'))
    return isOpen || this.world.objects.read(RAW, key) !== undefined
  }
}

/** Of its last member, as the directory has it. */
function withWrongCrc(zip: Buffer): Buffer {
  const wrong = Buffer.from(zip)
  wrong.writeUInt32LE(0xbad, wrong.lastIndexOf('PK\x01\x02') + 16)
  return wrong
}
