import { describe, expect, it } from 'vitest'
import { MAX_RECEIVES } from '../../../services/lambda/receives.ts'
import { memberFolderOf } from '../../../services/ledger/ids.ts'
import { csv } from '../memory/engine.ts'
import { type Message, QUARANTINE, RAW, World } from '../memory/world.ts'
import { zipOf } from './zips.ts'

const ZIP = 'landing/sales/z.zip'
const memberKey = (name: string) => `${memberFolderOf('sales', ZIP)}${name}`

async function landedZip(world: World, members: Record<string, string>, key = ZIP): Promise<Message> {
  world.land(key, await zipOf(members))
  const message = world.messages.pop()
  if (!message) throw new Error('no event')
  return message
}
const zipRuns = (world: World) => world.runs().filter(({ kind }) => kind === 'zip')
const zipStates = (world: World) => zipRuns(world).map(({ state }) => state)

describe('a zip', () => {
  it('becomes the CSVs of its members, and leaves the landing folder', async () => {
    const world = new World()
    await world.handle(await landedZip(world, { 'a b.csv': csv('Chad,1'), 'note.txt': 'x' }))
    expect(world.objects.keys(RAW)).toEqual([memberKey('a_b.csv'), 'old-data/sales/z.zip'])
    expect(zipRuns(world)[0]).toMatchObject({
      state: 'extracted',
      members: [{ name: 'a b.csv', key: memberKey('a_b.csv'), versionId: expect.any(String) }],
      skipped: [{ name: 'note.txt', reason: 'not a CSV' }],
    })
  })

  it('adds its rows to those of another zip with a member of the same name', async () => {
    const world = new World()
    world.messages.push(
      await landedZip(world, { 'a.csv': csv('Chad,1') }),
      await landedZip(world, { 'a.csv': csv('Chad,2') }, 'landing/sales/y.zip'),
    )
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1', 'Chad,2'])
  })

  it('takes out the rows of the members that its predecessor had and it lacks', async () => {
    const world = new World()
    world.messages.push(await landedZip(world, { 'a.csv': csv('Chad,1'), 'b.csv': csv('Peru,2') }))
    await world.untilQuiet()
    world.messages.push(await landedZip(world, { 'a.csv': csv('Chad,3') }))
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,3'])
    expect(world.objects.keys(RAW, 'data/')).toEqual([memberKey('a.csv')])
    expect([...world.glue.catalog.keys()]).toEqual(['Chad'])
  })

  it('changes nothing when its event comes again after it was archived', async () => {
    const world = new World()
    const message = await landedZip(world, { 'a.csv': csv('Chad,1') })
    await world.handle(message)
    await world.untilQuiet()
    const before = JSON.stringify([...world.table.items.values()])
    await world.handle(message)
    expect(world.errors).toEqual([])
    expect(JSON.stringify([...world.table.items.values()])).toBe(before)
    expect(world.messages).toEqual([])
  })

  it('is extracted once when its event comes twice at the same time', async () => {
    const world = new World()
    const message = await landedZip(world, { 'a.csv': csv('Chad,1') })
    await Promise.all([world.handle(message), world.handle({ ...message })])
    await world.untilQuiet()
    expect(zipStates(world)).toEqual(['extracted'])
    expect(world.states()).toHaveLength(2)
    expect(world.rows()).toEqual(['Chad,1'])
  })

  it('is refused with its reason, and the last good version stays in the table', async () => {
    const world = new World()
    world.messages.push(await landedZip(world, { 'a.csv': csv('Chad,1') }))
    await world.untilQuiet()
    world.land(ZIP, 'no zip at all')
    await world.untilQuiet()
    expect(zipRuns(world)[1]).toMatchObject({ state: 'refused', problem: { message: expect.stringContaining(ZIP) } })
    const [words] = world.objects.texts(QUARANTINE, 'refused/').values()
    expect(JSON.parse(words ?? '')).toMatchObject({ key: ZIP, ...zipRuns(world)[1]?.problem })
    expect(world.rows()).toEqual(['Chad,1'])
  })
})

describe('two versions of a zip', () => {
  async function twoVersions(world: World) {
    const older = await landedZip(world, { 'a.csv': csv('Chad,1'), 'old.csv': csv('Peru,1') })
    const newer = await landedZip(world, { 'a.csv': csv('Chad,2') })
    return { older, newer }
  }

  it('end in the rows of the newer, in whichever order their events come', async () => {
    for (const order of ['older first', 'newer first'] as const) {
      const world = new World()
      const { older, newer } = await twoVersions(world)
      // The newer one's archiving uncovers the older in the landing folder.
      for (const message of order === 'older first' ? [older, newer] : [newer, older]) await world.handle(message)
      await world.untilQuiet()
      expect([order, world.rows()]).toEqual([order, ['Chad,2']])
      expect(zipStates(world).sort()).toEqual(['extracted', 'superseded'])
    }
  })

  it('end in the rows of the newer, though the older was at work when it landed and is finished later', async () => {
    const world = new World()
    const older = await landedZip(world, { 'a.csv': csv('Chad,1') })
    const atWork = world.handle(older)
    // The older one has looked at the landing folder by now, and extracts.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    const newer = await landedZip(world, { 'a.csv': csv('Chad,2') })
    await Promise.all([atWork, world.handle(newer)])
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2'])
  })

  it('end in the rows of the newer, when the older one’s first attempt failed and it comes back after', async () => {
    const world = new World()
    const older = await landedZip(world, { 'a.csv': csv('Chad,1') })
    const copy = world.objects.copy
    world.objects.copy = async () => {
      throw new Error('S3 is away')
    }
    await world.handle(older)
    world.objects.copy = copy
    world.messages.length = 0
    await world.handle(await landedZip(world, { 'a.csv': csv('Chad,2') }))
    await world.handle(older)
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,2'])
    expect(zipRuns(world)[0]).toMatchObject({
      state: 'superseded',
      problem: { message: 'A newer version of landing/sales/z.zip has been extracted.' },
    })
  })
})

describe('in the landing folder', () => {
  it('a CSV moves to where CSVs are read', async () => {
    const world = new World()
    world.land('landing/sales/2020/A.CSV', csv('Chad,1'))
    await world.untilQuiet()
    expect(world.objects.keys(RAW)).toEqual(['data/sales/2020/A.CSV'])
    expect(world.rows()).toEqual(['Chad,1'])
    expect(zipRuns(world)[0]).toMatchObject({ state: 'extracted', members: [{ key: 'data/sales/2020/A.CSV' }] })
  })

  it.each([
    ['landing/sales/a.xlsx', 'landing/sales/a.xlsx is neither a zip nor a CSV by its name: expected .zip, .csv'],
    ['landing/a.zip', 'landing/a.zip cannot be read: its key names no dataset (known: sales). Land it as landing/'],
    ['landing/other/a.zip', 'no contract names the dataset "other" (known: sales). '],
  ])('%s is refused in words', async (key, message) => {
    const world = new World()
    world.land(key, 'x')
    await world.pump()
    expect(zipRuns(world)[0]).toMatchObject({
      state: 'refused',
      problem: { message: expect.stringContaining(message) },
    })
    expect(world.objects.keys(RAW)).toEqual([key])
  })
})

describe('the last receive', () => {
  const failing = async () => {
    const world = new World()
    const message = await landedZip(world, { 'a.csv': csv('Chad,1') })
    message.receives = MAX_RECEIVES - 1
    return { world, message, put: world.objects.copy }
  }

  it('leaves the run failed when it fails, as the dead-letter queue has its message', async () => {
    const { world, message } = await failing()
    world.objects.copy = async () => {
      throw new Error('S3 is away')
    }
    await world.handle(message)
    expect(zipRuns(world)[0]).toMatchObject({
      state: 'failed',
      problem: {
        code: 'unzip_failed',
        message:
          'landing/sales/z.zip could not be extracted in several attempts. Its message is in the dead-letter queue: mend the cause and redrive it, or land the file again.',
      },
    })
  })

  it('clears what it wrote before when it succeeds after all, and so does a redriven message', async () => {
    const { world, message } = await failing()
    await world.handle({ ...message })
    expect(zipRuns(world)[0]).toMatchObject({ state: 'extracted' })
    expect(zipRuns(world)[0]).not.toHaveProperty('problem')

    const redriven = await failing()
    redriven.world.objects.copy = async () => {
      throw new Error('S3 is away')
    }
    await redriven.world.handle(redriven.message)
    redriven.world.objects.copy = redriven.put
    redriven.world.messages.push({ ...redriven.message, receives: 0 })
    await redriven.world.untilQuiet()
    expect(zipStates(redriven.world)).toEqual(['extracted'])
    expect(redriven.world.rows()).toEqual(['Chad,1'])
  })
})
