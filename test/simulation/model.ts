import { TryAgain } from '../../services/lambda/errors.ts'
import { memberFolderOf } from '../../services/ledger/ids.ts'
import { erase } from '../../services/operations/withdraw/erase.ts'
import { findSources } from '../../services/operations/withdraw/sources.ts'
import { csv } from '../services/memory/engine.ts'
import { landfallOf } from '../services/memory/landfall.ts'
import { contractOfVersion, type World } from '../services/memory/world.ts'
import { zipOf } from '../services/unzip/zips.ts'

export const CSV_KEYS = ['data/sales/a.csv', 'data/sales/b.csv']
export const ZIP_KEYS = ['landing/sales/y.zip', 'landing/sales/z.zip']
export const STAGES = ['unzip', 'convert', 'partition', 'catalog'] as const
const MEMBERS = ['m.csv', 'n.csv']
const COUNTRIES = ['Chad', 'Peru', 'Togo']

export type Random = (below: number) => number
const pick = <T>(random: Random, of: readonly T[]): T => of[random(of.length)] as T

/** What the promises say the table is: of each source the rows of its latest good version, unless it was withdrawn. */
export class Model {
  readonly #rows = new Map<string, string[]>()
  readonly #zips = new Map<string, string[]>()
  #last = 0

  /** Of the contract. */
  version = 1
  /** Folders of zips in which a member has landed by itself. */
  readonly byThemselves = new Set<string>()
  /** Keys whose newest version is refused: the rows are those of an older one. */
  readonly refused = new Set<string>()

  rows = (): string[] =>
    [...this.#rows.values()]
      .flat()
      .map((row) => (this.version === 1 ? row : `${row}@v${this.version}`))
      .sort()

  /** A CSV's text and what is good of it. */
  content(random: Random): { text: string; rows: string[] } {
    const rows = Array.from({ length: 4 + random(2) }, () => `${pick(random, COUNTRIES)},${++this.#last}`)
    const bad = random(3) === 0 ? [`BAD,${++this.#last}`] : []
    return { text: csv(...rows, ...bad), rows }
  }

  landed(key: string, rows: string[]): void {
    this.refused.delete(key)
    this.#rows.set(key, rows)
  }

  zipLanded(key: string, members: Map<string, string[]>): void {
    for (const before of this.#zips.get(key) ?? []) if (!members.has(before)) this.#rows.delete(before)
    for (const [member, rows] of members) this.#rows.set(member, rows)
    this.#zips.set(key, [...members.keys()])
  }

  withdrawn(key: string): void {
    this.refused.delete(key)
    for (const each of this.#zips.get(key) ?? [key]) this.#rows.delete(each)
  }

  /** What can be withdrawn: what has landed, and a zip's members. */
  sources = (): string[] => [...new Set([...this.#rows.keys(), ...this.#zips.keys()])].sort()
}

const refused = async (world: World, key: string) => {
  // A good version that nobody has looked at yet would be superseded by this one.
  await world.untilQuiet()
  world.land(key, 'WRONG,HEADER\nChad,1')
}

export const steps: Record<string, (random: Random) => (world: World, model: Model) => Promise<string>> = {
  land: (random) => async (world, model) => {
    const key = pick(random, CSV_KEYS)
    const { text, rows } = model.content(random)
    world.land(key, text)
    model.landed(key, rows)
    return key
  },
  'land a refused version': (random) => async (world, model) => {
    const key = pick(random, CSV_KEYS)
    await refused(world, key)
    model.refused.add(key)
    return key
  },
  'change the contract': () => async (world, model) => {
    if (model.version === 3) return 'no more'
    world.deploy(contractOfVersion(++model.version))
    return `version ${model.version}`
  },
  'land a zip': (random) => async (world, model) => {
    const key = pick(random, ZIP_KEYS)
    // Of a version that is superseded unseen, nobody knows which members that landed by themselves it would have replaced.
    if (model.byThemselves.has(memberFolderOf('sales', key))) await world.untilQuiet()
    const members = MEMBERS.filter(() => random(3) > 0)
    if (members.length === 0) members.push('m.csv')
    const texts: Record<string, string> = {}
    const rows = new Map<string, string[]>()
    for (const member of members) {
      const content = model.content(random)
      texts[member] = content.text
      rows.set(memberFolderOf('sales', key) + member, content.rows)
    }
    world.land(key, await zipOf(texts))
    model.zipLanded(key, rows)
    return `${key}: ${members}`
  },
  'land a member by itself': (random) => async (world, model) => {
    const key = memberFolderOf('sales', pick(random, ZIP_KEYS)) + pick(random, MEMBERS)
    // One of a zip that nobody has looked at yet is later than this, whenever it is extracted.
    await world.untilQuiet()
    const { text, rows } = model.content(random)
    world.land(key, text)
    model.landed(key, rows)
    model.byThemselves.add(key.slice(0, key.lastIndexOf('/') + 1))
    return key
  },
  replay: (random) => async (world) => world.replay(pick(random, STAGES)),
  rerun: (random) => async (world) => {
    const only = pick(random, [undefined, ['failed', 'refused'] as ('failed' | 'refused')[]])
    const prefix = pick(random, ['data/sales/', 'landing/sales/', 'data/sales/a'])
    const begun = await world.rerun(`r${world.archive.length}-${world.clock.ms}-${random(1000)}`, { only }, prefix)
    // EventBridge and the machine's children do a thing at least once.
    for (const message of world.messages.filter(({ kind }) => kind === 'rerun'))
      if (random(4) === 0) world.messages.splice(random(world.messages.length + 1), 0, { ...message })
    return `${prefix} ${only ?? 'all'} ${begun ? '' : '(another is at work)'}`
  },
  withdraw: (random) => async (world, model) => {
    const sources = model.sources()
    const key = pick(random, sources)
    if (key === undefined) return 'nothing'
    const done = await world.withdraw(key).catch((error: unknown) => {
      if (error instanceof TryAgain) return error.code
      throw error
    })
    if (done === 'withdrawn') model.withdrawn(key)
    return `${key} ${done}`
  },
}

/** Of whatever has ever landed, withdrawn or not, while others are at work: only what is withdrawn may go, which nobody sees. */
const eraseStep = (random: Random) => async (world: World) => {
  const landfall = landfallOf(world)
  const key = pick(random, [...new Set(world.runs().map((run) => run.key))])
  if (key === undefined) return 'nothing'
  const { erased, again } = await erase(landfall, await findSources(landfall, key))
  return `${key}: ${erased.found.length} places, ${again.length} not withdrawn`
}

const { 'land a member by itself': _, ...others } = steps
/** What people do who also erase. */
export const withErasing: typeof steps = { ...others, erase: eraseStep }

/** What goes on by itself between two things that people do: all, nothing, or some of it. */
export const pauses: Record<string, (world: World) => Promise<void>> = {
  'until quiet': (world) => world.untilQuiet(),
  nothing: async () => {},
  'messages only': (world) => world.pump(),
  'messages and one job': async (world) => {
    await world.pump()
    const [job] = world.glue.running
    if (job)
      world.endJob(job.id, job.job as 'convert' | 'partition', world.job.run(job.manifest) ? 'SUCCEEDED' : 'FAILED')
    await world.pump()
  },
  'one message': async (world) => {
    const message = world.messages.shift()
    if (message) await world.handle(message)
  },
}

/** Of each rerun: every key that it entered is told once, and no row is left that it would wait for. */
export function notTold(world: World): unknown[] {
  const items = [...world.table.items.values()]
  const reruns = items.filter(({ pk, sk }) => pk.startsWith('CAUSE#rerun-') && sk === 'STATE')
  return reruns.flatMap(({ pk, listed, totals }) => {
    const mine = items.filter((item) => item.pk === pk)
    const pending = mine.filter(({ sk }) => sk.startsWith('PENDING#'))
    const ended = mine.filter(({ sk }) => sk.startsWith('ENDED#')).length
    const counted = Object.values(totals as Record<string, number>).reduce((a, b) => a + b, 0)
    return pending.length === 0 && ended === listed && counted === listed
      ? []
      : [{ pk, pending, ended, listed, counted }]
  })
}

/** What happened until a check failed. */
export function asStory(seed: number, said: string[], world: World, model: Model, error: unknown): Error {
  const runs = world
    .runs()
    .map((run) => `${run.seq} ${run.key} ${run.versionId} ${run.cause}: ${run.state} ${run.problem?.message ?? ''}`)
  const story = [`Seed ${seed}:`, ...said, ...runs, `model: ${model.rows()}`, `table: ${world.rows()}`]
  return new Error(`${story.join('\n')}\n${(error as Error).message}`, { cause: error })
}
