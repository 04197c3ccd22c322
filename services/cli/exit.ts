import type { Run } from '../ledger/run.ts'
import { wentWell } from '../operations/outcome.ts'

/** What the exit code says to a script. */
export const EXIT = {
  done: 0,
  /** A file was refused or failed, or the query did: the input is to be mended. Or a person did not want it. */
  refused: 1,
  usage: 2,
  /** The runtime or AWS could not do it. */
  broken: 3,
  /** As a shell says it of Ctrl-C. */
  interrupted: 130,
} as const

/** For a command that has waited for these. */
export const exitOf = (runs: Run[]): number => (runs.every(wentWell) ? EXIT.done : EXIT.refused)

/** What a person can mend in the command itself: nothing was done. */
export class WrongUsage extends Error {}

export const EXIT_HELP = `
Exit codes:
  0    done, every file delivered; check: it would be delivered
  1    a file was refused, failed or superseded, or the query failed; check: it would be refused;
       replay: a run of it was refused or failed, or it was cancelled; superseded is no failure of a replay;
       rejects: the lines, or the header, are not kept any more; trace --xray: X-Ray has no
       trace of it; a question was not answered with yes; withdraw: what landed again meanwhile stays
  2    wrong usage: nothing was done (also: no such run, no such file, no terminal to ask on and no --yes)
  3    the runtime could not be started or reached
  130  interrupted
`
