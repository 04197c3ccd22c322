import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { clientConfig } from '../../infra/local/runtime.ts'
import { landfall, main, type Said } from '../services/cli/landfall.ts'
import { type Stack, sales, stack } from './stack.ts'

let chain: Stack
beforeAll(async () => {
  chain = await stack('seeing')
}, 120_000)
afterAll(() => chain?.close())

function environment() {
  const { endpoint, region, credentials } = clientConfig(chain.runtime.endpoint)
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
}

/** The command as people give it for AWS, with the test's runtime in AWS's place. */
const said = (...args: string[]): Promise<Said> => landfall([...args, '--aws'], environment())

/** A file of 40 rows of which those on lines 3 and 5 are bad, and those lines as they would be right. */
async function withBadRows(seed: number) {
  const lines = (await sales({ rows: 40, seed, countries: 5 })).trimEnd().split('\n')
  const right = [lines[2] ?? '', lines[4] ?? '']
  lines[2] = right[0]?.split(',').with(5, '13/20/2015').join(',') ?? ''
  lines[4] = right[1]?.split(',').slice(0, -1).join(',') ?? ''
  return { lines, right, text: `${lines.join('\n')}\n` }
}

// The tests share one runtime, and each looks at what the ones before have left.
describe.sequential('a file with bad rows', () => {
  it('is foretold by check as the chain then delivers it', async () => {
    const file = await chain.csv('shop.csv', (await withBadRows(1)).text)
    const { code, out } = await landfall(['check', file, '--json'])
    expect(code).toBe(0)
    const { ends, sources } = JSON.parse(out)
    const [run] = await chain.landed(file)
    expect(ends).toBe('delivered with rejects')
    const { key, rowsIn, accepted, rejected, reasons, examples } = sources[0]
    expect(run).toMatchObject({ key, rowsIn, accepted, rejected, reasons, examples, state: 'delivered' })
    expect([rowsIn, accepted, rejected]).toEqual([40, 38, 2])
  }, 60_000)

  it('is in status, with its rejects', async () => {
    // Its rows are queryable before the last of its events has been heard.
    const { code, out } = await vi.waitFor(
      async () => {
        const now = await said('status')
        expect(now.out).toContain('up to date')
        return now
      },
      { timeout: 45_000, interval: 500 },
    )
    expect(code).toBe(0)
    expect(out).toMatch(/^convert +sales +0 +- +0 +- +0 +0 +2$/m)
    expect(out).toMatch(/^sales +0 +1 +1 +0 +0 +0 +up to date$/m)
    // Of the queues, only that they are there: an event may still be on its way.
    for (const stage of ['unzip', 'convert', 'partition', 'catalog', 'sweep'])
      expect(out).toMatch(new RegExp(`^${stage} +[\\d-]+ +[\\d-]+ +0 +0$`, 'm'))
    const json = JSON.parse((await said('status', '--json', '--watch')).out)
    expect(json.datasets).toMatchObject([{ dataset: 'sales', runs: { delivered: 1 }, withRejects: 1 }])
  }, 60_000)

  it('is listed by runs, and shown with lineage, balance, times and job runs', async () => {
    const { code, out } = await said('runs', '--since', '1h', '--state', 'ended', '--source', 'shop')
    expect(code).toBe(0)
    const [, id = ''] =
      /^([0-9a-f]{8}) +\S+ \S+ +delivered with rejects +40 +38 +2 +\S+ s +data\/sales\/shop\.csv$/m.exec(out) ?? []
    const shown = await said('show', id)
    expect(shown.code).toBe(0)
    expect(shown.out).toContain('40 rows in = 38 accepted + 2 rejected; 38 in processing; 38 in delivery: it balances')
    expect(shown.out).toMatch(
      /└─ data\/sales\/shop-\w+\/\w+-00001-of-00001\.parquet .+\n +└─ 5 objects in 5 partitions: /,
    )
    expect(shown.out).toMatch(/^convert +[\d.]+ s +[\d.]+ s +[\d.]+ s +[\d.]+ s +[\d.]+ s$/m)
    expect(shown.out).toMatch(/^convert +jr_\S+ +sales~\S+$/m)
    const json = JSON.parse((await said('show', 'data/sales/shop.csv', '--json')).out)
    expect(json.run.runId).toMatch(new RegExp(`^${id}`))
    for (const attribute of ['pk', 'sk', 'listing']) expect(json.run).not.toHaveProperty(attribute)
    expect(json).toMatchObject({ inTable: true, balance: { holds: true, inDelivery: 38 }, others: [] })
  }, 60_000)

  it('has its time drawn by trace, from the ledger, and the same from X-Ray', async () => {
    const { code, out } = await said('trace', 'data/sales/shop.csv')
    expect(code).toBe(0)
    expect(out).toMatch(/^landed to queryable [\d.]+ s: .*starting [\d.]+, working [\d.]+,/m)
    const lines = out.split('\n')
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    const stages = lines.flatMap((line) => /^(\w+) +[\d.]+ s +[\d.]+ s +─+$/.exec(line)?.[1] ?? [])
    expect(stages).toEqual(['convert', 'partition', 'catalog'])
    for (const part of ['starting', 'job', 'working', 'publishing', 'crawl'])
      expect(out).toMatch(new RegExp(`^ +${part} +[\\d.]+ s +[\\d.]+ s +[▒█]+$`, 'm'))

    // It is sent when the run has ended; that may be a moment after its rows are queryable.
    const read = await vi.waitFor(
      async () => {
        const found = await said('trace', 'data/sales/shop.csv', '--xray')
        expect(found.err).toBe('')
        return found
      },
      { timeout: 20_000, interval: 500 },
    )
    expect(read.out).toMatch(/^[\s\S]+\n\nX-Ray's trace 1-[0-9a-f]{8}-[0-9a-f]{24}\n$/)
    expect(read.out.startsWith(out.trimEnd())).toBe(true)
    const documents = JSON.parse((await said('trace', 'data/sales/shop.csv', '--json')).out)
    const sent = JSON.parse((await said('trace', 'data/sales/shop.csv', '--xray', '--json')).out)
    expect(sent).toEqual(documents)
  }, 60_000)

  it('has its bad rows told by rejects, and given as a CSV that lands well once it is mended', async () => {
    const { lines, right } = await withBadRows(1)
    const told = await said('rejects', 'data/sales/shop.csv')
    expect(told.code).toBe(0)
    expect(told.out).toContain('2 of 40 rows of data/sales/shop.csv were rejected:')
    expect(told.out).toMatch(/^ +3 +Order Date +"13\/20\/2015" +not_a_date +\S/m)
    expect(told.out).toMatch(/^ +5 +\(row\) +too_few_fields +\S/m)

    const { out, err } = await said('rejects', 'data/sales/shop.csv', '--csv')
    expect(out).toBe(`${[lines[0], lines[2], lines[4]].join('\n')}\n`)
    expect(err).toContain('land them under another name')
    const mended = await chain.csv('shop-mended.csv', [out.split('\n')[0], ...right].join('\n'))
    const before = await chain.count()
    expect(await chain.landed(mended)).toMatchObject([{ state: 'delivered', rowsIn: 2, accepted: 2, rejected: 0 }])
    expect((await chain.count()) - before).toBe(2)
  }, 60_000)

  it('that came in a gzip file, or in a zip, has its header all the same', async () => {
    const { lines, text } = await withBadRows(2)
    const packed = join(chain.folder, 'packed.csv.gz')
    await writeFile(packed, gzipSync(text))
    await chain.landed(packed, await chain.zip('two.zip', { 'only.csv': text }))
    for (const name of ['data/sales/packed.csv.gz', 'landing/sales/two.zip'])
      expect((await said('rejects', name, '--csv')).out, name).toBe(`${[lines[0], lines[2], lines[4]].join('\n')}\n`)
  }, 60_000)

  it('keeps the header of the version that was read, when another has landed since', async () => {
    const { s3, rawBucket } = chain.landfall
    const other = (await readFile(join(chain.folder, 'shop.csv'), 'utf8')).replace('Order ID', 'Order Number')
    await s3.send(new PutObjectCommand({ Bucket: rawBucket, Key: 'data/sales/shop.csv', Body: other }))
    const found = JSON.parse(
      (await said('runs', '--source', 'data/sales/shop.csv', '--state', 'delivered', '--json')).out,
    )
    const { out } = await said('rejects', found.runs[0].runId, '--csv')
    expect(out.split('\n')[0]).toContain(',Order ID,')
  }, 60_000)
})

it('status --watch is drawn again in place until Ctrl-C, and that is no failure', () => {
  const terminal = join(import.meta.dirname, 'terminal.py')
  const watch = [process.execPath, main, 'status', '--watch', '--aws']
  const env = { ...process.env, ...environment(), TERM: 'xterm', NO_COLOR: undefined }
  const { stdout, stderr } = spawnSync('python3', [terminal, 'Ctrl-C ends it.', '2', ...watch], {
    env,
    encoding: 'utf8',
  })
  const { code, drawn } = JSON.parse(stdout || `{"drawn": ${JSON.stringify(stderr)}}`)
  expect(drawn.split('\u001b[H')).toHaveLength(3)
  expect(drawn).toContain('Landfall, 2')
  expect(drawn).not.toContain('Interrupted')
  expect(code).toBe(0)
}, 60_000)

describe.sequential('what went wrong', () => {
  it('is named by status and runs, and show says why and what to do', async () => {
    const file = await chain.csv('wrong.csv', (await sales({ rows: 5, seed: 9 })).replaceAll(',', ';'))
    await chain.landed(file)
    const status = await said('status')
    expect(status.out).toMatch(/^[0-9a-f]{8} +\S+ \S+ +convert +refused +header_mismatch +data\/sales\/wrong\.csv$/m)
    const { code, out } = await said('show', 'data/sales/wrong.csv')
    expect(code).toBe(0)
    expect(out).toMatch(/^Problem: header_mismatch$/m)
    expect(out).toContain('What to do\n  Correct the header or the delimiter')
    expect(out).toMatch(/in the table +no$/m)
  }, 60_000)

  it('shows in the depth of the dead-letter queues, those of the rules too', async () => {
    const sqs = new SQSClient(clientConfig(chain.runtime.endpoint))
    const dead = chain.landfall.queues.filter(({ stage, kind }) => stage === 'partition' && kind === 'dead')
    expect(dead.map(({ event = 'stage' }) => event).sort()).toEqual(['JobEnded', 'ParquetProcessed', 'stage'])
    for (const { url } of dead) await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: '{}' }))
    expect((await said('status')).out).toMatch(/^partition +\d+ +\d+ +1 +2$/m)
  }, 60_000)

  it('is read a page at a time', async () => {
    const all = JSON.parse((await said('runs', '--json')).out)
    const ids: string[] = []
    let next: string[] = []
    do {
      const page = JSON.parse((await said('runs', '--limit', '4', '--json', ...next)).out)
      ids.push(...page.runs.map(({ runId }: { runId: string }) => runId))
      next = page.next ? ['--next', page.next] : []
    } while (next.length > 0)
    expect(ids).toEqual(all.runs.map(({ runId }: { runId: string }) => runId))
    expect(ids.length).toBeGreaterThan(4)
    expect((await said('runs', '--limit', '1')).err).toMatch(/^Older ones: landfall runs --limit 1 --aws --next \S+$/m)
  }, 60_000)

  it.each([
    ['show', '0000', 'No run has the id "0000"'],
    ['rejects', 'data/sales/never.csv', 'Nothing has landed as data/sales/never.csv'],
  ])('is not a run that never was: landfall %s %s ends with 2', async (command, run, words) => {
    const { code, out, err } = await said(command, run)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(words)
  })
})
