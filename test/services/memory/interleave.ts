import { hearing } from './calls.ts'
import type { Wrap } from './world.ts'

type Process = (wrap: Wrap) => Promise<unknown>

const quiet = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * Runs processes in one order of turns: each call to a wrapped port waits for its turn, and `choose` says whose it is.
 * Ports answer without timers, so once the event loop has come round every live process waits for its next turn. What a
 * process calls side by side stands in line: the order of its own calls is one.
 */
async function once(processes: Process[], choose: (among: number) => number): Promise<void> {
  const waiting = new Map<number, (() => void)[]>()
  const wrapFor = (process: number): Wrap =>
    hearing(async ({ make }) => {
      await new Promise<void>((resolve) => waiting.set(process, [...(waiting.get(process) ?? []), resolve]))
      return await make()
    })
  const done = Promise.all(processes.map((process, i) => process(wrapFor(i))))
  done.catch(() => {})
  for (await quiet(); waiting.size > 0; await quiet()) {
    const ready = [...waiting.keys()].sort()
    const next = ready[choose(ready.length)] ?? 0
    const [go, ...behind] = waiting.get(next) ?? []
    if (behind.length > 0) waiting.set(next, behind)
    else waiting.delete(next)
    go?.()
  }
  await done
}

/**
 * Every order of the processes' calls, each on a world of its own.
 * @returns how many orders there were
 */
export async function interleaveAll<W>(
  make: () => Promise<W>,
  processes: ((world: W, wrap: Wrap) => Promise<unknown>)[],
  check: (world: W) => Promise<void> | void,
): Promise<number> {
  let path: { taken: number; of: number }[] = []
  for (let orders = 1; ; orders++) {
    const world = await make()
    let depth = 0
    await once(
      processes.map((process) => (wrap) => process(world, wrap)),
      (among) => {
        const step = path[depth] ?? { taken: 0, of: among }
        path[depth++] = step
        return step.taken
      },
    )
    await check(world)
    path = path.slice(0, depth)
    while (path.length > 0 && (path.at(-1)?.taken ?? 0) + 1 >= (path.at(-1)?.of ?? 0)) path.pop()
    const last = path.at(-1)
    if (!last) return orders
    last.taken++
  }
}
