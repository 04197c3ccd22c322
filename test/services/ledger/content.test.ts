import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseContract } from '../../../schemas/contract.ts'
import { csvLanded } from '../../../services/convert/convert.ts'
import { fingerprintsOf } from '../../../services/ledger/content.ts'
import { Ledger } from '../../../services/ledger/ledger.ts'
import { refusing } from '../memory/calls.ts'
import { csv } from '../memory/engine.ts'
import { interleaveAll } from '../memory/interleave.ts'
import { contract, RAW, World } from '../memory/world.ts'

const [A, B, C] = ['data/sales/a.csv', 'data/sales/b.csv', 'data/sales/c.csv']
const TEXT = csv('Chad,1', 'Peru,2')
const ROWS = ['Chad,1', 'Peru,2']

type Mode = 'warn' | 'refuse' | 'allow'
const worldOf = (sameContent: Mode) => new World(undefined, undefined, parseContract({ ...contract, sameContent }))

async function landed(world: World, ...files: [string, string][]) {
  for (const [key, text] of files) {
    world.clock.advance(1_000)
    world.land(key, text)
    await world.untilQuiet()
  }
}
/** How the runs of a key ended, in their order: with the code of what was wrong, and the key of what a warning names. */
const endings = (world: World, key: string) =>
  world
    .runs()
    .filter((run) => run.key === key)
    .map(({ state, problem, sameAs }) => [state, problem?.code, sameAs?.key].filter(Boolean).join(' '))

describe('fingerprints', () => {
  const md5 = (bytes: string | Buffer) => createHash('md5').update(bytes).digest()
  it('are the same of one PUT and of an upload in one part', () => {
    const [put, multipart] = [md5('x').toString('hex'), `${md5(md5('x')).toString('hex')}-1`]
    expect(fingerprintsOf({ etag: put, bytes: 1 })).toEqual(fingerprintsOf({ etag: multipart, bytes: 1 }))
  })

  it('differ where the bytes are not as many, and have the checksum of S3 where there is one', () => {
    const etag = md5('x').toString('hex')
    expect(fingerprintsOf({ etag, bytes: 1 })).not.toEqual(fingerprintsOf({ etag, bytes: 2 }))
    expect(fingerprintsOf({ etag: 'kms-1', bytes: 1, crc64: 'abc=' })).toEqual(['1#kms-1', '1#crc64#abc='])
  })
})

describe('the same bytes under another name', () => {
  it('are delivered, and their run names the one that has them', async () => {
    const world = worldOf('warn')
    await landed(world, [A, TEXT], [B, TEXT])
    const [a, b] = world.runs()
    expect(b).toMatchObject({
      state: 'delivered',
      sameAs: { runId: a?.runId, key: A, landedAt: a?.landedAt },
    })
    expect(a?.sameAs).toBeUndefined()
    expect(world.rows()).toEqual([...ROWS, ...ROWS].sort())
  })

  it('are refused where the contract says so, in words; their rows are in the table once', async () => {
    const world = worldOf('refuse')
    await landed(world, [A, TEXT], [B, TEXT])
    const [a, b] = world.runs()
    expect(b?.state).toBe('refused')
    expect(b?.problem).toEqual({
      code: 'same_content',
      message: `${B} has the same bytes as ${A}, which landed at ${a?.landedAt} (run ${a?.runId.slice(0, 8)}) and whose rows are in the table or on their way: taken in, each row would be there twice. If this is the right name, withdraw ${A} first and land this again; if both are right, have the contract say "sameContent": "warn" or "allow".`,
    })
    expect(world.rows()).toEqual(ROWS)
    expect([...world.objects.texts('quarantine').keys()]).toEqual([`refused/sales/${b?.sourceId}/${b?.runId}.json`])
    expect(world.objects.keys(RAW)).toEqual([A, B])
  })

  it('are nobody’s business where the contract allows them', async () => {
    const world = worldOf('allow')
    await landed(world, [A, TEXT], [B, TEXT])
    expect(endings(world, B)).toEqual(['delivered'])
  })

  it('are known while the first is still on its way', async () => {
    const world = worldOf('refuse')
    world.land(A, TEXT)
    world.land(B, TEXT)
    await world.untilQuiet()
    expect(endings(world, A)).toEqual(['delivered'])
    expect(endings(world, B)).toEqual(['refused same_content'])
  })

  it('of three, each later one is told of the first that is in the table', async () => {
    const world = worldOf('warn')
    await landed(world, [A, TEXT], [B, TEXT])
    await world.withdraw(A)
    await landed(world, [C, TEXT])
    expect(endings(world, C)).toEqual([`delivered ${B}`])
  })
})

describe.each<Mode>(['warn', 'refuse'])('what is no second name of the same bytes (%s):', (mode) => {
  it('the same key again', async () => {
    const world = worldOf(mode)
    await landed(world, [A, TEXT], [A, TEXT])
    expect(endings(world, A)).toEqual(['delivered', 'delivered'])
    expect(world.rows()).toEqual(ROWS)
  })

  it('one whose first was withdrawn', async () => {
    const world = worldOf(mode)
    await landed(world, [A, TEXT])
    await world.withdraw(A)
    await landed(world, [B, TEXT])
    expect(endings(world, B)).toEqual(['delivered'])
    expect(world.rows()).toEqual(ROWS)
  })

  it('one whose first was replaced by other bytes', async () => {
    const world = worldOf(mode)
    await landed(world, [A, TEXT], [A, csv('Mali,3')], [B, TEXT])
    expect(endings(world, B)).toEqual(['delivered'])
    expect(world.rows()).toEqual(['Chad,1', 'Mali,3', 'Peru,2'])
  })

  it('one whose first was refused, or failed', async () => {
    for (const text of ['WRONG\n1', csv('POISON,1')]) {
      const world = worldOf(mode)
      await landed(world, [A, text], [B, text])
      expect(endings(world, B)).toEqual(endings(world, A))
    }
  })

  it('what a replay or a rerun works on again', async () => {
    const world = worldOf(mode)
    await landed(world, [A, TEXT])
    world.replay('convert')
    await world.untilQuiet()
    await world.rerun('again')
    await world.untilQuiet()
    expect(new Set(endings(world, A))).toEqual(new Set(['delivered']))
    expect(world.rows()).toEqual(ROWS)
  })
})

describe('refused for the bytes of another', () => {
  it('is not brought in by a rerun while that one is there, and is when it was withdrawn', async () => {
    const world = worldOf('refuse')
    await landed(world, [A, TEXT], [B, TEXT])
    await world.rerun('one')
    await world.untilQuiet()
    expect(endings(world, B)).toEqual(['refused same_content', 'refused same_content'])
    expect(world.rows()).toEqual(ROWS)
    await world.withdraw(A)
    await landed(world, [B, TEXT])
    expect(endings(world, B).at(-1)).toBe('delivered')
    expect(world.rows()).toEqual(ROWS)
  })

  it('also if the first version of the other stays because a newer one is refused', async () => {
    const world = worldOf('refuse')
    await landed(world, [A, TEXT], [A, 'WRONG\n1'], [B, TEXT])
    expect(endings(world, B)).toEqual(['refused same_content'])
  })

  it('also if a rerun has typed the other again', async () => {
    const world = worldOf('refuse')
    await landed(world, [A, TEXT])
    await world.rerun('one')
    await world.untilQuiet()
    await landed(world, [B, TEXT])
    expect(endings(world, B)).toEqual(['refused same_content'])
  })

  it('also if its event was a dead letter at first, and is redriven', async () => {
    let deny = true
    const world = new World(
      refusing(({ name, args }) =>
        deny && name === 'head' && args[1] === B ? new Error('reading it is denied') : undefined,
      ),
      undefined,
      parseContract({ ...contract, sameContent: 'refuse' }),
    )
    await landed(world, [A, TEXT], [B, TEXT])
    expect(endings(world, B)).toEqual(['failed not_taken_in'])
    deny = false
    world.redrive()
    await world.untilQuiet()
    expect(endings(world, B)).toEqual(['refused same_content'])
    expect(world.rows()).toEqual(ROWS)
  })
})

describe('two that land at once', () => {
  const take =
    (key: string) =>
    async (world: World, wrap: <T extends object>(port: T) => T): Promise<void> => {
      const deps = { ...world.deps, ledger: new Ledger(wrap(world.table), world.clock.now) }
      const found = await world.objects.head(RAW, key)
      const event = { landedAt: world.books.instant(), versionId: found?.versionId }
      await csvLanded(deps, { bucket: RAW, key, cause: 'live', event })
    }
  const make = async (mode: Mode) => {
    const world = worldOf(mode)
    for (const key of [A, B]) world.land(key, TEXT)
    world.messages.splice(0)
    return world
  }

  it('are one the first and one the second, in any order of their calls', async () => {
    const orders = await interleaveAll(
      () => make('refuse'),
      [take(A), take(B)],
      (world) => {
        expect(
          world
            .states()
            .map((words) => words.split(' ').at(-1))
            .sort(),
        ).toEqual(['queued', 'refused'])
      },
    )
    expect(orders).toBeGreaterThan(100)
  })

  it('get one warning between them, in any order', async () => {
    await interleaveAll(
      () => make('warn'),
      [take(A), take(B)],
      (world) => {
        expect(world.runs().filter(({ sameAs }) => sameAs)).toHaveLength(1)
      },
    )
  })
})
