import { XRay } from '@aws-sdk/client-xray'
import { deployApp, raise } from '../../infra/local/raise.ts'
import { clientConfig } from '../../infra/local/runtime.ts'
import type { Run } from '../../services/ledger/run.ts'
import { connect } from '../../services/operations/connect.ts'
import { traceIdOf } from '../../services/trace/ids.ts'
import { zipOf } from './data.ts'
import { queryable } from './landed.ts'
import { median } from './measure.ts'
import { type Found, type Part, type Settings, seconds, times } from './part.ts'

export const tracing: Part = {
  name: 'tracing',
  about: 'from the landing of a zip until its rows can be queried, with all tracing against none, in turn',
  run: runTracing,
}

const ROWS = 5_000
const SIDES = { on: 1, off: 0 } as const
type Side = keyof typeof SIDES

async function runTracing({ rows = ROWS, runs, quick, say }: Settings): Promise<Found> {
  const rounds = runs ?? (quick ? 1 : 10)
  const zip = await zipOf(rows, say)
  const runtime = await raise({ name: 'bench', onProgress: say })
  const xray = new XRay(clientConfig(runtime.endpoint))
  const found: Record<Side, number[]> = { on: [], off: [] }
  try {
    const landfall = await connect(clientConfig(runtime.endpoint))
    try {
      for (let round = 1; round <= rounds; round++) {
        // Each is first as often as the other.
        const order: Side[] = round % 2 ? ['on', 'off'] : ['off', 'on']
        for (const side of order) {
          await deployApp(runtime, { traceSampling: SIDES[side], onProgress: () => {} })
          // The functions that were there are gone.
          await queryable(landfall, zip)
          const landed = await queryable(landfall, zip)
          await check(xray, landed.run, side)
          found[side].push(landed.seconds)
          say(`Tracing ${side}, ${round}: ${landed.seconds.toFixed(2)} s`)
        }
      }
    } finally {
      landfall.close()
    }
  } finally {
    xray.destroy()
    await runtime.stop()
  }
  const [on, off] = [median(found.on), median(found.off)]
  // What else the machine does falls on both of a pair.
  const paired = median(found.on.map((value, i) => value / (found.off[i] ?? Number.NaN)))
  const noise = (quartile(found.off, 0.75) - quartile(found.off, 0.25)) / off
  return {
    figures: { rows, ...found, paired, noise },
    table: [
      ['tracing', 'queryable, median', 'quartiles', 'against off', 'in pairs, median'],
      ...(['on', 'off'] as const).map((side) => [
        side,
        seconds(median(found[side])),
        `${seconds(quartile(found[side], 0.25))} to ${seconds(quartile(found[side], 0.75))}`,
        ...(side === 'on' ? [times(on / off), times(paired)] : ['', '']),
      ]),
    ],
    notes: [
      `${rounds} of each in turn, each on functions that are warm again after the switch, of a zip of ${rows.toLocaleString('en')} rows on the local runtime.`,
      `On: the trace of each run, and the tracer in each function with its steps and all its calls but S3's. The noise, between the quartiles without tracing, is ${(noise * 100).toFixed(1)} %.`,
    ],
    goals: [
      {
        what: 'landed to queryable with tracing, times that without (5 % or the noise)',
        found: on / off,
        atMost: 1 + Math.max(0.05, noise),
        aim: 1,
      },
    ],
  }
}

/** What was measured is what it is called. */
async function check(xray: XRay, run: Run, side: Side): Promise<void> {
  const sent = async () => (await xray.batchGetTraces({ TraceIds: [traceIdOf(run)] })).Traces?.length === 1
  const deadline = Date.now() + 2_000
  while (side === 'on' && Date.now() < deadline && !(await sent()))
    await new Promise((resolve) => setTimeout(resolve, 50))
  if ((await sent()) !== (side === 'on')) throw new Error(`Tracing is ${side}, but X-Ray says otherwise of ${run.key}.`)
}

function quartile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [below = Number.NaN, above = below] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  return below + (above - below) * (at - Math.floor(at))
}
