import pMap from 'p-map'
import { S3ObjectEvent } from '../../events/s3-object.ts'
import { arrivalOf, givenUp, type IntakeDeps } from '../jobs/intake.ts'
import { onItsWayMs } from '../lambda/receives.ts'
import { LIVE } from '../ledger/causes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { dueItem, dueKey, queueKey } from '../ledger/queue.ts'
import { reworded } from '../ledger/reruns.ts'
import { hasEnded, type Run, runKey } from '../ledger/run.ts'
import {
  forgetLetter,
  isNotedElsewhere,
  type Look,
  looks,
  type NotedLetter,
  notedLetters,
  noteLetter,
  putLook,
} from '../ledger/sweeps.ts'
import type { Condition } from '../ledger/table.ts'
import type { DeadLetters } from '../letters/dead-letters.ts'
import { type Books, type Letter, readLetter } from '../letters/letter.ts'
import type { Depth, NamedQueue } from '../letters/queues.ts'
import { gone, IN_QUEUE } from '../letters/words.ts'
import type { Swept } from './sweep.ts'

/** Letters of one queue that are read at one look. */
const MOST_READ = 500
/** Letters that come while others leave do not change a queue's number: it is looked into now and then all the same. */
const LOOK_EVERY_MS = 3_600_000

export type LettersDeps = IntakeDeps &
  Books & {
    deadLetters: Pick<DeadLetters, 'peek'>
    depth: (url: string) => Promise<Depth>
    /** Those of the stages and of their rules. */
    queues: Pick<NamedQueue, 'stage' | 'event' | 'url'>[]
  }

type Queue = LettersDeps['queues'][number]
export type LettersSwept = { swept: Swept[]; told: Swept[]; errors: unknown[] }

/**
 * Has the ledger say what the dead-letter queues say: what died without a word has failed, and what counts on a message that
 * is gone says so. Queues that are empty cost one question each.
 */
export async function sweepLetters(deps: LettersDeps): Promise<LettersSwept> {
  const all: LettersSwept = { swept: [], told: [], errors: [] }
  try {
    const known = await looks(deps.ledger)
    // One queue's trouble must not keep the sweep from the others.
    for (const queue of deps.queues)
      await sweepQueue(deps, queue, known.get(nameOf(queue)), all).catch((error: unknown) => all.errors.push(error))
  } catch (error) {
    all.errors.push(error)
  }
  return all
}

const nameOf = ({ stage, event }: Queue) => (event ? `${stage}.${event}` : stage)

async function sweepQueue(deps: LettersDeps, queue: Queue, last: Look | undefined, all: LettersSwept): Promise<void> {
  const { ledger, deadLetters } = deps
  const name = nameOf(queue)
  const { waiting, inFlight } = await deps.depth(queue.url)
  if (waiting + inFlight === 0 && !last?.noted) return
  const now = ledger.now().getTime()
  if (last && !last.again && last.waiting === waiting && now - last.at < LOOK_EVERY_MS) return
  const noted = new Map((await notedLetters(ledger, name)).map((letter) => [letter.id, letter]))
  let again = false
  const letters = waiting > 0 ? await deadLetters.peek(queue.url, MOST_READ) : []
  await pMap(
    letters,
    async (letter) => {
      try {
        const verdict = await judge(deps, queue, await readLetter(deps, letter))
        if (verdict === 'later') again = true
        else await note(deps, queue, noted.get(letter.id), letter.id, verdict, all)
      } catch (error) {
        again = true
        all.errors.push(error)
      }
    },
    { concurrency: 8 },
  )
  const here = new Set(letters.map(({ id }) => id))
  const isWhole = inFlight === 0 && letters.length >= waiting && letters.length < MOST_READ
  let left = 0
  for (const letter of noted.values()) {
    if (here.has(letter.id)) continue
    if (isWhole && (await leaves(deps, name, letter, all))) left++
    else again = true
  }
  const known = new Set([...noted.keys(), ...here]).size - left
  await putLook(ledger, name, { at: now, waiting, ...((again || !isWhole) && { again: true }), noted: known })
}

/** `later`: someone is at work on it. Else what was done, or that there is nothing to do, in words; and of which run. */
type Verdict = 'later' | { did?: string; needsNothing?: string; run?: Run }

async function note(
  { ledger }: LettersDeps,
  queue: Queue,
  before: NotedLetter | undefined,
  id: string,
  { did, needsNothing, run }: Exclude<Verdict, 'later'>,
  all: LettersSwept,
): Promise<void> {
  const { stage } = queue
  const about = { dataset: run?.dataset ?? 'unknown', stage, ...(run && { key: run.key, runId: run.runId }) }
  if (did) all.swept.push({ ...about, did })
  if (before && before.missingSince === undefined) return
  if (needsNothing && !before) all.told.push({ ...about, did: needsNothing })
  const ref = run && { dataset: run.dataset, sourceId: run.sourceId, runId: run.runId }
  await noteLetter(ledger, nameOf(queue), { id, ...(ref && { ref }) })
}

async function judge(deps: LettersDeps, queue: Queue, letter: Letter): Promise<Verdict> {
  const { rawBucket, processingBucket } = deps
  const event = S3ObjectEvent.safeParse(parsed(letter.body))
  const bucket = event.data?.detail.bucket.name
  const [run] = letter.runs
  if (event.data && bucket === rawBucket && letter.refs.length > 0) {
    if (run) return await ofLanding(deps, queue, letter, run)
    const arrival = arrivalOf(event.data, event.data['replay-name'] ?? LIVE)
    const kind = queue.stage === 'unzip' ? 'zip' : 'csv'
    const failed = await givenUp(deps, arrival, kind, howOf(queue, letter))
    return { did: `entered what only a dead letter knew: ${failed.state}`, run: failed }
  }
  if (event.data && bucket === processingBucket) return run ? await ofParquet(deps, run) : { needsNothing: NO_RUN }
  if (letter.detailType === 'landfall.rerun' && run) return await ofLanding(deps, queue, letter, run)
  return { needsNothing: letter.detailType ? LOOKED_AFTER : NO_EVENT, ...(run && { run }) }
}

const LOOKED_AFTER = 'A dead letter needs nothing: what it tells, the sweep looks after by itself'
const NO_RUN = 'A dead letter is about an object of the processing zone that is of no run in the ledger'
const NO_EVENT = 'A dead letter is no event of ours'

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function howOf({ stage, event }: Queue, { receives, sentAt, undelivered = 'it gives no reason' }: Letter): string {
  if (event) return `EventBridge could not hand its event to ${stage} (${undelivered}; given up by ${sentAt})`
  return `the function of ${stage} came to no end with it, though it was given its event of ${sentAt} ${receives} times: it was killed, or ran out of time or memory, which its log says`
}

async function ofLanding(deps: LettersDeps, queue: Queue, letter: Letter, run: Run): Promise<Verdict> {
  const { ledger } = deps
  if (run.kind === 'zip' && (await isLocked(ledger, run))) return 'later'
  if (run.state === 'failed') return await ofFailed(ledger, run)
  if (hasEnded(run.state)) return { needsNothing: `A dead letter needs nothing: its run is ${run.state}`, run }
  if (run.kind === 'csv' && (await isQueued(ledger, run))) return { needsNothing: LOOKED_AFTER, run }
  const message = `${run.key} landed, but ${howOf(queue, letter)}. ${IN_QUEUE}`
  // As the stage itself would have called it, so that the message finds it open when it is sent back.
  const problem = { code: run.kind === 'zip' ? 'unzip_failed' : 'not_taken_in', message }
  const still: Condition[] = [{ attribute: 'state', is: 'equal', to: run.state }]
  const told = await ledger.update(run, { state: 'failed', problem, endedAt: ledger.instant() }, [], [], still)
  return told ? { did: 'failed a run that only a dead letter knew of', run } : 'later'
}

async function ofFailed(ledger: Ledger, run: Run): Promise<Verdict> {
  const { problem } = run
  // Written before the last attempt, which died: nobody was told.
  if (problem && run.endedAt === undefined) {
    const still: Condition[] = [
      { attribute: 'state', is: 'equal', to: 'failed' },
      { attribute: 'endedAt', is: 'absent' },
    ]
    const told = await ledger.update(run, { state: 'failed', problem, endedAt: ledger.instant() }, [], [], still)
    return told ? { did: 'told of the failure of a run whose last attempt died', run } : 'later'
  }
  if (problem?.message.includes(gone(run))) await reword(ledger, run, problem.message.replace(gone(run), IN_QUEUE))
  return { run }
}

async function ofParquet({ ledger }: LettersDeps, run: Run): Promise<Verdict> {
  const isWaiting = run.state === 'converted' && run.spanPartition === undefined
  if (!isWaiting || (await ledger.table.get(dueKey(run)))) return { needsNothing: LOOKED_AFTER, run }
  await ledger.table.write([{ put: dueItem(run, 0) }])
  return { did: 'queues a typed file of which only a dead letter knew', run }
}

const isLocked = async (ledger: Ledger, run: Run) => ((await ledger.head(run))?.lockUntil ?? 0) > ledger.now().getTime()

async function isQueued({ table }: Ledger, run: Run): Promise<boolean> {
  for (const key of [
    ...(['convert', 'partition', 'catalog'] as const).map((stage) => queueKey(stage, run)),
    dueKey(run),
  ])
    if (await table.get(key)) return true
  return false
}

/** A letter that is in its queue no more: back at work, or gone. @returns false until that is sure */
async function leaves(
  { ledger }: LettersDeps,
  queue: string,
  letter: NotedLetter,
  all: LettersSwept,
): Promise<boolean> {
  const { id, ref, missingSince } = letter
  const now = ledger.now().getTime()
  const run = ref && (await ledger.run(ref))
  const counts = run?.state === 'failed' && run.problem?.message.includes(IN_QUEUE)
  // Sent back, it is tried for a while; and SQS does not show all of its messages at every look.
  if (counts && (missingSince === undefined || now - missingSince < onItsWayMs())) {
    if (missingSince === undefined) await noteLetter(ledger, queue, { ...letter, missingSince: now })
    return false
  }
  if (counts && run.problem && !(await isNotedElsewhere(ledger, letter))) {
    await reword(ledger, run, run.problem.message.replace(IN_QUEUE, gone(run)))
    const did = 'says of a failed run that its message is in no dead-letter queue any more'
    all.swept.push({ dataset: run.dataset, stage: queue.split('.')[0] ?? queue, did, key: run.key, runId: run.runId })
  }
  await forgetLetter(ledger, queue, id)
  return true
}

async function reword(ledger: Ledger, run: Run, message: string): Promise<void> {
  const problem = run.problem && { ...run.problem, message }
  const when: Condition[] = [{ attribute: 'state', is: 'equal', to: 'failed' }]
  if (problem)
    await ledger.table.write([
      { update: runKey(run), set: { problem }, when },
      ...(await reworded(ledger, run, message)),
    ])
}
