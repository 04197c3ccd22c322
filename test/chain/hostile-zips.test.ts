import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sourceIdOf } from '../../services/ledger/ids.ts'
import { hasEnded, type Run, type RunRef } from '../../services/ledger/run.ts'
import { memberRuns } from '../../services/operations/follow.ts'
import { FIXTURES } from '../fixtures/zips/fixtures.ts'
import { listKeys, type Stack, stack } from './stack.ts'

/** One of each kind of end; what each of all fixtures ends as, `test/services/unzip/hostile.test.ts` says. */
const ZIPS = [
  'refused/unsafe_name--climbs-out@2',
  'refused/name_collision--blanks@2',
  'refused/encrypted_member--aes@2',
  'refused/crc_mismatch--deflated@1',
  'refused/truncated_zip--directory',
  'refused/not_a_zip--csv',
  'refused/directory_mismatch--fewer-said-than-listed',
  'refused/unlisted_data--two-zips-one-behind-the-other',
  'refused/overlapping_members--each-holds-the-next@1',
  'refused/headers_disagree--name@2',
  'refused/no_csv_member--empty-zip',
  'skipped/symbolic_link--to-a-file@2',
  'extracted/2--descriptors-of-zip64-signed',
  'extracted/2--file-named-like-a-folder',
  'extracted/2--percent-codes-stay-text',
  'extracted/1--cp437',
]
/** Rows of the first member, which is in all that are extracted, and of both. */
const [FIRST, BOTH] = [2, 3]
const rowsOf = (path: string) => {
  if (path.startsWith('refused/')) return 0
  return path.startsWith('extracted/2') ? BOTH : FIRST
}
const keyOf = (path: string) => `landing/sales/${path.replace('/', '-')}.zip`

let chain: Stack
beforeAll(async () => {
  chain = await stack('hostile-zips')
}, 120_000)
afterAll(() => chain?.close())

async function ended(ref: () => Promise<Run | undefined>, what: string): Promise<Run> {
  for (const until = Date.now() + 90_000; Date.now() < until; await sleep(200)) {
    const run = await ref()
    if (run && hasEnded(run.state)) return run
  }
  throw new Error(`${what} has not come to an end.`)
}

it('hostile zips that land at once each end in the ledger as their names say, and only good rows are in the table', async () => {
  const { landfall } = chain
  const { ledger, s3, rawBucket } = landfall
  await Promise.all(
    ZIPS.map((path) =>
      s3.send(new PutObjectCommand({ Bucket: rawBucket, Key: keyOf(path), Body: FIXTURES.get(`${path}.zip`) })),
    ),
  )
  let rows = 0
  for (const path of ZIPS) {
    const key = keyOf(path)
    const source = { dataset: 'sales', sourceId: sourceIdOf(key) }
    const run = await ended(async () => (await ledger.runs(source)).at(-1), key)
    const [, folder, by] = /^(\w+)\/(\w+)--/.exec(path) ?? []
    if (folder === 'refused') expect([path, run.state, run.problem?.code]).toEqual([path, 'refused', by])
    else expect([path, run.state, run.skipped?.length]).toEqual([path, 'extracted', folder === 'skipped' ? 1 : 0])
    const members = await Promise.all(
      memberRuns(run).map((ref: RunRef) => ended(() => ledger.run(ref), `${key} ${ref.sourceId}`)),
    )
    expect([path, members.map(({ state }) => state)]).toEqual([path, members.map(() => 'delivered')])
    expect([path, members.reduce((sum, { accepted = 0 }) => sum + accepted, 0)]).toEqual([path, rowsOf(path)])
    rows += rowsOf(path)
  }
  expect(await chain.count()).toBe(rows)
  // A refused zip stays where it landed, and its words are in the quarantine.
  const refused = ZIPS.filter((path) => path.startsWith('refused/'))
  expect((await listKeys(chain, 'raw', 'landing/sales/')).sort()).toEqual(refused.map(keyOf).sort())
  expect(await listKeys(chain, 'quarantine', 'refused/sales/')).toHaveLength(refused.length)
}, 150_000)
