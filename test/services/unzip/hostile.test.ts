import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromBuffer } from 'yauzl-promise'
import type { BadMembers } from '../../../services/unzip/directory.ts'
import { type Extraction, extract, ZipRefused } from '../../../services/unzip/extract.ts'
import { A, B, FIXTURES, LIMITS } from '../../fixtures/zips/fixtures.ts'
import { FakeS3 } from './fake-s3.ts'
import { namesOf } from './zips.ts'

const KEY = 'landing/sales/a.zip'
const TO = { bucket: 'raw', prefix: 'data/sales/a~1234/' }

type Ended = { refusal?: ZipRefused; extraction?: Extraction; s3: FakeS3 }

async function ended(bytes: Buffer, badMembers: BadMembers): Promise<Ended> {
  const s3 = new FakeS3()
  const zip = { bucket: 'raw', key: KEY, bytes: bytes.length, ...s3.put(KEY, bytes) }
  let told = false
  const tell = async () => {
    told = true
  }
  try {
    const extraction = await extract(s3.client, zip, TO, LIMITS, tell, { badMembers })
    expect(extraction.members.map(({ key }) => key).sort()).toEqual([...s3.objects.keys()].sort().slice(0, -1))
    expect(s3.open.size).toBe(0)
    return { extraction, s3 }
  } catch (refusal) {
    if (!(refusal instanceof ZipRefused)) throw refusal
    expect([told, [...s3.objects.keys()], s3.open.size]).toEqual([false, [KEY], 0])
    return { refusal, s3 }
  }
}

/** What a path says: `refused/<code>--<case>@<member>.zip` and so on. */
const answerOf = (path: string) => {
  const [, folder = '', by = '', member] = /^(\w+)\/(\w+)--[^@]+?(?:@(\d+))?\.zip$/.exec(path) ?? []
  return { folder, by, member: member === undefined ? undefined : Number(member) - 1 }
}
const isGood = (text: string | undefined) => text === A || text === B || text === ''
const extractedTexts = ({ extraction, s3 }: Ended) =>
  (extraction?.members ?? []).map(({ key }) => s3.objects.get(key)?.bytes.toString())

const words = (text: string) =>
  text
    .replaceAll('|', '\\|')
    .replaceAll('\n', '⏎')
    .replaceAll(/(b{20})b+/g, '$1…')
const code = (text: string) => `\`${words(text).replaceAll('\0', '␀')}\``
const memberWords = ({ extraction }: Ended) =>
  (extraction?.members ?? []).map(({ key }) => code(key.slice(TO.prefix.length))).join(', ')
const skippedWords = ({ extraction }: Ended) =>
  (extraction?.skipped ?? []).map(({ name, reason, code: bad }) => `${code(name)}: ${bad ?? reason}`).join(', ')

describe('each hostile zip ends as its name says', () => {
  it.each([...FIXTURES.keys()])('%s', async (path) => {
    const bytes = FIXTURES.get(path) ?? Buffer.alloc(0)
    const { folder, by, member } = answerOf(path)
    const end = await ended(bytes, 'refuse')
    const names = member === undefined ? [undefined] : namesOf(bytes, member)
    if (folder === 'refused') {
      expect(end.refusal).toMatchObject({ code: by, retryable: false })
      expect(end.refusal?.message).toContain(KEY)
      expect(names).toContain(end.refusal?.member)
    } else if (folder === 'skipped') {
      const reason = by.replaceAll('_', ' ').replace('csv', 'CSV').replace('macos', 'macOS')
      expect(end.extraction?.skipped).toEqual([{ name: names[0], reason }])
      expect(extractedTexts(end)).toEqual([A])
    } else {
      expect(end.extraction).toMatchObject({ skipped: [] })
      expect(end.extraction?.members).toHaveLength(Number(by))
      expect(extractedTexts(end).every(isGood)).toBe(true)
    }
  })
})

/** The other reader takes the comment for the end record, and finds no member: such rows would be lost. */
const MISREAD = 'extracted/2--comment-with-an-end-record.zip'

it.each([...FIXTURES.keys()].filter((path) => !path.startsWith('refused/') && path !== MISREAD))(
  'members = extracted + skipped, as another reader counts them: %s',
  async (path) => {
    const bytes = FIXTURES.get(path) ?? Buffer.alloc(0)
    const others = await (
      await fromBuffer(bytes, { validateFilenames: false, validateEntrySizes: false })
    ).readEntries()
    const { extraction } = await ended(bytes, 'refuse')
    const ours = [...(extraction?.members ?? []), ...(extraction?.skipped ?? [])]
    expect(ours).toHaveLength(others.filter(({ filename }) => !filename.endsWith('/')).length)
    const crcs = others.map(({ crc32 }) => crc32)
    expect(crcs).toEqual(expect.arrayContaining((extraction?.members ?? []).map(({ crc32 }) => crc32)))
  },
)

describe('where the contract skips bad members', () => {
  it.each([...FIXTURES.keys()].filter((path) => path.startsWith('refused/')))('%s', async (path) => {
    const { by } = answerOf(path)
    const { refusal } = await ended(FIXTURES.get(path) ?? Buffer.alloc(0), 'refuse')
    const end = await ended(FIXTURES.get(path) ?? Buffer.alloc(0), 'skip')
    // Of a zip in which nothing is good, nothing can be taken.
    if (!refusal?.isOfMember) expect(end.refusal).toMatchObject({ code: by, message: refusal?.message })
    else if (end.refusal) expect(end.refusal.code).toBe('no_csv_member')
    else {
      expect(end.extraction?.skipped).toContainEqual(
        expect.objectContaining({ name: expect.any(String), code: by, reason: refusal.message }),
      )
      expect(extractedTexts(end).length).toBeGreaterThan(0)
      expect(extractedTexts(end).every(isGood)).toBe(true)
    }
  })
})

it('the table of hostile zips says how each ends', async () => {
  const lines: string[] = []
  for (const [path, bytes] of FIXTURES) {
    const end = await ended(bytes, 'refuse')
    const skip = await ended(bytes, 'skip')
    const ends = end.refusal ? end.refusal.code : memberWords(end)
    const skipped = skip.refusal
      ? skip.refusal.code
      : [memberWords(skip), skippedWords(skip)].filter(Boolean).join('; ')
    const said = end.refusal ? end.refusal.message : skippedWords(end)
    lines.push(`| ${code(path)} | ${ends} | ${end.refusal ? skipped : ''} | ${words(said)} |`)
  }
  const table = `# Hostile zips, how each ends, and what its owner is told

Made by \`npx vitest run test/services/unzip/hostile.test.ts -u\`, which extracts each of them; without \`-u\`, it fails when one ends otherwise. \`node test/fixtures/zips/make.ts FOLDER\` writes the zips.
The name of each is the expected answer: why it is refused and by the number of which member, why a member is skipped, or how many are extracted. Limits here: ${LIMITS.maxMembers} members, ${LIMITS.maxBytes.toLocaleString('en')} bytes, ${LIMITS.maxRatio} times the zip.
Of a refused zip nothing is written. With \`"zip": { "badMembers": "skip" }\` in the contract, a member that is bad by itself is left out, and the others are taken.

| zip | ends as | where bad members are skipped | words |
| --- | --- | --- | --- |
${lines.join('\n')}
`
  await expect(table).toMatchFileSnapshot('../../../HOSTILE-ZIPS.md')
})

it('the script makes the same bytes wherever it runs', () => {
  const hash = createHash('sha256')
  for (const [path, bytes] of FIXTURES) hash.update(path).update(bytes)
  expect(hash.digest('hex')).toMatchInlineSnapshot(`"3a1913eb8efe76e444699460efd49f2c515ea30e8d7a62484d132cc9eba629d0"`)
})
