export type Random = (below: number) => number
export const pick = <T>(random: Random, of: readonly T[]): T => of[random(of.length)] as T
