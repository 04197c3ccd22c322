import { raise } from '../../infra/local/raise.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { landedToQueryable } from '../../services/ledger/lineage.ts'
import type { Run } from '../../services/ledger/run.ts'
import { connect, type Landfall } from '../../services/operations/connect.ts'
import { follow } from '../../services/operations/follow.ts'
import { land } from '../../services/operations/land.ts'
import { type StageTime, stageTimes } from '../../services/operations/outcome.ts'
import { type DataFile, zipOf } from './data.ts'
import { functionPeaks } from './function-memory.ts'
import { median } from './measure.ts'
import { type Found, type Goal, mebibytes, type Part, type Settings, seconds } from './part.ts'

export const landed: Part = {
  name: 'landed',
  about: 'from the landing of a zip until its rows can be queried, on the local runtime, by stage',
  run: runLanded,
}

const SMALL = 5_000

export type Landed = { seconds: number; stages: StageTime[]; run: Run }

async function runLanded({ rows, runs, quick, say }: Settings): Promise<Found> {
  const rounds = runs ?? (quick ? 1 : 5)
  const sizes = rows ? [rows] : [SMALL, 2_000_000]
  const zips = new Map<number, DataFile>()
  for (const size of new Set([SMALL, ...sizes])) zips.set(size, await zipOf(size, say))
  const runtime = await raise({ name: 'bench', onProgress: say })
  const results: { rows: number; runs: Landed[]; peaks: Record<string, number> }[] = []
  try {
    const landfall = await connect(clientConfig(runtime.endpoint))
    try {
      say('Warming up')
      await queryable(landfall, zips.get(SMALL))
      for (const size of sizes) {
        const found: Landed[] = []
        for (let round = 1; round <= (size > SMALL ? Math.min(rounds, 3) : rounds); round++) {
          say(`${size.toLocaleString('en')} rows, ${round}`)
          found.push(await queryable(landfall, zips.get(size)))
        }
        results.push({ rows: size, runs: found, peaks: Object.fromEntries(await functionPeaks(runtime.pid)) })
      }
    } finally {
      landfall.close()
    }
  } finally {
    await runtime.stop()
  }
  return {
    figures: { results },
    table: [
      ['rows', 'queryable', 'stage', 'took', 'waited', 'its job', 'function MiB'],
      ...results.flatMap(({ rows, runs, peaks }) => {
        const middle = (pick: (one: Landed) => number | undefined) => {
          const values = runs.map(pick)
          return values.every((value) => value !== undefined) ? seconds(median(values)) : '-'
        }
        return (runs[0]?.stages ?? []).map(({ stage }, i) => [
          i === 0 ? rows.toLocaleString('en') : '',
          i === 0 ? middle((one) => one.seconds) : '',
          stage,
          ...(['took', 'waited', 'job'] as const).map((what) =>
            middle(({ stages }) => {
              const ms = stages[i]?.[what]
              return ms === undefined ? undefined : ms / 1000
            }),
          ),
          mebibytes(peaks[stage]),
        ])
      }),
    ],
    notes: [
      `Medians of ${rounds} (at most 3 of the large one), on a warm local runtime; the same zip lands again each time, so its rows are replaced.`,
      '`took` is from when the stage could begin, `waited` until it did. `unzip` is the stage with S3. `function MiB` is the most that a process of the stage has had.',
    ],
    goals: results.filter(({ rows }) => rows >= 2_000_000).flatMap(goals),
  }
}

function goals({ rows, runs, peaks }: { rows: number; runs: Landed[]; peaks: Record<string, number> }): Goal[] {
  const of = `of ${rows.toLocaleString('en')} rows`
  const memory = {
    what: `MiB of a process that unzips a zip ${of}`,
    found: peaks.unzip ?? Number.NaN,
    atMost: 300,
    aim: 200,
  }
  const time = { what: `seconds until a zip ${of} is queryable`, found: median(runs.map(({ seconds }) => seconds)) }
  return rows === 2_000_000 ? [{ ...time, atMost: 30, aim: 15 }, memory] : [memory]
}

/** Lands a zip with one member, and waits until its rows can be queried. */
export async function queryable(landfall: Landfall, zip: DataFile | undefined): Promise<Landed> {
  if (!zip) throw new Error('No such zip.')
  const landing = await land(landfall, zip.path, 'sales')
  const [archive, run] = await follow(landfall, [landing], { signal: AbortSignal.timeout(900_000) })
  const milliseconds = run && landedToQueryable(run, archive)
  if (!archive || !run || milliseconds === undefined)
    throw new Error(
      `${zip.path} was not delivered: ${run?.problem?.message ?? archive?.problem?.message ?? run?.state}`,
    )
  return { seconds: milliseconds / 1000, stages: [...stageTimes(archive), ...stageTimes(run)], run }
}
