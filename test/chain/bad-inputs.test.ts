import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { datasetOf, sourceIdOf } from '../../services/ledger/ids.ts'
import { hasEnded, type Run } from '../../services/ledger/run.ts'
import { ending } from '../../services/operations/outcome.ts'
import { BAD_INPUTS, type BadInput } from './bad-inputs.ts'
import { type Stack, stack } from './stack.ts'

let chain: Stack
beforeAll(async () => {
  chain = await stack('bad-inputs')
}, 120_000)
afterAll(() => chain?.close())

const keyOf = ({ key }: BadInput, i: number) => key ?? `data/sales/${String(i + 1).padStart(2, '0')}.csv`

/** Where a key's run is in the end: a CSV that landed beside the zips is moved. */
const sourceOf = (key: string) => {
  const moved = key.replace(/^landing\/(.*\.csv)$/, 'data/$1')
  return { dataset: datasetOf(moved) ?? 'unknown', sourceId: sourceIdOf(moved) }
}

async function outcome(key: string): Promise<Run> {
  for (const until = Date.now() + 120_000; Date.now() < until; await sleep(200)) {
    const runs = await chain.landfall.ledger.runs(sourceOf(key))
    if (runs.length > 0 && runs.every(({ state }) => hasEnded(state))) return runs.at(-1) as Run
  }
  throw new Error(`${key} has not come to an end.`)
}

const code = (text: string) => `\`${text.replaceAll('`', "'").replaceAll('|', '\\|')}\``

/** What a person is told: the refusal, or the first reject. */
function words({ problem, rejected = 0, examples = [] }: Run): string {
  if (problem) return problem.message.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('\t', '⇥')
  const [first] = examples
  if (!first) return ''
  const shown = (first.value ?? '').replaceAll('\0', '␀').replaceAll('\n', '⏎')
  const value = first.value === null ? '' : `, ${code(shown)}`
  return `${rejected === 1 ? 'line' : `${rejected} rows, first line`} ${first.line}${first.column ? `, ${first.column}` : ''}${value}: ${first.reason}`
}

it('each bad input ends as the table says, with its words', async () => {
  for (const [i, input] of BAD_INPUTS.entries())
    await chain.landfall.s3.send(
      new PutObjectCommand({ Bucket: chain.landfall.rawBucket, Key: keyOf(input, i), Body: Buffer.from(input.body) }),
    )
  const lines: string[] = []
  let accepted = 0
  for (const [i, input] of BAD_INPUTS.entries()) {
    const run = await outcome(keyOf(input, i))
    if (run.state === 'delivered') accepted += run.accepted ?? 0
    const counts = run.state === 'delivered' ? `${run.accepted} of ${run.rowsIn}` : ''
    lines.push(`| ${input.what} | ${code(keyOf(input, i))} | ${ending(run)} | ${counts} | ${words(run)} |`)
  }
  const table = `# Bad inputs, how each ends, and what it is told

Made by \`npx vitest run test/chain/bad-inputs.test.ts -u\`, which lands each of them on the local runtime, under the contract of \`sales\`; without \`-u\`, it fails when one ends otherwise.

| input | landed as | ends as | rows | words |
| --- | --- | --- | --- | --- |
${lines.join('\n')}
`
  await expect(table).toMatchFileSnapshot('../../BAD-INPUTS.md')
  // What is said to be delivered is in the table, and nothing else.
  expect(await chain.count()).toBe(accepted)
}, 240_000)
