import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type BuildOptions, buildSync } from 'esbuild'
import { DATASETS, DIST, JOB_CODE, JOB_STAGES, type JobStage, PROJECT, STAGES, type StageName } from './config.ts'

export interface Bundle {
  /** Folder of each function's code: `index.mjs`, and `datasets/` with the contracts. */
  functions: Record<StageName, string>
  /** DuckDB's script of each job. */
  jobs: Record<JobStage, string>
  /** What was built, in a few characters: the package's version, and a hash of all code that handles files. */
  code: string
}

const common: BuildOptions = {
  absWorkingDir: PROJECT,
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  mainFields: ['module', 'main'],
  legalComments: 'none',
  // Not minified: it starts no sooner (measured), and a stack trace can be read without a source map.
  minify: false,
  // CommonJS dependencies call `require`, which a module has not.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module';const require=__createRequire(import.meta.url);",
  },
  // What is wrong is in the error that it throws.
  logLevel: 'silent',
}

/**
 * Builds each `services/<stage>/handler.ts` to `dist/functions/<stage>/index.mjs` with the AWS SDK in it, and each DuckDB
 * job to `dist/jobs/<stage>.mjs`. The same sources give the same bytes, so an unchanged function is not deployed again.
 * @param dist @default `dist/` of the project, the only place from where the jobs find their native module
 * @param datasets folder of the contracts
 * @throws when a source does not build, with esbuild's messages.
 */
export function bundle(dist = DIST, datasets = DATASETS): Bundle {
  const handlers = buildSync({
    ...common,
    outdir: dist,
    write: false,
    entryPoints: STAGES.map((stage) => ({ in: `services/${stage}/handler.ts`, out: `functions/${stage}/index` })),
  })
  const jobs = buildSync({
    ...common,
    outdir: dist,
    write: false,
    entryPoints: JOB_STAGES.map((stage) => ({ in: `services/${stage}/job.ts`, out: `jobs/${stage}` })),
    // A native module: it is found in node_modules, as the scripts run from inside the project.
    external: ['@duckdb/node-api'],
  })
  for (const { path, contents } of [...handlers.outputFiles, ...jobs.outputFiles]) put(dist, path, contents)

  const functions = byName(STAGES, (stage) => join(dist, 'functions', stage))
  for (const folder of Object.values(functions)) putDatasets(dist, datasets, join(folder, 'datasets'))
  return {
    functions,
    jobs: byName(JOB_STAGES, (stage) => join(dist, 'jobs', `${stage}.mjs`)),
    code: versionOf([...handlers.outputFiles, ...jobs.outputFiles].map(({ contents }) => contents)),
  }
}

/**
 * Not the commit: the same code must be the same version, or a change of a README would deploy every function anew, and
 * what is deployed may not be committed.
 */
function versionOf(built: Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const contents of [...built, ...sparkFiles().map((path) => readFileSync(path))])
    hash.update(createHash('sha256').update(contents).digest())
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string }
  return `${version}+${hash.digest('hex').slice(0, 10)}`
}

function sparkFiles(): string[] {
  const { scripts, packages } = JOB_CODE.spark
  const modules = readdirSync(packages).filter((name) => name.endsWith('.py'))
  return [...Object.values(scripts), ...modules.sort().map((name) => join(packages, name))]
}

const byName = <Name extends string>(names: readonly Name[], value: (name: Name) => string) =>
  Object.fromEntries(names.map((name) => [name, value(name)])) as Record<Name, string>

/** The contracts, and no other file: one that a dataset left behind would bring it back. */
function putDatasets(dist: string, source: string, folder: string) {
  const contracts = readdirSync(source).filter((name) => name.endsWith('.json'))
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) if (!contracts.includes(name)) rmSync(join(folder, name), { recursive: true })
  for (const name of contracts) put(dist, join(folder, name), readFileSync(join(source, name)))
}

/** Whole or not at all, and only when it differs: tests and a running stack may build or read at the same time. */
function put(dist: string, path: string, contents: Uint8Array) {
  try {
    if (readFileSync(path).equals(contents)) return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  mkdirSync(dirname(path), { recursive: true })
  // Beside the assets and not among them, where CDK would hash it.
  const partial = join(dist, `.${process.pid}.partial`)
  writeFileSync(partial, contents)
  renameSync(partial, path)
}
