import { describe, expect, it } from 'vitest'
import { TryAgain } from '../../services/lambda/errors.ts'
import { memberFolderOf } from '../../services/ledger/ids.ts'
import { hasEnded } from '../../services/ledger/run.ts'
import { seeded } from '../generator/random.ts'
import { RAW, World } from '../services/memory/world.ts'
import { asStory, Model, notTold, pauses, type Random, steps } from './model.ts'

/** Sequences in a run of the tests; `SEQUENCES=10000 SEED=1 npx vitest run test/simulation/outages` for many more. */
const SEQUENCES = Number(process.env.SEQUENCES ?? 250)
const FIRST = Number(process.env.SEED ?? 1)
const LEAST = 4
const MOST = 12

/** What AWS answers with an error for as long as any message is tried. */
const DOWN = ['heads', 'reads', 'jobs'] as const
type Down = (typeof DOWN)[number]

class Outage {
  readonly #world: World
  down?: Down

  constructor(world: World) {
    this.#world = world
    const { objects, glue, deps } = world
    const s3 = deps.s3 as unknown as Record<'send', (...args: unknown[]) => Promise<unknown>>
    this.#breaks(objects, 'head', 'heads')
    this.#breaks(glue, 'startJob', 'jobs')
    this.#breaks(s3, 'send', 'reads')
  }

  #breaks<K extends string>(port: { [name in K]: (...args: never[]) => Promise<unknown> }, name: K, down: Down) {
    const works = port[name].bind(port) as (...args: unknown[]) => Promise<unknown>
    const breaks = async (...args: unknown[]) => {
      if (this.down === down) throw Object.assign(new Error('AccessDenied'), { $metadata: { httpStatusCode: 403 } })
      return await works(...args)
    }
    Object.assign(port, { [name]: breaks })
  }

  /** All that waits, and what happens meanwhile, is tried in vain. */
  async step(down: Down, meanwhile: () => Promise<void>): Promise<string> {
    await meanwhile()
    this.down = down
    await this.#world.pump()
    for (let minute = 0; minute < 9; minute++) {
      this.#world.clock.advance(60_000)
      await this.#world.sweep()
    }
    this.down = undefined
    return `${down}, ${this.#world.deadLetters.length} in the DLQs`
  }
}

async function mended(world: World) {
  world.redrive()
  await world.untilQuiet()
}

/** Also what nobody could look at yet. */
async function withdraw(world: World, model: Model, random: Random): Promise<string> {
  const sources = model.sources()
  const key = sources[random(sources.length || 1)]
  if (key === undefined) return 'nothing'
  // A zip in a DLQ brings back what was withdrawn of it meanwhile; and does not know yet of a member that landed by itself.
  if (!key.startsWith('landing/') || model.byThemselves.has(memberFolderOf('sales', key))) await mended(world)
  const done = await world.withdraw(key).catch((error: unknown) => {
    if (error instanceof TryAgain) return error.code
    throw error
  })
  if (done !== 'withdrawn') return `${key} ${done}`
  // As the command does: also what landed by itself in the folder of a zip that was never extracted.
  if (key.startsWith('landing/'))
    for (const member of world.objects.keys(RAW, memberFolderOf('sales', key))) {
      await world.withdraw(member)
      model.withdrawn(member)
    }
  model.withdrawn(key)
  return `${key} ${done}`
}

/** EventBridge and SQS keep no order, and hand out again what they have handed out, also hours later. */
function mix({ messages, archive }: World, random: Random) {
  for (const message of [...messages])
    if (message.kind === 'object' && random(5) === 0) messages.push({ ...message, receives: 0 })
  const old = archive[random(archive.length || 1)]
  if (old && random(3) === 0) messages.push({ to: old.to, kind: 'object', event: old.event, receives: 0 })
  for (const message of messages.splice(0)) messages.splice(random(messages.length + 1), 0, message)
}

async function play(seed: number): Promise<void> {
  const random = seeded(seed)
  const world = new World()
  const model = new Model()
  const outage = new Outage(world)
  const said: string[] = []
  const { 'change the contract': _, withdraw: __, ...things } = steps
  const names = [...Object.keys(things), 'land a zip', 'rerun', 'outage', 'outage', 'redrive', 'withdraw', 'withdraw']
  const step = async (name = 'land') => {
    said.push(name)
    if (name === 'redrive') world.redrive()
    else if (name === 'withdraw') said.push(await withdraw(world, model, random))
    else {
      // Of what lands over something in a DLQ, the model takes the latter for looked at.
      if (name.startsWith('land a ') && name !== 'land a zip') await mended(world)
      said.push((await things[name]?.(random)(world, model)) ?? '')
    }
  }
  const meanwhile = async () => {
    for (const name of ['land a zip', 'land a zip', 'rerun']) if (random(3) > 0) await step(name)
    mix(world, random)
  }
  try {
    for (let left = LEAST + random(MOST - LEAST); left > 0; left--) {
      const name = names[random(names.length)]
      if (name === 'outage') said.push(`outage: ${await outage.step(DOWN[random(DOWN.length)] ?? 'heads', meanwhile)}`)
      else await step(name)
      mix(world, random)
      const pause = ['nothing', ...Object.keys(pauses)][random(Object.keys(pauses).length + 1)] ?? 'nothing'
      said.push(`   then ${pause}`)
      await pauses[pause]?.(world)
    }
    await world.untilQuiet()
    await mended(world)
    expect(world.rows(), 'the table').toEqual(model.rows())
    expect(world.runs().filter(({ state }) => !hasEnded(state))).toEqual([])
    expect(world.deadLetters).toEqual([])
    expect(notTold(world), 'what reruns wait for, or were not told').toEqual([])
  } catch (error) {
    throw asStory(seed, said, world, model, error)
  }
}

describe('whatever people do while AWS is away, and in whatever order it says what happened', () => {
  it(`the table is the same when all is mended and redriven (${SEQUENCES} sequences)`, async () => {
    for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) await play(seed)
  }, 600_000)
})
