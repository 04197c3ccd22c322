import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mutated } from './mutate.ts'
import { MUTATIONS } from './mutations.ts'
import { Schedule } from './schedule.ts'
import { simulate } from './simulate.ts'

/** Schedules in a run of the tests; `npm run simulate -- --schedules 1000000` for many more. */
const SCHEDULES = Number(process.env.SCHEDULES ?? 2000)
const SEED = Number(process.env.SEED ?? 1)
/** If the seed that the table names does not notice a mutation any more, as the code has changed, so many others are tried. */
const OTHERS = 1500

const MINUTES = 60_000

describe('whatever lands, is done again, withdrawn or changed, and whatever goes wrong at whichever call', () => {
  it(
    `all promises hold (${SCHEDULES} schedules)`,
    async () => {
      const { broken, schedules } = await simulate({ schedules: SCHEDULES, seed: SEED })
      expect(broken && `npm run simulate -- --seed ${broken.seed} --replay\n${broken.wrong}`).toBeUndefined()
      expect(schedules).toBe(SCHEDULES)
    },
    20 * MINUTES,
  )

  it(
    'a seed gives the same schedule each time',
    async () => {
      for (let seed = SEED; seed < SEED + 20; seed++) {
        const [one, two] = [await new Schedule(seed).play(), await new Schedule(seed).play()]
        expect(two).toEqual(one)
      }
    },
    MINUTES,
  )
})

describe('each safety', () => {
  const kept = readFileSync(new URL('MUTATIONS.md', import.meta.url), 'utf8')
  const rows = [...kept.matchAll(/^\| (.+?) \| services\S+ \| (\d+|-) \|/gm)]
  const seeds = new Map(rows.map(([, name = '', seed]) => [name, Number(seed)]))
  const noticed = MUTATIONS.filter(({ name }) => !Number.isNaN(seeds.get(name)))

  it('is in the table, with the seed that notices when it is off if any did, and in one place of the code', () => {
    expect([...seeds.keys()]).toEqual(MUTATIONS.map(({ name }) => name))
    for (const mutation of MUTATIONS)
      mutated(readFileSync(new URL(`../../${mutation.file}`, import.meta.url), 'utf8'), mutation)
  })

  it.each(noticed)(
    'is needed: $name',
    async ({ name }) => {
      const tried = await simulate({ schedules: 1, seed: seeds.get(name) ?? SEED, mutation: name })
      const { broken } = tried.broken ? tried : await simulate({ schedules: OTHERS, seed: SEED, mutation: name })
      expect(broken?.wrong, 'what broke').toBeDefined()
    },
    5 * MINUTES,
  )
})
