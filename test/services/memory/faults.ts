import { hearing } from './calls.ts'
import { Crash, type Wrap } from './world.ts'

/** `before`: it had no effect; `after`: its answer is lost; `death`: as after, and no `finally` of that process runs. */
export const FAULTS = ['before', 'after', 'death'] as const
export type FaultKind = (typeof FAULTS)[number]

export type Fault = {
  wrap: Wrap
  /** A new process: of one that died nothing runs on. */
  revive: () => Promise<void>
  calls: () => number
}

/** Throws at the nth call that any port gets. */
export function fault(nth = 0, kind: FaultKind = 'before'): Fault {
  let calls = 0
  let dead = false
  const wrap = hearing(async ({ name, make }) => {
    if (dead) throw new Crash('dead')
    const struck = ++calls === nth
    if (struck && kind === 'before') throw new Crash(`before ${name}`)
    const answer = await make()
    if (!struck) return answer
    dead = kind === 'death'
    throw new Crash(`after ${name}`)
  })
  const revive = async () => {
    if (!dead) return
    // What ran beside it must have found out.
    await new Promise((resolve) => setImmediate(resolve))
    dead = false
  }
  return { wrap, revive, calls: () => calls }
}
