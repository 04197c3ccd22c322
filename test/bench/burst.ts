import { isDeepStrictEqual } from 'node:util'
import { raise } from '../../infra/local/raise.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { connect } from '../../services/operations/connect.ts'
import { shopFiles, totalsOf } from '../generator/shops.ts'
import { type Found, type Part, type Settings, seconds } from './part.ts'
import { batchesOf, landAtOnce, totalsInTable } from './shops.ts'

export const burst: Part = {
  name: 'burst',
  about: 'many small files that land at once (--files, --countries), on the local runtime: job runs, crawls and times',
  run: runBurst,
}

const FILES = 1000
const ROWS = 200
/** Job runs and crawls that all files may take together, and the minutes of them: the promise is for 1,000 files. */
const MOST = { jobRuns: 12, crawls: 3, seconds: 180 }

async function runBurst({ files = FILES, rows = ROWS, countries = 5, quick, say }: Settings): Promise<Found> {
  const shops = await shopFiles({ files: quick ? Math.min(files, 100) : files, rows, countries })
  const runtime = await raise({ name: 'bench', onProgress: say })
  try {
    const landfall = await connect(clientConfig(runtime.endpoint))
    try {
      say('Warming up')
      await landAtOnce(runtime, landfall, [{ name: 'warm.csv', bytes: shops[0]?.bytes ?? Buffer.alloc(0) }])
      const warm = await totalsInTable(landfall)
      say(`${shops.length} files of ${rows} rows`)
      const since = Date.now()
      const { runs, ...found } = await landAtOnce(runtime, landfall, shops)
      const wanted = totalsOf([...shops, ...(shops[0] ? [shops[0]] : [])])
      if (warm.size === 0 || !isDeepStrictEqual(inOrder(await totalsInTable(landfall)), inOrder(wanted)))
        throw new Error('The table does not hold what was landed.')
      const batches = batchesOf(runs, since)
      const delivered = runs.filter(({ state }) => state === 'delivered')
      const objects = runs.reduce((sum, { deliveredObjects = 0 }) => sum + deliveredObjects, 0)
      return {
        figures: { files: shops.length, rows, countries, delivered: delivered.length, objects, ...found, batches },
        table: [
          ['began at', 'stage', 'files', 'starting', 'working', 'settling', 'ended at'],
          ...batches.map(({ stage, files, beganAt, starting, working, settling, endedAt }) => [
            seconds(beganAt),
            stage,
            String(files),
            seconds(starting),
            seconds(working),
            seconds(settling),
            seconds(endedAt),
          ]),
        ],
        notes: [
          `${delivered.length} of ${shops.length} files delivered in ${seconds(found.seconds)} (their upload took ${seconds(found.uploadSeconds)}): ${objects.toLocaleString('en')} objects, ${found.jobRuns} job runs, ${found.crawls} crawls. Rows, order ids and revenue of each country are those of the files, by Athena.`,
          '`settling` is from the end of the job, or crawl, until the last of its files was published, or queryable.',
        ],
        goals: [
          { what: 'files that were not delivered', found: shops.length - delivered.length, atMost: 0, aim: 0 },
          { what: 'runs of the two jobs', found: found.jobRuns, atMost: MOST.jobRuns, aim: 6 },
          { what: 'crawls', found: found.crawls, atMost: MOST.crawls, aim: 1 },
          { what: 'seconds until all is queryable', found: found.seconds, atMost: MOST.seconds, aim: 60 },
        ],
      }
    } finally {
      landfall.close()
    }
  } finally {
    await runtime.stop()
  }
}

const inOrder = <T>(totals: Map<string, T>) => [...totals].sort(([a], [b]) => (a < b ? -1 : 1))
