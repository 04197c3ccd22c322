import type { World } from '../services/memory/world.ts'
import type { Fault } from './faults.ts'

/** Something that the simulation has found and nobody has mended yet. */
type Known = {
  name: string
  /** Names of the sources that have it, as what is wrong would say them. */
  of: (world: World) => string[]
}

/** A schedule that comes to one of these has shown it, and ends; it does not count as broken. Whoever mends one takes it out here. */
const UNMENDED: Known[] = []

/** After these, convert may fail a run at its last attempt that it has just told the ledger to be converted: none by now. */
export const TAKES_BACK: Fault[] = []
/** After these, dispatch may let its slot go though its job has been started, and another job does the same: none by now. */
export const STARTS_TWICE: Fault[] = []

/** @returns which of those it is that made this wrong, if one did */
export const unmended = (world: World, wrong: string): string | undefined =>
  UNMENDED.find(({ of }) => of(world).some((key) => wrong.includes(key)))?.name
