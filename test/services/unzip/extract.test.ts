import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { UploadPartCommand } from '@aws-sdk/client-s3'
import { beforeEach, describe, expect, it } from 'vitest'
import { extract, type Limits, type ReadyMember, ZipGone, type ZipSource } from '../../../services/unzip/extract.ts'
import { FakeS3 } from './fake-s3.ts'
import { zipOf } from './zips.ts'

const KEY = 'landing/sales/a.zip'
const TO = { bucket: 'raw', prefix: 'data/sales/a~1234/' }
const LIMITS: Limits = { maxMembers: 100, maxBytes: 1e9, maxRatio: 1000 }
const MIB = 1024 * 1024

let s3: FakeS3
beforeEach(() => {
  s3 = new FakeS3()
})

function landed(bytes: Buffer): ZipSource {
  return { bucket: 'raw', key: KEY, bytes: bytes.length, ...s3.put(KEY, bytes) }
}

const nothing = async () => undefined
const written = (name: string) => s3.objects.get(TO.prefix + name)?.bytes
/** All that was written: keys beside the zip's own. */
const keys = () => [...s3.objects.keys()].filter((key) => key !== KEY)

/** Bytes that do not compress, so that they cross parts and windows. */
const noise = (mib: number) => randomBytes(mib * MIB)

describe('extract', () => {
  it('writes each CSV member under the prefix and says what it wrote', async () => {
    const zip = landed(await zipOf({ 'Sales of May.csv': 'a,b\n1,2\n', 'eu/ie.CSV': 'a,b\n' }))
    const { members, skipped } = await extract(s3.client, zip, TO, LIMITS, nothing)
    expect(written('Sales_of_May.csv')?.toString()).toBe('a,b\n1,2\n')
    expect(written('eu/ie.CSV')?.toString()).toBe('a,b\n')
    expect(skipped).toEqual([])
    const first = s3.objects.get(`${TO.prefix}Sales_of_May.csv`)
    expect(members[0]).toEqual({
      name: 'Sales of May.csv',
      key: `${TO.prefix}Sales_of_May.csv`,
      bytes: 8,
      crc32: crc32('a,b\n1,2\n'),
      etag: first?.etag,
      versionId: first?.versionId,
    })
    expect(first?.contentType).toBe('text/csv')
    expect(members.map(({ key }) => key)).toEqual(keys())
  })

  it('reads a small zip with one GET', async () => {
    const zip = landed(await zipOf({ 'a.csv': 'a\n1\n', 'b.csv': 'a\n2\n', 'readme.txt': 'hello' }))
    await extract(s3.client, zip, TO, LIMITS, nothing)
    expect(s3.calls.filter((call) => call === 'GetObject')).toHaveLength(1)
  })

  it('carries members of many parts over unchanged, with at most three parts in flight', async () => {
    const [large, stored] = [noise(30), noise(9)]
    const zip = landed(await zipOf({ 'large.csv': large, 'stored.csv': { content: stored, compress: false } }))
    s3.partMillis = 100
    await extract(s3.client, zip, TO, LIMITS, nothing)
    expect(written('large.csv')?.equals(large)).toBe(true)
    expect(written('stored.csv')?.equals(stored)).toBe(true)
    expect(s3.calls.filter((call) => call === 'UploadPart')).toHaveLength(4 + 2)
    expect(s3.mostPartsInFlight).toBeGreaterThan(1)
    expect(s3.mostPartsInFlight).toBeLessThanOrEqual(3)
  })

  it('writes an empty member as an empty object, stored or deflated', async () => {
    const zip = landed(await zipOf({ 'stored.csv': { compress: false }, 'deflated.csv': { compress: true } }))
    const { members } = await extract(s3.client, zip, TO, LIMITS, nothing)
    expect(members.map(({ bytes }) => bytes)).toEqual([0, 0])
    expect(written('stored.csv')?.length).toBe(0)
    expect(written('deflated.csv')?.length).toBe(0)
  })

  it('skips what is no CSV, naming it and the reason, and passes over directories', async () => {
    const link = { content: 'a.csv', mode: 0o120777 }
    const zip = landed(
      await zipOf({
        'eu/': '',
        'eu/a.csv': 'a\n',
        'notes.txt': 'x',
        '__MACOSX/eu/._a.csv': 'x',
        '.x.csv': 'x',
        'b.csv': link,
      }),
    )
    const { members, skipped } = await extract(s3.client, zip, TO, LIMITS, nothing)
    expect(members.map(({ name }) => name)).toEqual(['eu/a.csv'])
    expect(skipped).toEqual([
      { name: 'notes.txt', reason: 'not a CSV' },
      { name: '__MACOSX/eu/._a.csv', reason: 'macOS metadata' },
      { name: '.x.csv', reason: 'hidden file' },
      { name: 'b.csv', reason: 'symbolic link' },
    ])
  })

  it('tells what is ready when every part is in S3 and no object is visible yet', async () => {
    const zip = landed(await zipOf({ 'a.csv': noise(9), 'b.csv': 'b\n', 'c.txt': '' }))
    let told: ReadyMember[] = []
    await extract(s3.client, zip, TO, LIMITS, async (members, skipped) => {
      told = members
      expect(skipped).toEqual([{ name: 'c.txt', reason: 'not a CSV' }])
      expect(keys()).toEqual([])
      expect([...s3.open.values()].map(({ parts }) => parts.size)).toEqual([2, 1])
    })
    expect(told.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['a.csv', 9 * MIB],
      ['b.csv', 2],
    ])
    expect(keys()).toHaveLength(2)
  })

  it('aborts every upload when the books cannot be written', async () => {
    const zip = landed(await zipOf({ 'a.csv': 'a\n', 'b.csv': 'b\n' }))
    const refuse = async () => {
      throw new Error('the ledger is busy')
    }
    await expect(extract(s3.client, zip, TO, LIMITS, refuse)).rejects.toThrow('the ledger is busy')
    expect(keys()).toEqual([])
    expect(s3.open.size).toBe(0)
    expect(s3.calls.filter((call) => call === 'AbortMultipartUpload')).toHaveLength(2)
  })

  it('passes on an error of S3 at any call as it is, and leaves no upload open and no half object', async () => {
    const contents = { 'a.csv': noise(9), 'b.csv': noise(9) }
    const stored = (content: Buffer) => ({ content, compress: false })
    const bytes = await zipOf({ 'a.csv': stored(contents['a.csv']), 'b.csv': stored(contents['b.csv']), 'c.txt': 'x' })
    await extract(s3.client, landed(bytes), TO, LIMITS, nothing)
    const calls = [...s3.calls]
    expect(calls.slice(-2)).toEqual(['CompleteMultipartUpload', 'CompleteMultipartUpload'])
    for (const [index, call] of calls.entries()) {
      s3 = new FakeS3()
      const down = new Error('SlowDown')
      s3.fault = (_command, nth) => (nth === index + 1 ? down : undefined)
      const thrown = await extract(s3.client, landed(bytes), TO, LIMITS, nothing).catch((error: unknown) => error)
      expect(thrown, call).toBe(down)
      expect(s3.open.size, call).toBe(0)
      for (const key of keys()) {
        const name = key.slice(TO.prefix.length) as keyof typeof contents
        expect(written(name)?.equals(contents[name]), call).toBe(true)
      }
    }
  })

  it('stops at a part that fails, and waits for those in flight before it aborts', async () => {
    const zip = landed(await zipOf({ 'a.csv': noise(30) }))
    let parts = 0
    s3.partMillis = 100
    s3.fault = (command) => (command instanceof UploadPartCommand && ++parts === 2 ? new Error('lost') : undefined)
    await expect(extract(s3.client, zip, TO, LIMITS, nothing)).rejects.toThrow('lost')
    expect(s3.calls.at(-1)).toBe('AbortMultipartUpload')
    expect(s3.calls.filter((call) => call === 'UploadPart').length).toBeLessThan(3)
    expect(s3.open.size).toBe(0)
    // Time enough for a part that nobody waited for.
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(s3.strayParts).toBe(0)
  })

  it('does not take a connection that ends early for a damaged zip', async () => {
    const zip = landed(await zipOf({ 'a.csv': noise(3) }))
    const whole = s3.objects.get(KEY)
    if (!whole) throw new Error('not landed')
    // The object is shorter than its size says, as a stream that was cut would be.
    s3.objects.set(KEY, { ...whole, bytes: Buffer.concat([whole.bytes.subarray(0, MIB)]) })
    const error = await extract(s3.client, zip, TO, LIMITS, nothing).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      name: 'Error',
      message: expect.stringMatching(/^GetObject of .* gave \d+ bytes; bytes=/),
    })
    expect(s3.open.size).toBe(0)
  })

  it('does not take a store that ignores ranges for a damaged zip', async () => {
    const zip = landed(await zipOf({ 'a.csv': noise(3) }))
    s3.ignoreRange = true
    await expect(extract(s3.client, zip, TO, LIMITS, nothing)).rejects.toThrow(/gave \d+ bytes; bytes=/)
  })

  it.each([
    ['another version', { versionId: 'v0' }, 'it is no longer there'],
    ['another ETag', { etag: '"other"' }, 'another object is in its place'],
    ['another key', { key: 'landing/sales/b.zip' }, 'it is no longer there'],
  ])('says that the zip is gone when S3 has %s', async (_what, other, reason) => {
    const zip = { ...landed(await zipOf({ 'a.csv': 'a\n' })), ...other }
    const error = await extract(s3.client, zip, TO, LIMITS, nothing).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ZipGone)
    expect(error).toMatchObject({ code: 'gone', retryable: false, message: expect.stringContaining(reason) })
  })

  it('says that the zip is gone when it is replaced while it is read', async () => {
    const zip = landed(await zipOf({ 'a.csv': noise(1), 'b.csv': noise(1) }))
    s3.fault = (_command, nth) => {
      if (nth === 2) s3.put(KEY, Buffer.from('new'))
      return undefined
    }
    await expect(extract(s3.client, zip, TO, LIMITS, nothing)).rejects.toBeInstanceOf(ZipGone)
    expect(keys()).toEqual([])
    expect(s3.open.size).toBe(0)
  })
})
