import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mutated } from './mutate.ts'
import { MUTATIONS } from './mutations.ts'
import { holds, notice } from './notice.ts'
import { kept } from './noticed-table.ts'
import { BY_TEST } from './safeties/by-test.ts'
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

describe('each safety', async () => {
  const rows = new Map((await kept()).map((row) => [row.name, row]))

  it('is in the table, with the seed that notices when it is off, and in one place of the code', () => {
    expect([...rows.keys()]).toEqual(MUTATIONS.map(({ name }) => name))
    expect([...rows.values()].filter(({ seed }) => seed === undefined)).toEqual([])
    for (const mutation of [...MUTATIONS, ...BY_TEST])
      mutated(readFileSync(new URL(`../../${mutation.file}`, import.meta.url), 'utf8'), mutation)
    for (const { test } of BY_TEST)
      expect(readFileSync(new URL(`../../${test.file}`, import.meta.url), 'utf8')).toContain(test.title)
  })

  it.each(MUTATIONS)(
    'is needed: $name',
    async (mutation) => {
      const { seed = SEED, offToo = [] } = rows.get(mutation.name) ?? {}
      const { broken } = await simulate({ schedules: 1, seed, off: [mutation.name, ...offToo] })
      const stillHolds = offToo.length === 0 || (await holds({ seed }, offToo))
      const noticed = broken && stillHolds ? broken : await notice(mutation, { schedules: OTHERS, seed: SEED })
      expect(noticed?.wrong, 'what broke').toBeDefined()
    },
    10 * MINUTES,
  )
})
