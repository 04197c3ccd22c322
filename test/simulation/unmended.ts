import type { World } from '../services/memory/world.ts'
import type { Fault } from './faults.ts'

/** Something that the simulation has found and nobody has mended yet. */
type Known = {
  name: string
  /** Names of the sources that have it, as what is wrong would say them. */
  of: (world: World) => string[]
}

const heads = (world: World) =>
  [...world.table.items.values()].filter(({ pk, sk }) => pk.startsWith('SOURCE#') && sk === 'HEAD')

/** As dispatch says of what is queued for partition. */
const TAKEN = 'What partition would read is gone'

/** A schedule that comes to one of these has shown it, and ends; it does not count as broken. Whoever mends one takes it out here. */
const UNMENDED: Known[] = [
  {
    name: 'a version of which half is in the table is given up, as the next one took its typed rows',
    of: (world) => {
      const runs = world.runs()
      const lists = [...world.table.items.values()].filter(({ sk }) => sk.startsWith('OBJECTS#delivery'))
      return heads(world).flatMap(({ pk, key, deliveryRun }) => {
        const listed = lists.filter((list) => list.pk === pk)
        const left = runs.filter(({ runId, problem }) => problem?.message.startsWith(TAKEN) && runId !== deliveryRun)
        return left.some(({ runId }) => listed.some(({ sk }) => sk.includes(`#${runId}#`))) ? [String(key)] : []
      })
    },
  },
]

/** After these, convert may fail a run at its last attempt that it has just told the ledger to be converted: none by now. */
export const TAKES_BACK: Fault[] = []
/** After these, dispatch may let its slot go though its job has been started, and another job does the same: none by now. */
export const STARTS_TWICE: Fault[] = []

/** @returns which of those it is that made this wrong, if one did */
export const unmended = (world: World, wrong: string): string | undefined =>
  UNMENDED.find(({ of }) => of(world).some((key) => wrong.includes(key)))?.name
