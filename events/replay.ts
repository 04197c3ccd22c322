/** The four stages; a replay's name starts with the one it addresses. */
export const STAGES = ['unzip', 'convert', 'partition', 'catalog'] as const
export type Stage = (typeof STAGES)[number]

/** Live events have no `replay-name`; without this, a replayed zip would also replay its CSVs. */
export const liveOrReplayedTo = (stage: Stage) => ({ 'replay-name': [{ exists: false }, { prefix: `${stage}-` }] })

/** The stage that a replay's name addresses; undefined for a name that no rule hears. */
export const addressedStage = (replay: string): Stage | undefined =>
  STAGES.find((stage) => replay.startsWith(`${stage}-`))

/** For whoever started a replay under a name that addresses no stage: by hand, in the console. */
export const unheard = (replay: string): string =>
  `The replay "${replay}" is heard by no stage, so nothing comes of it: its name must begin with the stage that it is for, ${STAGES.map((stage) => `${stage}-`).join(', ')}. Start it again under such a name, or with landfall replay.`
