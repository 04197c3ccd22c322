import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { raise } from '../../infra/local/raise.ts'
import { clientConfig, type Runtime } from '../../infra/local/runtime.ts'
import { connect, type Landfall, STACKS } from '../../services/operations/connect.ts'
import { type ShopFile, shopFiles } from '../generator/shops.ts'
import { median } from './measure.ts'
import { type Found, type Part, type Settings, seconds, times } from './part.ts'
import { Past } from './past.ts'
import { landAtOnce } from './shops.ts'

export const ledger: Part = {
  name: 'ledger',
  about: 'one file, and many at once (--files), with 10,000 ended runs in the ledger against none, in turn',
  run: runLedger,
}

const PAST = 10_000
const SOURCES = 2_000
/** Of the files that land under measurement, each. */
const OWN = { runs: 300, files: 3 }
const ALONE = 5

type Side = 'empty' | 'full'
type Measured = { alone: number[]; burst: number }

async function runLedger({ files = 100, rows = 200, runs, quick, say }: Settings): Promise<Found> {
  const rounds = runs ?? (quick ? 1 : 3)
  const shops = await shopFiles({ files, rows })
  const runtime = await raise({ name: 'bench', onProgress: say })
  const found: Record<Side, Measured[]> = { empty: [], full: [] }
  let items = 0
  try {
    const landfall = await connect(clientConfig(runtime.endpoint))
    try {
      say('Warming up')
      const warm = await measure(runtime, landfall, shops)
      const past = await Past.like(runtime, await ledgerTable(runtime), warm.run)
      for (let round = 1; round <= rounds; round++)
        // Each is first as often as the other: what was measured before leaves some runs, too.
        for (const side of round % 2 ? (['empty', 'full'] as const) : (['full', 'empty'] as const)) {
          if (side === 'full') {
            const own = shops.slice(0, OWN.files).map(({ name }) => ({ key: `data/sales/${name}`, runs: OWN.runs }))
            items = await past.write(PAST, SOURCES, own)
          }
          const { alone, burst } = await measure(runtime, landfall, shops)
          say(`${side}, ${round} of ${rounds}: ${median(alone).toFixed(2)} s alone, ${burst.toFixed(1)} s at once`)
          found[side].push({ alone, burst })
          if (side === 'full') await past.remove()
        }
      past.close()
    } finally {
      landfall.close()
    }
  } finally {
    await runtime.stop()
  }
  const alone = (side: Side) => median(found[side].flatMap((one) => one.alone))
  const burst = (side: Side) => median(found[side].map((one) => one.burst))
  const ratios = { alone: alone('full') / alone('empty'), burst: burst('full') / burst('empty') }
  return {
    figures: { files, rows, past: PAST, items, ...found, ratios },
    table: [
      ['ledger', 'one file', `${files} at once`],
      ['no runs before', seconds(alone('empty')), seconds(burst('empty'))],
      [`${PAST.toLocaleString('en')} ended runs`, seconds(alone('full')), seconds(burst('full'))],
      ['ratio', times(ratios.alone), times(ratios.burst)],
    ],
    notes: [
      `Medians of ${rounds * ALONE} landings of one file, and of ${rounds} of all at once, landed to queryable. ${PAST.toLocaleString('en')} runs are ${items.toLocaleString('en')} items: runs, ids, heads, lists of objects and bytes, of ${SOURCES.toLocaleString('en')} files and ${OWN.runs} of each of ${OWN.files} that land here. They are written and taken out again by turns.`,
    ],
    goals: [
      {
        what: 'one file with 10,000 runs in the ledger, times that with none',
        found: ratios.alone,
        atMost: 1.2,
        aim: 1,
      },
      {
        what: 'a burst with 10,000 runs in the ledger, times that with none',
        found: ratios.burst,
        atMost: 1.2,
        aim: 1,
      },
    ],
  }
}

async function measure(runtime: Runtime, landfall: Landfall, shops: ShopFile[]) {
  const [first] = shops
  if (!first) throw new Error('No file.')
  const alone: number[] = []
  let run = (await landAtOnce(runtime, landfall, [first])).runs[0]
  for (let i = 0; i < ALONE; i++) {
    const one = await landAtOnce(runtime, landfall, [first])
    run = one.runs[0]
    alone.push(one.seconds)
  }
  const { seconds: burst, runs } = await landAtOnce(runtime, landfall, shops)
  if (!run || runs.some(({ state }) => state !== 'delivered')) throw new Error('Not all was delivered.')
  return { alone, burst, run }
}

async function ledgerTable({ endpoint }: Runtime): Promise<string> {
  const client = new CloudFormationClient(clientConfig(endpoint))
  const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: STACKS.stateful }))
  client.destroy()
  const name = Stacks?.[0]?.Outputs?.find(({ OutputKey }) => OutputKey === 'LedgerTable')?.OutputValue
  if (!name) throw new Error('The stack has no output LedgerTable.')
  return name
}
