/** What the exit code says to a script. */
export const EXIT = {
  done: 0,
  /** A file was refused or failed, or the query did: the input is to be mended. */
  refused: 1,
  usage: 2,
  /** The runtime or AWS could not do it. */
  broken: 3,
  /** As a shell says it of Ctrl-C. */
  interrupted: 130,
} as const

export const EXIT_HELP = `
Exit codes:
  0    done, every file delivered
  1    a file was refused, failed or superseded, or the query failed
  2    wrong usage: nothing was done
  3    the runtime could not be started or reached
  130  interrupted
`
