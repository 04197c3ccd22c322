import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Answer, Asked } from './worker.ts'

/** Schedules that a worker plays before it is heard of. */
const AT_ONCE = 25

export type Simulated = {
  schedules: number
  calls: number
  steps: number
  /** What struck, and how often. */
  struck: Map<string, number>
  /** Of the lowest seed that broke a promise. */
  broken?: { seed: number; wrong: string }
}

export type Simulation = {
  schedules: number
  /** The first. */
  seed: number
  /** Safeties that are switched off, by their names. @default none */
  off?: string[]
  workers?: number
  onProgress?: (done: number) => void
  signal?: AbortSignal
}

/** Plays schedules in processes of their own, until one breaks a promise or all are played. */
export async function simulate({
  schedules,
  seed,
  off = [],
  workers = 1,
  onProgress,
  signal,
}: Simulation): Promise<Simulated> {
  const total: Simulated = { schedules: 0, calls: 0, steps: 0, struck: new Map() }
  const end = seed + schedules
  let next = seed
  const take = (): Asked | undefined => {
    if (next >= end || total.broken || signal?.aborted) return undefined
    const from = next
    next = Math.min(end, from + AT_ONCE)
    return { from, to: next }
  }
  const add = ({ calls, steps, struck, broken, played }: Answer) => {
    total.schedules += played
    total.calls += calls
    total.steps += steps
    for (const [fault, times] of struck) total.struck.set(fault, (total.struck.get(fault) ?? 0) + times)
    const [first] = broken
    if (first && first.seed < (total.broken?.seed ?? Number.POSITIVE_INFINITY)) total.broken = first
    onProgress?.(total.schedules)
  }
  await Promise.all(Array.from({ length: workers }, () => work(take, add, off, signal)))
  signal?.throwIfAborted()
  return total
}

async function work(take: () => Asked | undefined, add: (answer: Answer) => void, off: string[], signal?: AbortSignal) {
  const worker = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), off, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const stop = () => worker.kill()
  signal?.addEventListener('abort', stop)
  try {
    for (let asked = take(); asked; asked = take()) add(await answerOf(worker, asked))
  } finally {
    signal?.removeEventListener('abort', stop)
    worker.kill()
  }
}

async function answerOf(worker: ChildProcess, asked: Asked): Promise<Answer> {
  const done = new AbortController()
  worker.send(asked)
  try {
    const [answer] = await Promise.race([
      once(worker, 'message', { signal: done.signal }),
      once(worker, 'exit', { signal: done.signal }).then(([code]) => {
        throw new Error(`A worker of the simulation ended with ${code}; what it said is above.`)
      }),
    ])
    return answer as Answer
  } finally {
    done.abort()
  }
}
