import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WrongUsage } from '../../../services/cli/exit.ts'
import { showText } from '../../../services/cli/show.ts'
import { type WithdrawOptions, withdrawOn } from '../../../services/cli/withdraw.ts'
import { memberFolderOf, sourceIdOf } from '../../../services/ledger/ids.ts'
import { headKey } from '../../../services/ledger/run.ts'
import { NoSuchRun } from '../../../services/operations/find-run.ts'
import { show } from '../../../services/operations/show.ts'
import { csv } from '../memory/engine.ts'
import { placeOf } from '../operations/withdraw/place.ts'
import { zipOf } from '../unzip/zips.ts'
import { landfall } from './landfall.ts'

const said = { out: '', err: '' }
beforeEach(() => {
  Object.assign(said, { out: '', err: '' })
  for (const [stream, to] of [
    [process.stdout, 'out'],
    [process.stderr, 'err'],
  ] as const)
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said[to] += String(text)
      return true
    })
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(Object.assign(process.stdin, { isTTY: false }))
})
afterEach(() => vi.restoreAllMocks())

const A = 'data/sales/a.csv'
const Z = 'landing/sales/z.zip'
const member = (name: string) => `${memberFolderOf('sales', Z)}${name}`

type Place = ReturnType<typeof placeOf>

async function landed(): Promise<Place> {
  const place = placeOf()
  place.world.land(A, csv('Chad,1', 'Peru,2'))
  place.world.land(Z, await zipOf({ 'm.csv': csv('Chad,3'), 'n.csv': csv('Togo,4') }))
  await place.world.untilQuiet()
  return place
}

function withdraw(
  { landfall, deps }: Place,
  text: string,
  options: WithdrawOptions = { yes: true },
  signal = new AbortController().signal,
) {
  const { sleep, unique } = deps
  return withdrawOn(landfall, text, options, { sleep, unique, signal })
}

const flat = (text: string) => text.replaceAll(/\s+/g, ' ')

describe('withdraw', () => {
  it('shows the sources, with rows, objects, open runs and the zip, and asks; without a terminal nothing is done', async () => {
    const place = await landed()
    await expect(withdraw(place, Z, {})).rejects.toThrow(
      new WrongUsage(
        '"Withdraw 2 sources with 2 rows?" is asked on a terminal, and there is none. Nothing was done; --yes answers it beforehand.',
      ),
    )
    const m = member('m.csv')
    const n = member('n.csv')
    const width = m.length
    expect(said.err.split('\n').slice(0, 4)).toEqual([
      `${'source'.padEnd(width)}  rows in the table  objects in delivery  in processing  open runs  out already (UTC)  came in`,
      `${Z.padEnd(width)}                  -                    -              -          0  no                 -`,
      `${m}                  1                    1              1          0  no                 ${Z}`,
      `${n}                  1                    1              1          0  no                 ${Z}`,
    ])
    expect(said.err).toContain('landing the key again does')
    expect(said.out).toBe('')
    expect(place.world.rows()).toHaveLength(4)
  })

  it('with --yes takes out, waits for the catalog, says how many rows, and what still holds them until when', async () => {
    const place = await landed()
    expect(await withdraw(place, A)).toBe(0)
    expect(place.world.rows()).toEqual(['Chad,3', 'Togo,4'])
    expect(said.err).toMatch(
      /withdraw +a\.csv: out of the table\n.+ wait +for the catalog\n(.+\n)*.+catalog +has been told/,
    )
    expect(said.out).toMatch(
      /^Out of the table: 2 rows of 1 source; 2 objects out of delivery, 1 object out of processing\.\n/,
    )
    expect(said.out).toMatch(
      /^raw +1 +1 +1 +[\d,]+ +90 days after it was replaced or deleted +s3:\/\/raw\/data\/sales\/a\.csv$/m,
    )
    expect(said.out).toMatch(
      /^staging +\d+ +\d+ +0 +[\d,]+ +7 days after it was written +s3:\/\/staging\/convert\/sales~/m,
    )
    expect(said.out).toContain('The same command with --erase deletes')
    expect(flat(said.out)).toContain('query results (s3://results/)')
    expect(flat(said.out)).toContain('until each goes 30 days after it was written')
  })

  it('of a member names the zip that still has it, what else is in that, and how to erase it', async () => {
    const place = await landed()
    expect(await withdraw(place, member('m.csv'), { yes: true, erase: true })).toBe(0)
    expect(said.err).toContain('Erased with them, every version:')
    expect(said.out).toContain('Erased for good:')
    expect(said.out).toMatch(/^zip it came in +1 +1 +0 +[\d,]+ +stays +s3:\/\/raw\/old-data\/sales\/z\.zip$/m)
    expect(flat(said.out)).toContain(
      `${Z} also holds ${member('n.csv')}: it is erased only as a whole, by landfall withdraw ${Z} --erase.`,
    )
  })

  it('with --erase of all there is says that nothing holds it any more, but for what it cannot know', async () => {
    const place = await landed()
    expect(await withdraw(place, A, { yes: true, erase: true })).toBe(0)
    expect(said.out).toContain('No zone, no zip, no reject and no example in the ledger holds the data any more.')
    expect(said.out).toContain('Elsewhere\n')
    expect(said.out).not.toContain('--erase deletes')
    expect(await place.places(A)).toEqual([])
  })

  it('with --json prints one object, and asks for --yes', async () => {
    const place = await landed()
    expect(await withdraw(place, A, { yes: true, json: true, erase: true })).toBe(0)
    expect(JSON.parse(said.out)).toMatchObject({
      dataset: 'sales',
      sources: [{ key: A, outcome: 'withdrawn', rows: 2, objects: { processing: 1, delivery: 2 } }],
      erased: { places: expect.arrayContaining([expect.objectContaining({ place: 'raw', versions: 1, markers: 1 })]) },
      holds: { places: [], ledger: { examples: 0, problems: 0 } },
      again: [],
    })
    vi.restoreAllMocks()
    const { code, out, err } = await landfall(['withdraw', A, '--json'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain('error: --json is for programs, which cannot be asked: it needs --yes.')
  })

  it('of what never landed is wrong usage', async () => {
    await expect(withdraw(placeOf(), 'data/sales/never.csv')).rejects.toThrow(NoSuchRun)
  })

  it('ends with 1 where the source has landed again meanwhile, and says that its newer version stays', async () => {
    const place = await landed()
    const { objects } = place.world
    const remove = objects.remove.bind(objects)
    objects.remove = async (bucket, keys) => {
      await remove(bucket, keys)
      objects.remove = remove
      if (keys.includes(A)) place.world.land(A, csv('Mali,9'))
    }
    expect(await withdraw(place, A, { yes: true, erase: true })).toBe(1)
    expect(said.out).toContain(`  ${A}: landed again meanwhile: its newer version stays`)
    expect(said.out).toContain(`  ${A} has landed again: nothing of it was erased.`)
    await place.world.untilQuiet()
    expect(place.world.rows()).toEqual(['Chad,3', 'Mali,9', 'Togo,4'])
  })

  it('ends with 3 where someone was at work on a source all the time, and says what is left to do', async () => {
    const place = await landed()
    const source = { dataset: 'sales', sourceId: sourceIdOf(member('n.csv')) }
    const lockUntil = place.world.clock.ms + 300_000
    await place.world.table.write([{ update: headKey(source), set: { lockOwner: 'else', lockUntil } }])
    expect(await withdraw(place, Z)).toBe(3)
    expect(said.out).toContain('Out of the table: 1 row of 1 source;')
    expect(flat(said.out)).toContain(
      `${member('n.csv')}: not withdrawn: someone was at work on it all the time. Another`,
    )
    expect(said.out).toContain('Give the same command again: it does what is left.')
    place.world.clock.advance(300_000)
    expect(await withdraw(place, Z)).toBe(0)
    expect(place.world.rows()).toEqual(['Chad,1', 'Peru,2'])
  })

  it('interrupted between two sources ends with 130, and says what is out and what was not begun', async () => {
    const place = await landed()
    const stop = new AbortController()
    const { objects } = place.world
    const remove = objects.remove.bind(objects)
    objects.remove = async (bucket, keys) => {
      await remove(bucket, keys)
      if (keys.includes(member('m.csv'))) stop.abort()
    }
    expect(await withdraw(place, Z, { yes: true }, stop.signal)).toBe(130)
    expect(said.out).toContain('Out of the table: 1 row of 1 source;')
    expect(said.out).toContain(`  ${member('n.csv')}: not begun`)
  })
})

it('show says that a source was withdrawn, and since when', async () => {
  const place = await landed()
  await withdraw(place, A)
  await withdraw(place, Z)
  const text = async (key: string) => showText(await show(place.landfall, key), place.world.clock.now())
  expect(await text(A)).toMatch(/^ {2}in the table {2}no: withdrawn 2026-01-01 \d\d:\d\d:\d\d UTC$/m)
  expect(await text(member('m.csv'))).toMatch(/^ {2}in the table {2}no: withdrawn /m)
  expect(await text(Z)).toMatch(/^ {2}withdrawn {5}2026-01-01 \d\d:\d\d:\d\d UTC$/m)
})
