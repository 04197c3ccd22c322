/** What a part of the benchmark is told. */
export type Settings = {
  /** @default of the part: 2,000,000 */
  rows?: number
  runs?: number
  /** Of parts that land many. */
  files?: number
  /** That occur in each of them. */
  countries?: number
  quick: boolean
  /** Says on stderr what is being done. */
  say: (text: string) => void
}

/** What a part found. The figures are for machines, the tables and notes for people. */
export type Found = {
  figures: Record<string, unknown>
  /** The first row is the heading. */
  table: string[][]
  /** What was skipped and why, and what a reader must know. */
  notes: string[]
  /** Promises in figures: what was found, what it is to be at most or at least, and what one would like. */
  goals: Goal[]
}
export type Goal = { what: string; found: number; atMost?: number; atLeast?: number; aim: number }

export type Part = { name: string; about: string; run: (settings: Settings) => Promise<Found> }

export const seconds = (value: number | undefined): string =>
  value === undefined ? '-' : `${value.toFixed(value < 100 ? 2 : 0)} s`
export const times = (value: number): string => `${value.toFixed(2)} x`
export const mebibytes = (value: number | undefined): string => (value === undefined ? '-' : String(Math.round(value)))
export const holds = ({ found, atMost, atLeast }: Goal): boolean =>
  found <= (atMost ?? Number.POSITIVE_INFINITY) && found >= (atLeast ?? 0)
