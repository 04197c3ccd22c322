import { beforeEach, describe, expect, it } from 'vitest'
import { parseContract } from '../../../schemas/contract.ts'
import { showText } from '../../../services/cli/show.ts'
import { memberFolderOf } from '../../../services/ledger/ids.ts'
import { show } from '../../../services/operations/show.ts'
import { type Member, zipBytes } from '../../fixtures/zips/build.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { contract, World } from '../memory/world.ts'

const ZIP = 'landing/sales/z.zip'
const SKIP = parseContract({ ...contract, zip: { badMembers: 'skip' } })
const B = `${memberFolderOf('sales', ZIP)}b.csv`

const a = (row: string): Member => ({ name: 'a.csv', data: csv(row) })
const b = (row: string): Member => ({ name: 'b.csv', data: csv(row) })
/** Each alone is enough: the first shows in the directory, the others only when its bytes have come. */
const BAD: Record<string, Member> = {
  encrypted_member: { ...b('Peru,9'), flags: 1 },
  crc_mismatch: { ...b('Peru,9'), crc: 0xbad },
  corrupt_member: { ...b('Peru,9'), method: 8, packed: Buffer.from([7]) },
}

let world: World
beforeEach(() => {
  world = new World(undefined, undefined, SKIP)
})
async function land(...members: Member[]) {
  world.clock.advance(1_000)
  world.land(ZIP, zipBytes({ members }))
  await world.untilQuiet()
  return (
    world
      .runs()
      .filter(({ kind }) => kind === 'zip')
      .at(-1) ?? expect.fail('no run')
  )
}

describe.each(Object.entries(BAD))('where the contract skips bad members, one with %s', (code, bad) => {
  it('is left out and named with its reason, and the others are in the table', async () => {
    const run = await land(a('Chad,1'), bad)
    expect(run.members?.map(({ name }) => name)).toEqual(['a.csv'])
    expect(run.skipped).toEqual([{ name: 'b.csv', code, reason: expect.stringContaining(`"b.csv" of ${ZIP}`) }])
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('leaves the rows of its last good version in place, and says so', async () => {
    await land(a('Chad,1'), b('Peru,1'))
    const run = await land(a('Chad,2'), bad)
    expect(run.skipped).toMatchObject([{ name: 'b.csv', code, stays: true }])
    expect(world.rows()).toEqual(['Chad,2', 'Peru,1'])
    expect((await world.objects.head('raw', B))?.versionId).toBeDefined()
  })

  it('is named by landfall show, with its reason and what stays', async () => {
    await land(a('Chad,1'), b('Peru,1'))
    await land(a('Chad,2'), bad)
    const text = showText(await show(landfallOf(world), ZIP), world.clock.now()).replaceAll(/\s+/g, ' ')
    expect(text).toContain(`b.csv (skipped: Member "b.csv" of ${ZIP} `)
    expect(text).toContain('What the table has of its last good version stays.)')
  })

  it('is withdrawn by a version that lacks it, and replaced by one that has it again', async () => {
    await land(a('Chad,1'), b('Peru,1'))
    await land(a('Chad,2'), bad)
    await land(a('Chad,3'))
    expect(world.rows()).toEqual(['Chad,3'])
    await land(a('Chad,4'), bad)
    expect(world.rows()).toEqual(['Chad,4'])
    await land(a('Chad,5'), b('Peru,5'))
    expect(world.rows()).toEqual(['Chad,5', 'Peru,5'])
  })

  it('changes nothing when its zip is replayed, and goes when its zip is withdrawn', async () => {
    await land(a('Chad,1'), b('Peru,1'))
    await land(a('Chad,2'), bad)
    world.replay('unzip')
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2', 'Peru,1'])
    await world.withdraw(ZIP)
    await world.untilQuiet()
    expect(world.rows()).toEqual([])
  })

  it('refuses a zip that has nothing else, and the last good version stays', async () => {
    await land(a('Chad,1'), b('Peru,1'))
    expect(await land(bad)).toMatchObject({ state: 'refused', problem: { code: 'no_csv_member' } })
    expect(world.rows()).toEqual(['Chad,1', 'Peru,1'])
  })

  it('refuses the whole zip where the contract does not say so', async () => {
    world = new World()
    expect(await land(a('Chad,1'), bad)).toMatchObject({ state: 'refused', problem: { code } })
    expect(world.rows()).toEqual([])
  })
})

it('of two members that become one key neither is taken, and the rows that the key had stay', async () => {
  await land(a('Chad,1'), b('Peru,1'))
  const run = await land(a('Chad,2'), b('Peru,2'), { name: './b.csv', data: csv('Peru,3') })
  expect(run.skipped).toMatchObject([
    { name: 'b.csv', code: 'name_collision', stays: true },
    { name: './b.csv', code: 'name_collision', stays: true },
  ])
  expect(world.rows()).toEqual(['Chad,2', 'Peru,1'])
})

it('a zip that is wrong as a whole is refused also where bad members are skipped', async () => {
  await land(a('Chad,1'))
  world.land(ZIP, zipBytes({ members: [a('Chad,2'), b('Peru,2')], end: { entries: 1 } }))
  await world.untilQuiet()
  expect(
    world
      .runs()
      .filter(({ kind }) => kind === 'zip')
      .at(-1)?.problem?.code,
  ).toBe('directory_mismatch')
  expect(world.rows()).toEqual(['Chad,1'])
})
