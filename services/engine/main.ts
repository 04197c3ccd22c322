import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { Manifest } from '../../schemas/manifest.ts'
import { anyIo } from './io/io.ts'
import type { ObjectIo } from './io/object-io.ts'
import type { JobResult } from './run-job.ts'

/** A job's process: `--manifest <uri>`, exit code 0 when a report is there, 1 with a line on stderr when not. */
export async function main(
  stage: Manifest['stage'],
  run: (manifest: Manifest, io: ObjectIo) => Promise<JobResult>,
  args = process.argv.slice(2),
): Promise<void> {
  try {
    // Glue passes arguments of its own, too.
    const { values } = parseArgs({ args, options: { manifest: { type: 'string' } }, strict: false })
    if (typeof values.manifest !== 'string') throw new Error(`usage: ${stage} --manifest <s3:// or file:// URI>`)
    const io = anyIo()
    const manifest = Manifest.parse(JSON.parse(await text(await io.read({ uri: values.manifest }))))
    if (manifest.stage !== stage) throw new Error(`The manifest is for ${manifest.stage}, this job is ${stage}.`)
    const result = await run(manifest, io)
    const said =
      result.outcome === 'superseded'
        ? { outcome: result.outcome, batch: manifest.batch }
        : {
            outcome: result.outcome,
            batch: manifest.batch,
            job: result.report.job,
            sources: result.report.sources.length,
            rowsIn: result.report.sources.reduce((sum, source) => sum + source.rowsIn, 0),
            rejected: result.report.sources.reduce((sum, source) => sum + source.rejected, 0),
          }
    process.stdout.write(`${JSON.stringify(said)}\n`)
  } catch (error) {
    process.stderr.write(`${stage}: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
