/**
 * A small seeded generator (mulberry32): the same seed gives the same numbers on every machine.
 * @returns a function giving a whole number in `0 … below - 1`; `below` is at most 2^32.
 */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x100000000) * below)
  }
}

/** Shuffles in place (Fisher-Yates). */
export function shuffle<T>(values: T[], random: (below: number) => number): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random(i + 1)
    const [a, b] = [values[i] as T, values[j] as T]
    values[i] = b
    values[j] = a
  }
  return values
}

/**
 * Distinct nine-digit order ids, scattered: steps that share no factor with 900,000,000 visit each number once before any
 * comes again.
 */
export function orderIds(random: (below: number) => number): () => number {
  const all = 900_000_000
  let step = 300_000_007 + random(300_000_000)
  while (step % 2 === 0 || step % 3 === 0 || step % 5 === 0) step++
  let at = random(all)
  return () => {
    at = (at + step) % all
    return 100_000_000 + at
  }
}
