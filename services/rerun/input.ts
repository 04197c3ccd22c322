import type { RERUN_ONLY } from '../../events/rerun-asked.ts'

/** Keys that one rerun takes: the answers of all the machine's children together have to fit into one of its states. */
export const MOST_KEYS = 80_000

/** What a rerun's machine is started with, by whoever starts it; it checks this itself, and says in words what is wrong. */
export interface RerunInput {
  dataset: string
  /** Start of the keys of the raw zone, at or below `data/<dataset>/` or `landing/<dataset>/`. @default `data/<dataset>/` */
  prefix?: string
  /** Only sources whose last run ended so. @default all */
  only?: (typeof RERUN_ONLY)[number][]
  /** Only sources that landed at this instant or later, in UTC: `2026-11-20T00:00:00Z`. @default all */
  since?: string
  /** @default false */
  dryRun?: boolean
}
