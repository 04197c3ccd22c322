import { setTimeout as sleep } from 'node:timers/promises'
import type { Run, RunRef } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'
import { type FollowOptions, follow } from './follow.ts'
import type { DeadQueue } from './redrive.ts'

export type Followed = {
  runs: Run[]
  /** Of which no run has come to be. */
  nothing: RunRef[]
}

type Options = FollowOptions & {
  /** Milliseconds for which a stage's queue must be empty before its messages count as read. @default 70,000 */
  quiet?: number
  /** Milliseconds between two looks. @default 500 */
  poll?: number
}

/** SQS's numbers are right a minute after the last change: so long an empty queue may have a message. */
const QUIET_MS = 70_000

/**
 * Watches the runs that returned messages name until each has ended. A run that failed before counts as ended only when it
 * ended anew, or when its stage has read all its messages and left it as it was.
 */
export async function followReturned(
  landfall: Pick<Landfall, 'ledger' | 'queues' | 'depth'>,
  queues: DeadQueue[],
  options: Options = {},
): Promise<Followed> {
  const { ledger } = landfall
  const { signal, quiet = QUIET_MS, poll = 500 } = options
  const read = whenRead(landfall, quiet)
  let waiting = pendingOf(queues)
  const following: Promise<Run[]>[] = []
  const left: Run[] = []
  const nothing: RunRef[] = []
  while (waiting.length > 0) {
    signal?.throwIfAborted()
    // Before the runs are looked at: what was read by then, has done to them what it does.
    const isRead = await read(new Set(waiting.map(({ stage }) => stage)))
    const still: Pending[] = []
    for (const each of waiting) {
      const run = await ledger.run(each.ref)
      if (run && isTakenUp(run, each.before)) {
        const followed = follow(landfall, [each.ref], options)
        // Its failure is heard below, or is that of everything.
        followed.catch(() => {})
        following.push(followed)
      } else if (!isRead(each.stage)) still.push(each)
      else if (run) left.push(run)
      else nothing.push(each.ref)
    }
    waiting = still
    if (waiting.length > 0) await sleep(poll, undefined, { signal })
  }
  const runs = [...left, ...(await Promise.all(following)).flat()]
  return { runs: [...new Map(runs.map((run) => [run.runId, run])).values()], nothing }
}

type Pending = { ref: RunRef; stage: string; before?: Run }

function pendingOf(queues: DeadQueue[]): Pending[] {
  const pending = new Map<string, Pending>()
  for (const { stage, letters } of queues)
    for (const { refs, runs } of letters)
      for (const ref of refs) {
        const before = runs.find(({ runId }) => runId === ref.runId)
        pending.set(ref.runId, { ref, stage, ...(before && { before }) })
      }
  return [...pending.values()]
}

/** Anything but the failure that was there before. */
const isTakenUp = (run: Run, before: Run | undefined) =>
  run.state !== 'failed' || before?.state !== 'failed' || run.endedAt !== before.endedAt

/** Tells of stages whose queue has been empty for so long. */
export function whenRead({ queues, depth }: Pick<Landfall, 'queues' | 'depth'>, quiet: number) {
  const emptySince = new Map<string, number>()
  return async (stages: Set<string>) => {
    for (const { stage, url } of queues.filter(({ kind, stage }) => kind === 'work' && stages.has(stage))) {
      const { waiting, inFlight } = await depth(url)
      if (waiting + inFlight > 0) emptySince.delete(stage)
      else if (!emptySince.has(stage)) emptySince.set(stage, performance.now())
    }
    return (stage: string) => performance.now() - (emptySince.get(stage) ?? Number.POSITIVE_INFINITY) >= quiet
  }
}
