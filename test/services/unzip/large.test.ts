import { expect, it } from 'vitest'
import { extract } from '../../../services/unzip/extract.ts'
import { large } from '../../fixtures/zips/large.ts'
import { FakeS3 } from './fake-s3.ts'

const KEY = 'landing/sales/a.zip'
const TO = { bucket: 'raw', prefix: 'data/sales/a~1234/' }
const LIMITS = { maxMembers: 100, maxBytes: 1e10, maxRatio: 200 }
const MIB = 1024 ** 2

it.each(['stored', 'deflated'] as const)(
  'a zip with a member above 4 GiB is extracted, %s, and so is what stands behind it',
  async (how) => {
    const s3 = new FakeS3()
    s3.discard = true
    s3.partMillis = 0
    const zip = large(how)
    expect(zip.bytes > 2 ** 32).toBe(how === 'stored')
    const landed = { bucket: 'raw', key: KEY, bytes: zip.bytes, ...s3.serve(KEY, zip) }
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers)
    }, 50)
    const { members } = await extract(s3.client, landed, TO, LIMITS, async () => {}).finally(() => clearInterval(watch))
    expect(members).toMatchObject([
      { name: 'a.csv', ...zip.member },
      { name: 'b.csv', bytes: 29 },
    ])
    expect(s3.calls.filter((call) => call === 'UploadPart')).toHaveLength(Math.ceil(4097 / 8) + 1)
    // Garbage included, which a busy machine collects late.
    expect(most).toBeLessThan(512 * MIB)
  },
  60_000,
)
