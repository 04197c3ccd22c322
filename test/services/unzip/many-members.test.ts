import { beforeEach, describe, expect, it } from 'vitest'
import { memberFolderOf, sourceIdOf } from '../../../services/ledger/ids.ts'
import { memberRuns } from '../../../services/operations/follow.ts'
import { membersOf } from '../../../services/operations/show.ts'
import { type Member, zipBytes } from '../../fixtures/zips/build.ts'
import { csv } from '../memory/engine.ts'
import { landfallOf } from '../memory/landfall.ts'
import { contract, RAW, World } from '../memory/world.ts'

const ZIP = 'landing/sales/z.zip'
const SOURCE = { dataset: 'sales', sourceId: sourceIdOf(ZIP) }
const FOLDER = memberFolderOf('sales', ZIP)
const MOST = contract.limits.maxMembers
/** The longest that a key may be, of a character that takes two bytes where it can. */
const longest = (i: number, ending: string, bytes: number) => {
  const number = String(i).padStart(4, '0')
  const left = bytes - number.length - ending.length
  return `${number}${'x'.repeat(left % 2)}${'é'.repeat(left >> 1)}${ending}`
}
const csvs = (from: number, to: number, row = 'Chad'): Member[] =>
  Array.from({ length: to - from }, (_, i) => ({
    name: longest(from + i, '.csv', 1024 - FOLDER.length),
    data: csv(`${row},${from + i}`),
    flags: 0x800,
  }))
const texts = (count: number): Member[] =>
  Array.from({ length: count }, (_, i) => ({ name: longest(i, '.txt', 1024), flags: 0x800 }))

let world: World
beforeEach(() => {
  world = new World()
})
async function land(members: Member[]) {
  world.clock.advance(1_000)
  world.land(ZIP, zipBytes({ members }))
  const message = world.messages.pop() ?? expect.fail('no event')
  await world.handle(message)
  expect(world.errors).toEqual([])
}
const latest = async () => (await world.books.runs(SOURCE)).at(-1) ?? expect.fail('no run')
const lists = () => new Set([...world.table.items.values()].flatMap(({ sk }) => /^LINES#(.+)#/.exec(sk)?.[1] ?? []))

describe('a zip with as many members as may be, with the longest names', () => {
  it('is extracted, and the ledger has every one', async () => {
    await land(csvs(0, MOST))
    const run = await latest()
    expect(run.state).toBe('extracted')
    expect(run.members).toHaveLength(MOST)
    expect(new Set(run.members?.map(({ key }) => key))).toEqual(new Set(world.objects.keys(RAW, FOLDER)))
    expect(Math.max(...(run.members ?? []).map(({ key }) => Buffer.byteLength(key)))).toBe(1024)
    expect((await world.books.head(SOURCE))?.members).toHaveLength(MOST)
    expect((await membersOf(landfallOf(world), run)).map(({ key }) => key)).toEqual(run.members?.map(({ key }) => key))
    expect(memberRuns(run)).toHaveLength(MOST)
  })

  it('names each that is skipped', async () => {
    await land([{ name: 'a.csv', data: csv('Chad,1') }, ...texts(MOST - 1)])
    const { members, skipped } = await latest()
    expect([members?.length, skipped?.length]).toEqual([1, MOST - 1])
  })

  it('withdraws what a newer version lacks, of which the ledger then keeps no more than it needs', async () => {
    await land(csvs(0, MOST))
    await land(csvs(0, MOST - 300, 'Peru'))
    expect((await world.books.head(SOURCE))?.members).toHaveLength(MOST - 300)
    expect(world.objects.keys(RAW, FOLDER)).toHaveLength(MOST - 300)
    // One of each run, and the head's.
    expect(lists().size).toBe(3)
    await land(csvs(0, 2))
    expect((await world.books.head(SOURCE))?.members).toHaveLength(2)
    expect(lists().size).toBe(2)
  })

  it('knows of all, after a crash when some were there already', async () => {
    await land(csvs(0, MOST))
    world.land(ZIP, zipBytes({ members: csvs(500, 500 + MOST) }))
    const message = world.messages.pop() ?? expect.fail('no event')
    const send = world.deps.s3.send.bind(world.deps.s3)
    let completed = 0
    world.deps.s3.send = (async (command: object) => {
      if (command.constructor.name === 'CompleteMultipartUploadCommand' && ++completed > 100)
        throw new Error('S3 is away')
      return await send(command as never)
    }) as never
    await world.handle(message)
    world.deps.s3.send = send as never
    expect((await world.books.head(SOURCE))?.members).toHaveLength(MOST + 500)
    await world.handle(message)
    expect((await world.books.head(SOURCE))?.members).toHaveLength(MOST)
    expect(world.objects.keys(RAW, FOLDER)).toHaveLength(MOST)
  })
})

it('a zip of many members is delivered, replayed and withdrawn as one of few', async () => {
  const members = 300
  await land(csvs(0, members))
  world.messages.length = 0
  world.replay('convert')
  world.replay('unzip')
  await world.untilQuiet()
  expect(world.rows()).toHaveLength(members)
  await world.withdraw(ZIP)
  await world.untilQuiet()
  expect(world.rows()).toEqual([])
})
