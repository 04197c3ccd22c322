import { beforeEach, describe, expect, it } from 'vitest'
import { aws, laptop } from '../../../infra/config.ts'
import { MAX_RECEIVES } from '../../../services/lambda/receives.ts'
import { extract } from '../../../services/unzip/extract.ts'
import { OutOfTime, RESERVE_MS, workMs } from '../../../services/unzip/time.ts'
import { type Member, zipBytes } from '../../fixtures/zips/build.ts'
import { csv } from '../memory/engine.ts'
import { contract, World } from '../memory/world.ts'
import { FakeS3 } from './fake-s3.ts'

const ZIP = 'landing/sales/z.zip'
const LIMITS = { maxMembers: 100, maxBytes: 1e12, maxRatio: 1e6 }
const TO = { bucket: 'raw', prefix: 'data/sales/z~1/' }
const MIB = 1024 ** 2
const RATE = 1_000_000

let s3: FakeS3
beforeEach(() => {
  s3 = new FakeS3()
})
function extracted(members: Member[], given: number, left = () => given, bytesPerSecond = RATE) {
  const bytes = zipBytes({ members })
  const zip = { bucket: 'raw', key: ZIP, bytes: bytes.length, ...s3.put(ZIP, bytes) }
  return extract(s3.client, zip, TO, LIMITS, async () => {}, { time: { given, left, bytesPerSecond } })
}
const member = (bytes: number): Member => ({ name: 'a.csv', data: Buffer.alloc(bytes, 'a') })

describe('the time of a function', () => {
  it.each([
    ['AWS', aws],
    ['a laptop', { ...laptop(), functionTimeout: aws.functionTimeout }],
  ])('is enough on %s for a zip at the default limits of a contract', (_, config) => {
    const { maxMembers, maxBytes } = contract.limits
    const needed = workMs(maxMembers, maxBytes, config.unzipBytesPerSecond)
    expect(needed).toBeLessThanOrEqual(config.functionTimeout.toMilliseconds() - RESERVE_MS)
  })

  it('is one zip’s alone', () => {
    expect([aws.unzipBatchSize, laptop().unzipBatchSize]).toEqual([1, 1])
  })
})

describe('a zip', () => {
  it('that declares more than a whole function can do is refused, and nothing is begun', async () => {
    await expect(extracted([member(3_000_000)], RESERVE_MS + 2_000)).rejects.toMatchObject({
      code: 'too_long',
      retryable: false,
      message: `${ZIP} declares 3,000,000 bytes in 1 CSVs, for which unzip may need 3 s (1,000,000 bytes a second); it has 2 s. Split it into several zips, or land the CSVs themselves in data/.`,
    })
    expect(s3.calls).not.toContain('CreateMultipartUpload')
  })

  it('for which too little is left of this function comes back for another', async () => {
    const late = extracted([member(3_000_000)], RESERVE_MS + 4_000, () => RESERVE_MS + 2_000)
    await expect(late).rejects.toMatchObject({ code: 'out_of_time', retryable: true })
    expect(s3.calls).not.toContain('CreateMultipartUpload')
  })

  it('whose parts take longer than was assumed is given up while there is time to abort them, in words', async () => {
    s3.partMillis = 2_500
    const began = Date.now()
    const given = RESERVE_MS + 1_500
    const slow = extracted([member(RATE / 10), { name: 'b.csv', data: 'b' }], given, () => given - Date.now() + began)
    await expect(slow).rejects.toThrow(
      /z\.zip was not extracted in time: 100,001 bytes of 2 CSVs were written in \d s, and the function has 32 s\. Nothing of it is visible\.$/,
    )
    expect([...s3.objects.keys()]).toEqual([ZIP])
    expect([s3.open.size, s3.strayParts]).toEqual([0, 0])
  })

  it('of which S3 never takes a part is given up all the same, and no further part is sent', async () => {
    s3.partMillis = 2 ** 30
    const began = Date.now()
    // When its bell has rung, nothing is left for waiting.
    const left = () => (Date.now() - began < 2_000 ? RESERVE_MS + 2_100 : 0)
    const stuck = extracted([{ name: 'a.csv', data: Buffer.alloc(40 * MIB) }], RESERVE_MS + 2_100, left, 1e12)
    await expect(stuck).rejects.toBeInstanceOf(OutOfTime)
    expect(s3.calls.filter((call) => call === 'UploadPart').length).toBeLessThanOrEqual(3)
  })

  it('that is never extracted in time has failed with what was done, and is redriven', async () => {
    const world = new World()
    world.deps.time = { given: 300_000, left: () => RESERVE_MS, bytesPerSecond: RATE }
    world.land(ZIP, zipBytes({ members: [{ name: 'a.csv', data: csv('Chad,1') }] }))
    const message = world.messages.pop() ?? expect.fail('no event')
    for (let i = 0; i < MAX_RECEIVES; i++) await world.handle(message)
    expect(world.deadLetters).toHaveLength(1)
    expect(world.runs()).toMatchObject([
      {
        state: 'failed',
        problem: { code: 'unzip_failed', message: expect.stringMatching(/has only 0 s left.*redrive it/) },
      },
    ])
    world.messages.length = 0
    world.deps.time = undefined
    world.redrive()
    await world.untilQuiet()
    expect(world.rows()).toEqual(['Chad,1'])
  })
})
