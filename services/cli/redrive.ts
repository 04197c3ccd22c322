import type { Stage } from '../../events/replay.ts'
import type { Run, RunRef } from '../ledger/run.ts'
import type { Letter } from '../letters/letter.ts'
import { followReturned } from '../operations/follow-returned.ts'
import { type DeadQueue, type Found, findDeadLetters, type Returned, sendBack } from '../operations/redrive.ts'
import { checkConfirmable, confirm } from './confirm.ts'
import { EXIT, exitOf } from './exit.ts'
import { count, instant, paint, plural, table, visible, wrap } from './format.ts'
import { signal } from './process.ts'
import { stateWords } from './runs.ts'
import { target } from './runtime.ts'
import { clock, describe, print, say, shortId, summary } from './screen.ts'

export type RedriveOptions = {
  stage?: Stage
  yes?: boolean
  dryRun?: boolean
  wait?: boolean
  json?: boolean
  aws?: boolean
}

export async function redrive(options: RedriveOptions): Promise<number> {
  if (!options.dryRun) checkConfirmable(options)
  const landfall = await target(options.aws ?? false)
  try {
    return await redriveOn(landfall, options)
  } finally {
    landfall.close()
  }
}

/** What redrive needs of a deployment. */
type Deployed = Parameters<typeof findDeadLetters>[0] & Parameters<typeof followReturned>[0]

export async function redriveOn(landfall: Deployed, options: RedriveOptions): Promise<number> {
  const { stage, yes, dryRun, wait, json } = options
  const found = await findDeadLetters(landfall, { stage, signal })
  const { queues } = found
  const messages = queues.reduce((sum, { total }) => sum + total, 0)
  if (dryRun || messages === 0) {
    if (json) print(JSON.stringify({ ...found, returned: [] }))
    else print(foundText(found, stage))
    if (dryRun && messages > 0 && !json) say(`\n${plural(messages, 'message')} would be sent back; nothing was done.`)
    return EXIT.done
  }
  const question = `Send back ${aboutAll(queues)}${plural(messages, 'message')}?`
  await confirm({ touches: foundText(found, stage), question, yes, json })

  const tick = clock()
  const returned = await sendBack(landfall, queues, {
    onProgress: ({ moved, toMove, ...queue }) => tick(queueName(queue), `${count(moved)} of ${count(toMove)} are back`),
    signal,
  }).catch((error) => {
    if (signal.aborted) say('What SQS has begun to move, it goes on moving.')
    throw error
  })
  const broken = returned.some(({ failed }) => failed !== undefined)
  if (!json) print(returnedText(returned))
  if (!wait) {
    if (json) print(JSON.stringify({ ...found, returned }))
    return broken ? EXIT.broken : EXIT.done
  }
  const { runs, nothing } = await followReturned(landfall, queues, {
    onChange: (run) => tick(...describe(run)),
    signal,
  })
  if (json) print(JSON.stringify({ ...found, returned, runs, nothing }))
  else print(`\n${waitedText(runs, nothing, queues)}`)
  if (broken) return EXIT.broken
  return nothing.length > 0 ? EXIT.refused : exitOf(runs)
}

const unread = ({ letters, total }: DeadQueue) => total - letters.length
const aboutAll = (queues: DeadQueue[]) => (queues.some((queue) => unread(queue) > 0) ? 'about ' : '')
const queueName = ({ stage, event }: { stage: string; event?: string }) => (event ? `${stage} (${event})` : stage)

const WIDTH = 110
/** Reasons that are told in words, and runs that are named beside one; the table names all. */
const TOLD = 10
const NAMED = 5

export function foundText({ queues, hidden, sweep }: Found, stage?: Stage): string {
  const where = stage ? `the dead-letter queues of ${stage}` : 'the dead-letter queues'
  const blocks = queues.length > 0 ? [letterTable(queues)] : [`Nothing to send back: ${where} are empty.`]
  for (const queue of queues)
    if (unread(queue) > 0)
      blocks.push(
        `The first ${count(queue.letters.length)} of about ${plural(queue.total, 'message')} of ${queueName(queue)}; all would go back.`,
      )
  blocks.push(...reasons(queues))
  if (hidden > 0)
    blocks.push(`${plural(hidden, 'more message')} of ${where} may be there: someone else looks at them now.`)
  if (sweep > 0)
    blocks.push(
      wrap(
        `${plural(sweep, 'message')} of sweep ${sweep === 1 ? 'stays' : 'stay'}: each is a minute in which it failed, and no event that could be sent back. It looks anew every minute; its log says why it failed.`,
        WIDTH,
      ),
    )
  return blocks.join('\n\n')
}

function letterTable(queues: DeadQueue[]): string {
  const rows = queues.flatMap((queue) =>
    queue.letters.map((letter) => [
      instant(letter.sentAt),
      queueName(queue),
      count(letter.receives),
      letter.detailType ?? 'no event',
      visible(letter.about, 100),
      ...runCells(letter),
    ]),
  )
  return table([['sent (UTC)', 'stage', 'received', 'event', 'of', 'run', 'state', 'why'], ...rows])
}

function runCells({ refs, runs, undelivered }: Letter): string[] {
  const [run] = runs
  const why = run?.problem?.code ?? (undelivered === undefined ? '' : 'undelivered')
  if (!run) return ['-', refs.length > 0 ? 'no run in the ledger' : '', why]
  const more = runs.length > 1 ? ` and ${plural(runs.length - 1, 'other')}` : ''
  return [`${shortId(run)}${more}`, stateWords(run), why]
}

/** What was said of each run, once where several fail for one reason: then in the words for the first of them. */
function reasons(queues: DeadQueue[]): string[] {
  const told = new Map<string, { words: string; names: Set<string> }>()
  const tell = (name: string, key: string, words: string) => {
    const alike = words.replaceAll(key, '')
    const known = told.get(alike) ?? { words, names: new Set() }
    known.names.add(name)
    told.set(alike, known)
  }
  for (const { runs, undelivered, about } of queues.flatMap(({ letters }) => letters)) {
    for (const { runId, key, problem } of runs) if (problem) tell(shortId({ runId }), key, problem.message)
    if (undelivered !== undefined) tell(visible(about, 100), about, `EventBridge: ${undelivered}`)
  }
  const blocks = [...told.values()].map(({ words, names }) => {
    const few = [...names].slice(0, NAMED)
    const more = names.size > few.length ? ` and ${count(names.size - few.length)} more` : ''
    return `${paint('red', few.join(', '))}${more}:\n  ${wrap(visible(words), WIDTH, '  ')}`
  })
  const others =
    blocks.length > TOLD ? [`… and ${plural(blocks.length - TOLD, 'other reason')}: landfall show RUN`] : []
  return blocks.length > 0 ? [[...blocks.slice(0, TOLD), ...others].join('\n')] : []
}

export function returnedText(returned: Returned[]): string {
  const moved = returned.reduce((sum, { moved }) => sum + moved, 0)
  const lines = returned.map(({ moved, joined, failed, ...queue }) => {
    const by = joined ? ' (a move that was at work already)' : ''
    const line = `  ${queueName(queue)}: ${count(moved)}${by}`
    return failed ? `${line}. ${paint('red', 'The others are still there')}: ${visible(failed)}` : line
  })
  return [`Sent back ${plural(moved, 'message')}:`, ...lines].join('\n')
}

function waitedText(runs: Run[], nothing: RunRef[], queues: DeadQueue[]): string {
  const blocks = runs.length > 0 ? [summary(runs)] : ['The messages name no run to wait for.']
  if (nothing.length > 0)
    blocks.push(
      `No run came of the messages of:\n${nothing.map(({ sourceId }) => `  ${visible(sourceId)}`).join('\n')}`,
    )
  const rest = queues.reduce((sum, queue) => sum + unread(queue), 0)
  if (rest > 0) blocks.push(`Runs of about ${plural(rest, 'message')} more, which were not read, were not waited for.`)
  return blocks.join('\n\n')
}
