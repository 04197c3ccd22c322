import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSession, type Session } from '../../services/engine/duckdb/session.ts'
import { shopFiles } from '../generator/shops.ts'
import { benchDir } from './data.ts'
import { median } from './measure.ts'
import { type Found, type Part, type Settings, times } from './part.ts'

export const tiny: Part = {
  name: 'tiny',
  about:
    'what many small files (--files, --countries) cost a query: one object for each file and country, or one a country',
  run: runTiny,
}

/** What people ask: of two countries, which prunes; and of all. */
const QUESTIONS = {
  'two countries':
    "SELECT COUNTRY, max(REVENUE) FROM rows WHERE COUNTRY IN ('Canada', 'United States of America') GROUP BY 1",
  'all countries': 'SELECT COUNTRY, count(*), sum(REVENUE) FROM rows GROUP BY 1',
}

async function runTiny({ files = 1000, rows = 200, countries = 5, runs, quick, say }: Settings): Promise<Found> {
  const rounds = runs ?? (quick ? 1 : 5)
  const dir = await mkdtemp(join(benchDir, 'tiny-'))
  const session = await openSession(dir)
  try {
    say(`Making ${files} files of ${rows} rows`)
    await mkdir(join(dir, 'csv'))
    for (const { name, bytes } of await shopFiles({ files, rows, countries }))
      await writeFile(join(dir, 'csv', name), bytes)
    await session.run(
      `CREATE TABLE landed AS SELECT "Order ID" AS ID, "Item Type" AS ITEM, "Order Date" AS DAY, "Total Revenue" AS REVENUE, trim(Country) AS COUNTRY, filename AS source FROM read_csv('${dir}/csv/*.csv', header = true, filename = true)`,
    )
    const sides = {
      'one for each file and country': await write(session, join(dir, 'tiny'), 'COUNTRY, source', files * countries),
      'one for each country': await write(session, join(dir, 'compact'), 'COUNTRY', 185),
    }
    const found: { side: string; objects: number; bytes: number; milliseconds: Record<string, number> }[] = []
    for (const [side, at] of Object.entries(sides)) {
      await session.run(
        `CREATE OR REPLACE VIEW rows AS SELECT * FROM read_parquet('${at.dir}/**/*.parquet', hive_partitioning = true)`,
      )
      const milliseconds: Record<string, number> = {}
      for (const [question, sql] of Object.entries(QUESTIONS)) {
        const taken: number[] = []
        for (let round = 0; round <= rounds; round++) {
          const began = performance.now()
          await session.rows(sql)
          if (round > 0) taken.push(performance.now() - began)
        }
        milliseconds[question] = median(taken)
      }
      found.push({ side, objects: at.objects, bytes: at.bytes, milliseconds })
    }
    const [many, few] = found
    const factor = (question: string) => (many?.milliseconds[question] ?? 0) / (few?.milliseconds[question] ?? 1)
    return {
      figures: { files, rows, countries, found },
      table: [
        ['objects', '', 'MB', ...Object.keys(QUESTIONS)],
        ...found.map(({ side, objects, bytes, milliseconds }) => [
          objects.toLocaleString('en'),
          side,
          (bytes / 1e6).toFixed(1),
          ...Object.values(milliseconds).map((value) => `${value.toFixed(0)} ms`),
        ]),
        [
          '',
          'factor',
          times((many?.bytes ?? 0) / (few?.bytes ?? 1)),
          ...Object.keys(QUESTIONS).map((q) => times(factor(q))),
        ],
      ],
      notes: [
        `${files} files of ${rows} rows and ${countries} countries, with DuckDB on a local disk; medians of ${rounds}. Where an object is a request over the network, the factor is larger.`,
      ],
      goals: [],
    }
  } finally {
    session.close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** One file for each value of the columns. */
async function write(session: Session, dir: string, columns: string, most: number) {
  await session.run(`SET partitioned_write_max_open_files = ${most + 1}`)
  await session.run('SET threads = 1')
  await session.run(
    `COPY (SELECT * REPLACE (md5(source) AS source) FROM landed) TO '${dir}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (${columns}))`,
  )
  await session.run('RESET threads')
  const all = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.parquet'))
  const sizes = await Promise.all(all.map(async (name) => (await stat(join(dir, name))).size))
  return { dir, objects: all.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}
