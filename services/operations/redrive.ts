import { setTimeout as sleep } from 'node:timers/promises'
import { STAGES, type Stage } from '../../events/replay.ts'
import { inWords } from '../lambda/errors.ts'
import type { Move } from '../letters/dead-letters.ts'
import { type Letter, readLetter } from '../letters/letter.ts'
import type { Landfall } from './connect.ts'
import type { Books } from './find-run.ts'

/** What is in one dead-letter queue: what a stage gave up on, or with `event`, what EventBridge could not hand to it. */
export type DeadQueue = {
  stage: Stage
  event?: string
  /** The first of them, oldest first. */
  letters: Letter[]
  /** How many there are, as near as SQS knows where there are more than were read. */
  total: number
}

export type Found = {
  /** Without the empty ones. */
  queues: DeadQueue[]
  /** Messages hidden from us, for someone else looks at them now. */
  hidden: number
  /** Messages of the sweep, which are no events: there is nothing that they could be returned to. */
  sweep: number
}

/** What became of one queue's messages. */
export type Returned = {
  stage: Stage
  event?: string
  moved: number
  /** A move that someone else had started was at work, and was followed to its end instead. */
  joined?: boolean
  failed?: string
}

/** Messages of one queue that are read. The others are counted, and go back with them. */
export const MOST_READ = 200

type Deps = Books & Pick<Landfall, 'queues' | 'depth' | 'deadLetters'>

type Look = { stage?: Stage; most?: number; signal?: AbortSignal }

/** Reads the dead letters, and leaves them where they are. */
export async function findDeadLetters(deps: Deps, { stage, most = MOST_READ, signal }: Look = {}): Promise<Found> {
  const { queues, depth, deadLetters } = deps
  const dead = queues.filter(({ kind }) => kind === 'dead')
  const order = (queue: { stage: string; event?: string }) =>
    `${STAGES.indexOf(queue.stage as Stage)} ${queue.event ?? ''}`
  const mine = dead
    .filter((queue) => isStage(queue.stage) && (stage === undefined || queue.stage === stage))
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
  const sweeps = stage === undefined ? dead.filter((queue) => !isStage(queue.stage)) : []
  const [found, sweep] = await Promise.all([
    Promise.all(
      mine.map(async ({ stage, event, url }) => {
        const { waiting, inFlight } = await depth(url)
        const peeked = await deadLetters.peek(url, most, signal)
        const letters = await Promise.all(peeked.map((letter) => readLetter(deps, letter)))
        letters.sort((a, b) => (a.sentAt < b.sentAt ? -1 : 1))
        const total = peeked.length < most ? peeked.length : Math.max(peeked.length, waiting)
        return { stage: stage as Stage, ...(event && { event }), letters, total, hidden: inFlight }
      }),
    ),
    Promise.all(sweeps.map(({ url }) => depth(url))),
  ])
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
  return {
    queues: found.flatMap(({ hidden: _, ...queue }) => (queue.total > 0 ? [queue] : [])),
    hidden: sum(found.map(({ hidden }) => hidden)),
    sweep: sum(sweep.map(({ waiting, inFlight }) => waiting + inFlight)),
  }
}

const isStage = (name: string): name is Stage => (STAGES as readonly string[]).includes(name)

export type Progress = { stage: Stage; event?: string; moved: number; toMove?: number }
export type SendBack = {
  /** Only of what takes long. */
  onProgress?: (progress: Progress) => void
  signal?: AbortSignal
  /** Milliseconds after which something takes long. @default 2000 */
  long?: number
  /** Milliseconds between two looks. @default 250 */
  poll?: number
}

/**
 * Returns all messages of these queues to their stages, from which each is tried again as often as any.
 * What fails for one queue is in its line and does not keep the others.
 */
export async function sendBack(deps: Deps, queues: DeadQueue[], options: SendBack = {}): Promise<Returned[]> {
  options.signal?.throwIfAborted()
  return await Promise.all(
    queues.map(async ({ stage, event, total }) => {
      const name = { stage, ...(event && { event }) }
      const progress = reporter(options, (moved, toMove = total) => ({ ...name, moved, toMove }))
      const urls = deps.queues.filter((queue) => queue.stage === stage)
      const from = urls.find((queue) => queue.kind === 'dead' && queue.event === event)?.url
      const to = urls.find(({ kind }) => kind === 'work')?.url
      if (!from || !to)
        throw new Error(`The deployed stack has no output with a queue of ${stage}: it is of another version.`)
      try {
        // SQS moves only what SQS has put there ("DLQs of other Amazon SQS queues only"), so not what EventBridge has:
        // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
        const done = event ? carryAll(deps, from, to, progress, options) : moveAll(deps, from, to, progress, options)
        return { ...name, ...(await done) }
      } catch (error) {
        options.signal?.throwIfAborted()
        return { ...name, moved: 0, failed: inWords(error) }
      }
    }),
  )
}

type Report = (moved: number, toMove?: number) => void

/** Says how far it has come, once it takes long, and each time that there is news. */
function reporter({ onProgress, long = 2000 }: SendBack, of: (moved: number, toMove?: number) => Progress): Report {
  const began = performance.now()
  let said = -1
  return (moved, toMove) => {
    if (moved === said || performance.now() - began < long) return
    said = moved
    onProgress?.(of(moved, toMove))
  }
}

/** A move that was started is in SQS's list in a moment, or never. */
const APPEARS_MS = 30_000

async function moveAll(
  { deadLetters }: Deps,
  from: string,
  to: string,
  report: Report,
  { signal, poll = 250 }: SendBack,
): Promise<Omit<Returned, 'stage' | 'event'>> {
  const before = await deadLetters.lastMove(from)
  const joined = !(await deadLetters.startMove(from, to))
  const began = performance.now()
  const isOld = (move: Move) => !joined && move.startedAt === before?.startedAt
  for (;;) {
    const move = await deadLetters.lastMove(from)
    if (move && !isOld(move)) {
      const { state, moved, toMove, why } = move
      if (state !== 'running') {
        const bad = state === 'completed' ? undefined : `The move ended as ${state}${why ? `: ${why}` : ''}.`
        return { moved, ...(joined && { joined }), ...(bad && { failed: bad }) }
      }
      report(moved, toMove)
    } else if (performance.now() - began > APPEARS_MS) throw new Error('SQS took the move and does not list it.')
    await sleep(poll, undefined, { signal })
  }
}

async function carryAll(
  { deadLetters }: Deps,
  from: string,
  to: string,
  report: Report,
  { signal }: SendBack,
): Promise<Omit<Returned, 'stage' | 'event'>> {
  let moved = 0
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { carried, failed } = await deadLetters.carry(from, to)
      moved += carried
      if (failed || carried === 0) return { moved, ...(failed && { failed }) }
      report(moved)
    }
  } catch (error) {
    signal?.throwIfAborted()
    return { moved, failed: inWords(error) }
  }
}
