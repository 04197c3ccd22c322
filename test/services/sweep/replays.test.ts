import { expect, it } from 'vitest'
import { statusText } from '../../../services/cli/status.ts'
import { replayState } from '../../../services/ledger/causes.ts'
import { status } from '../../../services/operations/status.ts'
import { unheardReplays } from '../../../services/sweep/replays.ts'
import { MemoryArchives } from '../memory/archives.ts'
import { landfallOf } from '../memory/landfall.ts'
import { World } from '../memory/world.ts'

const HOUR = 3_600_000

function started(...names: string[]) {
  const world = new World()
  const archives = new MemoryArchives(world)
  for (const name of names) archives.byHand(name)
  const look = () => unheardReplays({ ledger: world.books, replays: archives.replays })
  return { world, archives, look }
}

it('a replay that no stage hears is reported once, saying what its name must begin with', async () => {
  const { look, world } = started('convert-again', 'my replay', 'rerun-1', 'unzip')
  const words = await look()
  expect(words.map((each) => each.split('"')[1]).sort()).toEqual(['my replay', 'rerun-1', 'unzip'])
  for (const each of words)
    expect(each).toContain('its name must begin with the stage that it is for, unzip-, convert-, partition-, catalog-.')
  expect(await look()).toEqual([])
  expect(await replayState(world.books, 'my replay')).toMatchObject({ kind: 'unaddressed' })
  expect(await replayState(world.books, 'convert-again')).toBeUndefined()
})

it('one that was started more than a day ago is no news', async () => {
  const { archives, look, world } = started()
  archives.byHand('old', new Date(world.clock.ms - 24 * HOUR))
  archives.byHand('new', new Date(world.clock.ms - 24 * HOUR + 1))
  expect(await look()).toEqual([expect.stringContaining('"new"')])
})

it('status names one for a day', async () => {
  const { world, archives } = started('convert-again', 'my\u001breplay')
  const landfall = { ...landfallOf(world), archives }
  const now = await status(landfall)
  expect(now.unheard.map(({ name }) => name)).toEqual(['my\u001breplay'])
  expect(statusText(now)).toContain('Warning: The replay "my\\x1breplay" is heard by no stage')
  world.clock.advance(24 * HOUR + 1)
  expect((await status(landfall)).unheard).toEqual([])
})
