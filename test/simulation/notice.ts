import { type Mutation, mutationOf } from './mutations.ts'
import { type Simulation, simulate } from './simulate.ts'

/** By which schedule it is noticed that a safety is off, what broke, and what else was off. */
export type Noticed = { seed: number; wrong: string; offToo: string[] }

/**
 * Looks for the first schedule that notices. Where other safeties stand behind one, and none notices, those are switched off as
 * well: then it counts what holds with them off, and breaks when this one is off, too.
 */
export async function notice(mutation: Mutation, how: Omit<Simulation, 'off'>): Promise<Noticed | undefined> {
  const { name, behind = [] } = mutation
  const { broken } = await simulate({ ...how, off: [name] })
  if (broken) return { ...broken, offToo: [] }
  if (behind.length === 0) return undefined
  const end = how.seed + how.schedules
  for (let seed = how.seed; seed < end; ) {
    const { broken } = await simulate({ ...how, seed, schedules: end - seed, off: [name, ...behind] })
    if (!broken) return undefined
    if (await holds({ ...how, seed: broken.seed }, behind)) return { ...broken, offToo: behind }
    seed = broken.seed + 1
  }
  return undefined
}

/** Whether the promises hold in one schedule though these are off. */
export async function holds(how: Omit<Simulation, 'off' | 'schedules'>, off: string[]): Promise<boolean> {
  const { broken } = await simulate({ ...how, schedules: 1, workers: 1, off: off.map((name) => mutationOf(name).name) })
  return broken === undefined
}
