/** Draws the README's picture of a waterfall, of a file that has really landed on a local runtime: npm run picture. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runDir } from '../../infra/local/paths.ts'
import { raise } from '../../infra/local/raise.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import { writeSample } from '../../services/cli/sample.ts'
import { describe, say, shortId } from '../../services/cli/screen.ts'
import { traceText } from '../../services/cli/trace.ts'
import type { Run } from '../../services/ledger/run.ts'
import { connect } from '../../services/operations/connect.ts'
import { follow } from '../../services/operations/follow.ts'
import { land } from '../../services/operations/land.ts'
import { trace } from '../../services/operations/trace.ts'
import { svgOf } from './svg.ts'

const COLUMNS = 100

const runtime = await raise({ name: 'picture', onProgress: say })
try {
  const landfall = await connect(clientConfig(runtime.endpoint))
  const file = await writeSample(runDir(runtime.pid), say)
  const onChange = (run: Run) => say(describe(run).join('  '))
  // The first file also starts the functions, which later ones find at work.
  await follow(landfall, [await land(landfall, file, 'sales')], { onChange })
  const runs = await follow(landfall, [await land(landfall, file, 'sales')], { onChange })
  const run = runs.find(({ kind, state }) => kind === 'csv' && state === 'delivered')
  if (!run) throw new Error(`No file was delivered: ${runs.map(({ key, state }) => `${key} ${state}`).join(', ')}`)
  process.env.FORCE_COLOR = '1'
  const drawn = traceText(await trace(landfall, run.runId), new Date(), COLUMNS)
  const text = `$ npx landfall trace ${shortId(run)}\n${drawn}`
  await writeFile(join(import.meta.dirname, 'waterfall.svg'), svgOf(text, `Where the time of ${run.key} went`))
  say(text)
  landfall.close()
} finally {
  await runtime.stop()
}
