import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { extract, type Limits, ZipRefused } from '../../../services/unzip/extract.ts'
import { zipBytes } from '../../fixtures/zips/build.ts'
import { FIXTURES } from '../../fixtures/zips/fixtures.ts'
import { FakeS3 } from './fake-s3.ts'

const KEY = 'landing/sales/a.zip'
const LIMITS: Limits = { maxMembers: 5, maxBytes: 1e9, maxRatio: 100 }

/** Extracts, and expects a refusal. What each refusal is and says, `hostile.test.ts` has; here is what was done until then. */
async function refused(bytes: Buffer, limits: Partial<Limits> = {}): Promise<{ refusal: ZipRefused; s3: FakeS3 }> {
  const s3 = new FakeS3()
  const zip = { bucket: 'raw', key: KEY, bytes: bytes.length, ...s3.put(KEY, bytes) }
  const to = { bucket: 'raw', prefix: 'data/sales/a~1234/' }
  const refusal = await extract(s3.client, zip, to, { ...LIMITS, ...limits }, async () => {}).catch((thrown) => thrown)
  expect(refusal).toBeInstanceOf(ZipRefused)
  expect(s3.open.size).toBe(0)
  return { refusal: refusal as ZipRefused, s3 }
}
const fixture = (path: string) => FIXTURES.get(`refused/${path}.zip`) ?? expect.fail(path)

describe('of a refused zip', () => {
  it('both uploads are aborted when the second member is damaged', async () => {
    const { s3 } = await refused(fixture('crc_mismatch--stored@2'))
    expect(s3.calls.filter((call) => call === 'AbortMultipartUpload')).toHaveLength(2)
  })

  it.each([
    'encrypted_member--zipcrypto@2',
    'overlapping_members--each-holds-the-next@1',
    'unlisted_data--between',
    'directory_mismatch--fewer-said-than-listed',
  ])('nothing is uploaded and the zip is read once: %s', async (path) => {
    const { s3 } = await refused(fixture(path))
    expect(s3.calls).toEqual(['GetObject'])
  })

  it('nothing is moved when it says that its CSVs are too large', async () => {
    const { s3, refusal } = await refused(fixture('crc_mismatch--stored@2'), { maxBytes: 100 })
    expect(refusal.code).toBe('too_large')
    expect(s3.calls).toEqual(['GetObject'])
  })

  it.each([
    ['size_mismatch', { bytes: 1000 }],
    ['corrupt_member', { packed: Buffer.concat([Buffer.from([7]), randomBytes(3_000_000)]) }],
  ])('a large member is not read on when it shows to be wrong at its beginning: %s', async (code, wrong) => {
    const data = randomBytes(3_000_000)
    const zip = zipBytes({
      members: [
        { name: 'a.csv', method: 8, data, ...wrong },
        { name: 'b.csv', data: 'b\n' },
      ],
    })
    const { refusal, s3 } = await refused(zip)
    expect(refusal).toMatchObject({ code, member: 'a.csv' })
    expect(s3.calls).not.toContain('UploadPart')
  })
})
