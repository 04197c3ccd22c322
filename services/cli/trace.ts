import { basename } from 'node:path'
import { LIVE } from '../ledger/causes.ts'
import { hasEnded, type Run } from '../ledger/run.ts'
import { ending } from '../operations/outcome.ts'
import { readTrace, type Traced, trace as traceRun } from '../operations/trace.ts'
import { type Document, type Waterfall, waterfallOf } from '../operations/waterfall.ts'
import { EXIT } from './exit.ts'
import { count, paint, plural, seconds, visible, wrap } from './format.ts'
import { target } from './runtime.ts'
import { print, shortId } from './screen.ts'
import { clampedText, LEGEND, picture, type Row, rowsOf, type Scale, sharesText, UNBROKEN } from './waterfall-text.ts'

/** Members that are drawn; landfall runs has all. */
const DRAWN = 24
/** Of what is piped. */
const PIPED_WIDTH = 80
const LEAST_WIDTH = 64

export type TraceOptions = { json?: boolean; xray?: boolean; aws?: boolean }

export async function trace(text: string, { json, xray, aws }: TraceOptions): Promise<number> {
  const landfall = await target(aws ?? false)
  const width = Math.max(LEAST_WIDTH, process.stdout.columns ?? PIPED_WIDTH)
  try {
    if (xray) {
      const read = await readTrace(landfall, text)
      if (json) print(JSON.stringify(read.documents))
      else print(`${traceText(read, landfall.ledger.now(), width)}\n\nX-Ray's trace ${read.traceId}`)
    } else {
      const traced = await traceRun(landfall, text)
      print(json ? JSON.stringify(traced.documents) : traceText(traced, landfall.ledger.now(), width))
    }
    return EXIT.done
  } finally {
    landfall.close()
  }
}

/** @param width of a line, in characters; names and bars give way, times do not */
export function traceText(
  { run, documents, members }: Pick<Traced, 'run' | 'members'> & { documents: Document[] },
  now: Date,
  width: number,
): string {
  const title = `${paint('bold', visible(run.key))}  (run ${shortId(run)}, ${ending(run)})`
  const waterfall = waterfallOf(documents, now.getTime())
  if (!waterfall) return `${title}\nNothing is known of its time.`
  const family = (members ?? []).slice(0, DRAWN).map((member) => memberRow(member, now))
  const ends = [waterfall, ...family].map(({ to }) => to ?? now.getTime())
  const scale: Scale = { from: waterfall.from, to: Math.max(...ends) }
  const drawn = picture([...rowsOf(waterfall), ...family], scale, width)
  const blocks = [
    `${title}\n${wrap(totalText(run, waterfall, scale), width, '  ').replaceAll(UNBROKEN, ' ')}`,
    drawn.join('\n'),
  ]
  const more = (members?.length ?? 0) - family.length
  if (more > 0) blocks.push(`… and ${plural(more, 'more member')}`)
  if (members && members.length > 0) blocks.push(`${wrap(membersText(members, scale), width)}\n${LEGEND}`)
  if (waterfall.clamped.length > 0) blocks.push(wrap(clampedText(waterfall.clamped), width))
  return blocks.join('\n\n')
}

function totalText(run: Run, waterfall: Waterfall, scale: Scale): string {
  const took = seconds((waterfall.to ?? scale.to) - waterfall.from)
  const began = run.cause === LIVE ? 'landed' : 'registered'
  const whole = hasEnded(run.state)
    ? `${began} to ${run.state === 'delivered' ? 'queryable' : run.state} ${took}`
    : `${run.state}, ${began} ${took} ago`
  const parts = sharesText(waterfall)
  return parts === '' ? whole : `${whole}: ${parts}`
}

type Member = NonNullable<Traced['members']>[number]

/** From when it came out of the zip. */
function memberRow({ name, run, documents }: Member, now: Date): Row {
  const waterfall = documents && waterfallOf(documents, now.getTime())
  if (!run || !waterfall) return { name: basename(name), depth: 0, note: 'not registered', from: now.getTime() }
  const unzip = waterfall.bars.findIndex((bar) => bar.depth === 0 && bar.name !== 'unzip')
  const own = unzip < 0 ? [] : waterfall.bars.slice(unzip)
  const failed = run.state === 'failed' ? 'fault' : run.state === 'refused' ? 'error' : undefined
  return {
    name: basename(name),
    depth: 0,
    note: ending(run),
    from: own[0]?.from ?? waterfall.from,
    ...(waterfall.to !== undefined && { to: waterfall.to }),
    ...(failed && { failed, why: run.problem && `${run.problem.code}: ${run.problem.message}` }),
    parts: own.flatMap(({ share, from, to }) => (share ? [{ share, from, ...(to !== undefined && { to }) }] : [])),
  }
}

function membersText(members: Member[], { from, to }: Scale): string {
  const ended = members.filter(({ run }) => run && hasEnded(run.state))
  const what = `${count(ended.length)} of ${plural(members.length, 'member')} ended`
  const open = ended.length < members.length
  return `${what}, ${open ? `up to now ${seconds(to - from)}` : `the last ${seconds(to - from)}`} after the zip landed.`
}
