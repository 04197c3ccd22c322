import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { extract, type Limits, ZipRefused } from '../../../services/unzip/extract.ts'
import { FakeS3 } from './fake-s3.ts'
import { damage, zipOf } from './zips.ts'

const KEY = 'landing/sales/a.zip'
const LIMITS: Limits = { maxMembers: 5, maxBytes: 100_000, maxRatio: 100 }
const two = () => zipOf({ 'a.csv': 'Region,Country\n'.repeat(50), 'b.csv': 'Region,Country\n'.repeat(60) })

/** Extracts, expects a refusal that leaves nothing behind, and gives it. */
async function refused(bytes: Buffer, limits: Partial<Limits> = {}): Promise<{ refusal: ZipRefused; s3: FakeS3 }> {
  const s3 = new FakeS3()
  const zip = { bucket: 'raw', key: KEY, bytes: bytes.length, ...s3.put(KEY, bytes) }
  const to = { bucket: 'raw', prefix: 'data/sales/a~1234/' }
  let told = false
  const refusal = await extract(s3.client, zip, to, { ...LIMITS, ...limits }, async () => {
    told = true
  }).catch((thrown: unknown) => thrown)
  expect(refusal).toBeInstanceOf(ZipRefused)
  expect(told).toBe(false)
  expect([...s3.objects.keys()]).toEqual([KEY])
  expect(s3.open.size).toBe(0)
  return { refusal: refusal as ZipRefused, s3 }
}

describe('a zip is refused whole', () => {
  it('when the CRC of its second member is wrong; both uploads are aborted', async () => {
    const { refusal, s3 } = await refused(damage.crc(await two(), 1))
    expect(refusal).toMatchObject({ code: 'crc_mismatch', member: 'b.csv', retryable: false })
    expect(refusal.message).toMatch(
      /^Member "b.csv" of landing\/sales\/a.zip cannot be read: its content is damaged \(CRC32 validation failed. Expected 2989, received \d+\). Make the zip again/,
    )
    expect(s3.calls.filter((call) => call === 'AbortMultipartUpload')).toHaveLength(2)
  })

  it('when the compressed data of a member is damaged', async () => {
    const { refusal } = await refused(damage.firstDataByte(await two()))
    expect(refusal).toMatchObject({ code: 'corrupt_zip', member: 'a.csv' })
    expect(refusal.message).toMatch(/^Member "a.csv" of landing\/sales\/a.zip cannot be read: its structure is damaged/)
  })

  it.each([
    ['more', 10, 'Too many bytes'],
    ['fewer', 5000, 'Not enough bytes'],
  ])('when a member holds %s bytes than it declares', async (_what, declared, says) => {
    const { refusal } = await refused(damage.uncompressedSize(await two(), 0, declared))
    expect(refusal).toMatchObject({ code: 'size_mismatch', member: 'a.csv' })
    expect(refusal.message).toContain(says)
  })

  it.each([
    ['its size', 'size_mismatch', (zip: Buffer) => damage.uncompressedSize(zip, 0, 1000)],
    ['its data', 'corrupt_zip', damage.firstDataByte],
  ])('when %s shows to be wrong while most of a large member is still to come', async (_what, code, harm) => {
    const zip = await zipOf({ 'a.csv': randomBytes(3_000_000), 'b.csv': 'b\n' })
    const { refusal } = await refused(harm(zip), { maxBytes: 1e9 })
    expect(refusal).toMatchObject({ code, member: 'a.csv' })
  })

  it('when a member is encrypted', async () => {
    const { refusal, s3 } = await refused(damage.flags(await two(), 1, 1))
    expect(refusal).toMatchObject({ code: 'encrypted_member', member: 'b.csv' })
    expect(refusal.message).toBe(
      'Member "b.csv" of landing/sales/a.zip is encrypted. Land it without encryption: the bucket encrypts.',
    )
    expect(s3.calls).not.toContain('CreateMultipartUpload')
  })

  it('when a member is strongly encrypted', async () => {
    const { refusal } = await refused(damage.flags(await two(), 1, 0x41))
    expect(refusal.code).toBe('encrypted_member')
  })

  it('when a member is compressed in a way that cannot be read', async () => {
    const { refusal } = await refused(damage.method(await two(), 0, 93))
    expect(refusal).toMatchObject({ code: 'unsupported_compression', member: 'a.csv' })
    expect(refusal.message).toContain('has compression method 93; 0 (stored) and 8 (deflate) can be read')
  })

  it('when it was cut off', async () => {
    const whole = await two()
    for (const kept of [whole.length - 1, whole.length - 60, 40]) {
      const { refusal } = await refused(whole.subarray(0, kept))
      expect(refusal.code).toBe('truncated_zip')
      expect(refusal.message).toContain(`its ${kept} bytes do not end as one`)
    }
  })

  it('when its middle is missing', async () => {
    const whole = await two()
    const { refusal } = await refused(Buffer.concat([whole.subarray(0, 20), whole.subarray(60)]))
    expect(refusal.code).toBe('corrupt_zip')
  })

  it.each([
    ['nothing', Buffer.alloc(0), 'it is empty'],
    ['two bytes', Buffer.from('PK'), 'it starts with'],
    ['a CSV', Buffer.from('Region,Country\n'.repeat(10)), 'it starts with 52656769'],
  ])('when it is %s', async (_what, bytes, says) => {
    const { refusal } = await refused(bytes)
    expect(refusal.code).toBe('not_a_zip')
    expect(refusal.message).toContain(`landing/sales/a.zip is not a zip: ${says}`)
  })

  it('when it is split over several files', async () => {
    const zip = await two()
    zip.writeUInt16LE(1, zip.length - 18)
    const { refusal } = await refused(zip)
    expect(refusal.code).toBe('multi_disk_zip')
  })

  it('when it holds no CSV', async () => {
    const { refusal } = await refused(await zipOf({ 'a.txt': 'x', 'eu/': '' }))
    expect(refusal.code).toBe('no_csv_member')
    expect(refusal.message).toBe(
      'landing/sales/a.zip holds no CSV among its 2 members ("a.txt": not a CSV). Add one named *.csv.',
    )
    expect((await refused(await zipOf({}))).refusal.code).toBe('no_csv_member')
  })

  it.each([
    ['climbs out of the archive', '../b.csv'],
    ['climbs out of the archive', 'a/../csv'],
    ['has an absolute path', '/bbb.csv'],
    ['has an absolute path', 'c:bb.csv'],
    ['has a backslash', 'a\\bb.csv'],
    ['has a control character', 'a\nbb.csv'],
  ])('when a member %s (%j)', async (says, name) => {
    const { refusal } = await refused(damage.name(await zipOf({ 'a.csv': 'a\n', 'xxxx.csv': 'b\n' }), 'xxxx.csv', name))
    expect(refusal).toMatchObject({ code: 'unsafe_name', member: name })
    expect(refusal.message).toContain(`landing/sales/a.zip: member ${JSON.stringify(name)} ${says}`)
  })

  it('when a name is not the UTF-8 that it claims to be', async () => {
    const zip = await zipOf({ 'é.csv': 'a\n' })
    for (let at = zip.indexOf('é'); at >= 0; at = zip.indexOf('é')) zip[at + 1] = 0x41
    expect((await refused(zip)).refusal.code).toBe('unsafe_name')
  })

  it('when two members become one key', async () => {
    const { refusal } = await refused(await zipOf({ 'eu/a b.csv': 'a\n', 'eu/a_b.csv': 'b\n' }))
    expect(refusal).toMatchObject({ code: 'name_collision', member: 'eu/a_b.csv' })
    expect(refusal.message).toBe(
      'Members "eu/a b.csv" and "eu/a_b.csv" of landing/sales/a.zip both become data/sales/a~1234/eu/a_b.csv. Rename one of them.',
    )
  })

  it('when two members have the same name', async () => {
    const { refusal } = await refused(damage.name(await two(), 'b.csv', 'a.csv'))
    expect(refusal.code).toBe('name_collision')
  })

  it('when a name is longer than a key may be', async () => {
    const { refusal } = await refused(await zipOf({ [`${'é'.repeat(510)}.csv`]: 'a\n' }))
    expect(refusal.code).toBe('unsafe_name')
    expect(refusal.message).toContain('would need a key of 1042 bytes; S3 takes 1024')
  })

  it('when it has too many members, whatever they are', async () => {
    const names = ['a.csv', 'b.txt', 'c.txt', 'd/', 'e.txt', 'f.txt']
    const { refusal } = await refused(await zipOf(Object.fromEntries(names.map((name) => [name, '']))))
    expect(refusal.code).toBe('too_many_members')
    expect(refusal.message).toContain("has at least 6 members; the contract's limit is 5")
  })

  it('when it says that its CSVs are too large, before any of them is moved', async () => {
    const { refusal, s3 } = await refused(await two(), { maxBytes: 1000 })
    expect(refusal).toMatchObject({ code: 'too_large', member: 'b.csv' })
    expect(refusal.message).toContain("the contract's limit is 1000")
    expect(s3.calls).toEqual(['GetObject'])
  })

  it('when it unpacks to too many times its size', async () => {
    const { refusal } = await refused(await zipOf({ 'bomb.csv': Buffer.alloc(90_000) }), { maxRatio: 50 })
    expect(refusal).toMatchObject({ code: 'ratio_too_high', member: 'bomb.csv' })
  })

  it('when a bomb lies about its size: no more than declared is ever passed on', async () => {
    const bomb = damage.uncompressedSize(await zipOf({ 'bomb.csv': Buffer.alloc(50_000_000) }), 0, 1000)
    const { refusal } = await refused(bomb, { maxBytes: 2000 })
    expect(refusal).toMatchObject({ code: 'size_mismatch', member: 'bomb.csv' })
  })
})
