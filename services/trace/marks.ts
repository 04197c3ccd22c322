export type Marks<Name extends string> = { times: Partial<Record<Name, number>>; clamped: string[] }

/**
 * Instants in the order in which they must have been, between `from` and `end`. They were read from several clocks (ours,
 * Glue's, the job's), which may differ a little: one that would come before its predecessor, or after the end, is moved
 * there, and named.
 */
export function ordered<Name extends string>(
  from: number,
  end: number,
  instants: [Name, number | undefined][],
): Marks<Name> {
  const times: Partial<Record<Name, number>> = {}
  const clamped: string[] = []
  let last = from
  for (const [name, time] of instants) {
    if (time === undefined) continue
    const possible = Math.min(Math.max(time, last), end)
    if (possible !== time) clamped.push(name)
    times[name] = possible
    last = possible
  }
  return { times, clamped }
}
