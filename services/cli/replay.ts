import type { Stage } from '../../events/replay.ts'
import type { Run } from '../ledger/run.ts'
import type { Landfall } from '../operations/connect.ts'
import { type Change, followReplay, type ReplayOutcome } from '../operations/follow-replay.ts'
import { ending } from '../operations/outcome.ts'
import { AGAIN, planReplay, type ReplayPlan, startReplay } from '../operations/replay.ts'
import { checkConfirmable, confirm } from './confirm.ts'
import { EXIT } from './exit.ts'
import { count, instant, paint, plural, table, visible, warning } from './format.ts'
import { signal } from './process.ts'
import { target } from './runtime.ts'
import { clock, describe, print, say, shortId, summary } from './screen.ts'

export type ReplayOptions = {
  from: Date
  to?: Date
  stage?: Stage
  dataset?: string
  source?: string
  wait?: boolean
  yes?: boolean
  json?: boolean
  aws?: boolean
}

export async function replay(options: ReplayOptions): Promise<number> {
  checkConfirmable(options)
  const landfall = await target(options.aws ?? false)
  try {
    return await replayOn(landfall, options)
  } finally {
    landfall.close()
  }
}

/** What a replay needs of a deployment. */
type Deployed = Parameters<typeof planReplay>[0] & Parameters<typeof followReplay>[0] & Pick<Landfall, 'objectRules'>

export async function replayOn(landfall: Deployed, options: ReplayOptions): Promise<number> {
  const { wait, yes, json, ...asked } = options
  const plan = await planReplay(landfall, asked)
  await confirm({ touches: planText(plan), question: `Replay these events at ${plan.stage}?`, yes, json })
  const name = await startReplay(landfall, plan)
  if (!wait) {
    if (json) print(JSON.stringify({ name, ...plan }))
    else print(`Started ${name}.\nHow far it is: landfall replays. What comes of it: landfall runs --cause ${name}`)
    return EXIT.done
  }
  const tick = clock()
  tick('replay', name)
  const outcome = await followReplay(landfall, name, {
    onProgress: (replay) => tick('replay', progressWords(replay)),
    onChange: (run) => tick(...describe(run)),
    signal,
  }).catch((error) => {
    if (signal.aborted) say(`The replay goes on. landfall replays --cancel ${name} ends it.`)
    throw error
  })
  if (json) print(JSON.stringify({ name, ...plan, ...outcome }))
  else print(`\n${outcomeText(outcome)}`)
  return exitOfReplay(outcome)
}

export function planText({ stage, from, to, dataset, key, warnings }: ReplayPlan): string {
  const only = [...(dataset ? [`dataset ${visible(dataset)}`] : []), ...(key ? [`source ${visible(key)}`] : [])]
  const lines = [
    `Replay at ${paint('bold', stage)}: ${AGAIN[stage]}.`,
    `  events of  ${instant(from)} to ${instant(to)} UTC, minute by minute, those of a minute in no order`,
    `  only       ${only.length > 0 ? only.join(', ') : 'all of them'}`,
  ]
  return [...lines, ...warnings.map((words) => warning(words))].join('\n')
}

function progressWords({ state, lastReplayed, why }: ReplayOutcome['replay']): string {
  const upTo = lastReplayed ? `, up to ${instant(lastReplayed)} UTC` : ''
  const because = why ? `: ${why}` : ''
  return `${state}${upTo}${because}${state === 'completed' ? '; now what is on its way' : ''}`
}

/** Superseded says that what was replayed is not wanted any more, as it is to be: a newer version, something withdrawn. */
export function exitOfReplay({ replay, runs, members, tables }: ReplayOutcome): number {
  if (replay.state === 'failed') return EXIT.broken
  const bad = [...runs, ...members].some(({ state }) => state === 'refused' || state === 'failed')
  return bad || replay.state === 'cancelled' || tables.some(({ compared }) => !compared) ? EXIT.refused : EXIT.done
}

/** Why a run gave way, by the code of its problem. */
const GAVE_WAY: Record<string, string> = {
  superseded: 'a newer version',
  withdrawn: 'withdrawn',
  gone: 'gone from the raw zone',
  moved: 'moved to data/ when it landed',
}
const SKIPPED = { not_meant: 'not for it', in_work: 'of runs that were at work anyway' } as const

/** How many of each, most first. */
export function tally(words: string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([word, n]) => `${count(n)} ${word}`)
    .join(', ')
}

const endingWords = (run: Run): string =>
  run.state === 'superseded'
    ? `superseded (${GAVE_WAY[run.problem?.code ?? ''] ?? run.problem?.code ?? 'a newer version'})`
    : ending(run)

const runWords = (runs: Run[]) =>
  runs.length === 0 ? 'no run' : `${plural(runs.length, 'run')}: ${tally(runs.map(endingWords))}`

export function outcomeText({ replay, runs, members, skipped, tables, changes }: ReplayOutcome): string {
  const why = replay.why ? `: ${visible(replay.why)}` : ''
  const facts = [['caused', runWords(runs)]]
  if (members.length > 0) facts.push(['of their CSVs', runWords(members)])
  if (skipped.length > 0)
    facts.push([
      'skipped',
      `${plural(skipped.length, 'event')}: ${tally(skipped.map(({ reason }) => SKIPPED[reason]))}`,
    ])
  for (const { dataset, events, compared } of tables) {
    const done = compared
      ? 'catalog and delivery zone were compared'
      : paint('red', 'could not be compared: see landfall status')
    facts.push(['table', `${dataset}: ${done}, after ${plural(events, 'event')}`])
  }
  const lines = facts.map(([name = '', words]) => `  ${name.padEnd(13)}  ${words}`)
  const blocks = [[`${replay.name}: ${replay.state}${why}`, ...lines].join('\n')]
  if (changes.length > 0) blocks.push(changeTable(changes))
  // Those that gave way are in the count: of a key that landed often there are many, and there is nothing to do about them.
  const told = [...runs, ...members].filter(({ state }) => state !== 'superseded')
  if (told.length > 0) blocks.push(summary(told))
  return blocks.join('\n\n')
}

const changeTable = (changes: Change[]) =>
  table([
    ['changed', 'accepted before', 'now', 'rejected before', 'now', 'key'],
    ...changes.map(({ run, before, after }) => [
      shortId(run),
      count(before.accepted),
      count(after.accepted),
      count(before.rejected),
      count(after.rejected),
      visible(run.key),
    ]),
  ])
