import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sample } from '../../../events/s3-object.ts'
import { WrongUsage } from '../../../services/cli/exit.ts'
import { foundText, type RedriveOptions, redriveOn, returnedText } from '../../../services/cli/redrive.ts'
import { findDeadLetters } from '../../../services/operations/redrive.ts'
import { worldOfDead } from '../memory/dead-letters.ts'
import { csv } from '../memory/engine.ts'
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

/** A file that no one could look at, and one of which EventBridge could not tell convert. */
async function twoDead() {
  const place = worldOfDead()
  place.deny()
  place.world.land('data/sales/shop.csv', csv('Chad,1'))
  await place.die()
  place.allow()
  const event = sample('Object Created', 'raw', 'data/sales/lost.csv', 'PutObject')
  place.deadLetters.put('convert-rule', event, { receives: 0, undelivered: 'NO_PERMISSIONS: not allowed to send' })
  const [run] = place.world.runs()
  return { ...place, id: run?.runId.slice(0, 8) ?? '' }
}

const redrive = (place: Awaited<ReturnType<typeof twoDead>>, options: RedriveOptions = {}) =>
  redriveOn(place.landfall, options)

describe('what redrive shows', () => {
  it('is a line for each message, and why its run failed, in the words of the ledger', async () => {
    const { landfall, id } = await twoDead()
    expect(foundText(await findDeadLetters(landfall))).toBe(
      [
        'sent (UTC)           stage             received  event           of                   run       state                 why',
        `2026-01-01 00:00:01  convert                  5  Object Created  data/sales/shop.csv  ${id}  failed                not_taken_in`,
        '2026-01-01 00:00:02  convert (Landed)         0  Object Created  data/sales/lost.csv  -         no run in the ledger  undelivered',
        '',
        `${id}:`,
        '  data/sales/shop.csv landed, but could not be looked at in 5 attempts (Error: reading it is denied). Its',
        '  message is in the dead-letter queue: mend the cause and redrive it, or land the file again.',
        'data/sales/lost.csv:',
        '  EventBridge: NO_PERMISSIONS: not allowed to send',
      ].join('\n'),
    )
  })

  it('tells once what several runs fail for', async () => {
    const place = worldOfDead()
    place.deny()
    for (let i = 0; i < 7; i++) place.world.land(`data/sales/${i}.csv`, csv('Chad,1'))
    await place.die()
    const text = foundText(await findDeadLetters(place.landfall))
    expect(text).toMatch(/^[0-9a-f]{8}(, [0-9a-f]{8}){4} and 2 more:\n {2}data\/sales\/0\.csv landed, but could not/m)
    expect(text.match(/could not be looked at/g)).toHaveLength(1)
  })

  it('says that there is nothing, and of which stage', async () => {
    const found = await findDeadLetters(worldOfDead().landfall)
    expect(foundText(found)).toBe('Nothing to send back: the dead-letter queues are empty.')
    expect(foundText(found, 'unzip')).toBe('Nothing to send back: the dead-letter queues of unzip are empty.')
  })

  it("says why the sweep's stay where they are, and that some may be hidden", () => {
    const text = foundText({ queues: [], hidden: 2, sweep: 1 }).replaceAll('\n', ' ')
    expect(text).toContain(
      '1 message of sweep stays: each is a minute in which it failed, and no event that could be sent back.',
    )
    expect(text).toContain('2 more messages of the dead-letter queues may be there: someone else looks at them now.')
  })

  it('says how many there are beyond those that it has read', async () => {
    const { landfall, deadLetters } = worldOfDead()
    for (let i = 0; i < 5; i++) deadLetters.put('unzip-dead', '{}')
    expect(foundText(await findDeadLetters(landfall, { most: 2 }))).toContain(
      'The first 2 of about 5 messages of unzip; all would go back.',
    )
  })

  it('has no control character of what others wrote', async () => {
    const { landfall, deadLetters } = worldOfDead()
    deadLetters.put('unzip-dead', 'a\u001b[31m')
    expect(foundText(await findDeadLetters(landfall))).toContain('no event  a\\x1b[31m')
  })

  it('after it was done is how many went where, and what is still there for which reason', () => {
    const text = returnedText([
      { stage: 'unzip', moved: 1 },
      { stage: 'convert', moved: 1200, joined: true },
      { stage: 'convert', event: 'CsvLanded', moved: 0, failed: 'AccessDenied: no' },
    ])
    expect(text.split('\n')).toEqual([
      'Sent back 1,201 messages:',
      '  unzip: 1',
      '  convert: 1,200 (a move that was at work already)',
      '  convert (CsvLanded): 0. The others are still there: AccessDenied: no',
    ])
  })
})

describe('redrive', () => {
  it('is refused where no one can be asked, after it has shown what it would send, and sends nothing', async () => {
    const place = await twoDead()
    await expect(redrive(place)).rejects.toThrow(
      new WrongUsage(
        '"Send back 2 messages?" is asked on a terminal, and there is none. Nothing was done; --yes answers it beforehand.',
      ),
    )
    expect(said.err).toContain('data/sales/shop.csv')
    expect(said.out).toBe('')
    expect(place.deadLetters.bodies('convert-dead')).toHaveLength(1)
  })

  it('ends with 2 as a command where --json has no --yes', async () => {
    vi.restoreAllMocks()
    const { code, out, err } = await landfall(['redrive', '--json'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain('error: --json is for programs, which cannot be asked: it needs --yes.')
  })

  it('with --yes shows them, sends them back, and ends with 0', async () => {
    const place = await twoDead()
    expect(await redrive(place, { yes: true })).toBe(0)
    expect(said.err).toContain('not_taken_in')
    expect(said.out).toBe('Sent back 2 messages:\n  convert: 1\n  convert (Landed): 1\n')
    expect(place.world.messages).toHaveLength(2)
  })

  it('with --dry-run only shows them', async () => {
    const place = await twoDead()
    expect(await redrive(place, { dryRun: true })).toBe(0)
    expect(said.out).toContain('not_taken_in')
    expect(said.err).toBe('\n2 messages would be sent back; nothing was done.\n')
    expect(place.world.messages).toEqual([])
  })

  it('of empty queues asks nothing and ends with 0', async () => {
    expect(await redriveOn(worldOfDead().landfall, {})).toBe(0)
    expect(said).toEqual({ out: 'Nothing to send back: the dead-letter queues are empty.\n', err: '' })
  })

  it('with --json prints one object, and nothing else', async () => {
    const place = await twoDead()
    expect(await redrive(place, { yes: true, json: true })).toBe(0)
    expect(said.err).toBe('')
    expect(JSON.parse(said.out)).toMatchObject({
      queues: [
        { stage: 'convert', total: 1, letters: [{ receives: 5, runs: [{ problem: { code: 'not_taken_in' } }] }] },
        { stage: 'convert', event: 'Landed', letters: [{ undelivered: 'NO_PERMISSIONS: not allowed to send' }] },
      ],
      sweep: 0,
      returned: [
        { stage: 'convert', moved: 1 },
        { stage: 'convert', event: 'Landed', moved: 1 },
      ],
    })
  })

  it.each([
    ['is delivered', 'Chad,1', 0, 'delivered'],
    ['fails again', 'POISON,1', 1, 'failed'],
  ])('with --wait ends as land does, where the run %s', async (_, row, code, ends) => {
    const place = worldOfDead()
    place.deny()
    place.world.land('data/sales/shop.csv', csv(row))
    await place.die()
    place.allow()
    const ended = redriveOn(place.landfall, { yes: true, wait: true })
    await vi.waitFor(() => expect(place.world.messages).toHaveLength(1))
    await place.world.untilQuiet()
    expect(await ended).toBe(code)
    expect(said.out).toMatch(/Sent back 1 message:\n {2}convert: 1\n\nsource/)
    expect(said.out).toMatch(new RegExp(`^sales/shop\\.csv .* ${ends}$`, 'm'))
  })

  it('ends with 3 where SQS would not send them back', async () => {
    const place = await twoDead()
    place.deadLetters.ends = 'failed'
    expect(await redrive(place, { yes: true })).toBe(3)
    expect(said.out).toContain('convert: 0. The others are still there: The move ended as failed: AccessDenied.')
  })
})
