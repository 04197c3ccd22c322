import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { projectRoot } from '../../infra/local/paths.ts'
import { benchDir, type DataFile, zipOf } from './data.ts'
import { inTurns, median, medians, run, type Usage } from './measure.ts'
import { type Found, mebibytes, type Part, type Settings, seconds, times } from './part.ts'

export const inflate: Part = {
  name: 'inflate',
  about: 'inflating with CRC from a local file, beside unzip -p; the stage with S3 is in `landed`',
  run: runInflate,
}

type Inflated = Usage & { inside?: number }

async function runInflate({ rows = 2_000_000, runs, quick, say }: Settings): Promise<Found> {
  const rounds = runs ?? (quick ? 1 : 5)
  const zip = await zipOf(rows, say)
  const ours = await core()
  const sides = [
    { name: 'Landfall', run: () => inflated(ours, zip) },
    { name: 'unzip -p', run: (): Promise<Inflated> => run('unzip', ['-p', zip.path], { stdout: 'discard' }) },
  ]
  const notes = [
    `${rows.toLocaleString('en')} rows, ${(zip.bytes / 1e6).toFixed(1)} MB; medians of ${rounds}, in turns. What is inflated is discarded.`,
    'Landfall: reader, inflating, CRC, limits and parts, as the function runs them; `inside` is without starting Node and loading the SDK, as in a warm function.',
  ]
  const unzip = await promisify(execFile)('unzip', ['-v']).catch(() => undefined)
  if (!unzip) {
    sides.pop()
    notes.push('There is no unzip to compare with.')
  }
  const [mine = [], theirs = []] = await inTurns<Inflated>(sides, rounds, say)
  const landfall = { ...medians(mine), inside: median(mine.map(({ inside = Number.NaN }) => inside)) }
  const tool = unzip && medians(theirs)
  const ratio = (value: number) => (tool ? times(value / tool.seconds) : '-')
  const row = (name: string, usage: Inflated, value: number) => [
    name,
    seconds(value),
    seconds(usage.cpuSeconds),
    mebibytes(usage.peakMiB),
    ratio(value),
  ]
  return {
    figures: { rows, bytes: zip.bytes, rounds, landfall, unzip: tool ?? null },
    table: [
      ['', 'time', 'CPU', 'peak MiB', 'to unzip -p'],
      row('Landfall, inside', landfall, landfall.inside),
      row('Landfall, whole process', landfall, landfall.seconds),
      ...(tool ? [row('unzip -p', tool, tool.seconds)] : []),
    ],
    notes,
    goals: tool ? [{ what: 'inflating to unzip -p', found: landfall.inside / tool.seconds, atMost: 1.3, aim: 1 }] : [],
  }
}

async function inflated(script: string, zip: DataFile): Promise<Inflated> {
  const { stdout, ...usage } = await run(process.execPath, [script, zip.path])
  return { ...usage, inside: (JSON.parse(stdout) as { seconds: number }).seconds }
}

/** Bundled as the function is, with its checksum. */
async function core(): Promise<string> {
  const outfile = join(benchDir, 'inflate-core.mjs')
  await build({
    absWorkingDir: projectRoot,
    entryPoints: ['test/bench/inflate-core.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    mainFields: ['module', 'main'],
    logLevel: 'silent',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';const require=__createRequire(import.meta.url);",
    },
  })
  return outfile
}
