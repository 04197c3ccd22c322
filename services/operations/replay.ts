import { randomUUID } from 'node:crypto'
import { STAGES, type Stage } from '../../events/replay.ts'
import { noteReplay } from '../ledger/causes.ts'
import { datasetOf } from '../ledger/ids.ts'
import type { Run } from '../ledger/run.ts'
import type { Landfall } from './connect.ts'
import { type Books, findRun } from './find-run.ts'

/** What people ask for: the archive's events of a window, again, at one stage. */
export type ReplayAsked = {
  /** @default unzip for the source of a zip, convert for that of a CSV */
  stage?: Stage
  from: Date
  /** @default now */
  to?: Date
  dataset?: string
  /** Whatever names a run: its source is meant. */
  source?: string
}

/** What will be replayed. The window is in whole minutes, and ends at the latest now. Instants are ISO 8601. */
export type ReplayPlan = {
  stage: Stage
  from: string
  to: string
  dataset?: string
  sourceId?: string
  /** Key of the source. */
  key?: string
  /** What will not be as one may think, in words. */
  warnings: string[]
}

/** What cannot be replayed, in words: nothing was done. */
export class NoReplay extends Error {}
export const noSuchReplay = (name: string) =>
  new NoReplay(`EventBridge knows no replay "${name}" of this archive. landfall replays lists them.`)

type Deps = Books & Pick<Landfall, 'archives' | 'objectRules'>

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** "We recommend you delay replaying archived events for 10 minutes": eb-archive.html of EventBridge's user guide. */
const ARCHIVED_MS = 10 * MINUTE_MS

/** To the second: enough of an instant in words. */
const said = (at: Date | number) => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** @throws NoReplay, or NoSuchRun for a source that is none */
export async function planReplay(deps: Deps, asked: ReplayAsked): Promise<ReplayPlan> {
  const { datasets, ledger } = deps
  if (asked.dataset !== undefined && !datasets.includes(asked.dataset))
    throw new NoReplay(`No contract names the dataset "${asked.dataset}". Known: ${datasets.join(', ')}.`)
  const run = asked.source === undefined ? undefined : await findRun(deps, asked.source)
  const stage = asked.stage ?? stageFor(run)
  if (run) checkSource(run, stage, asked.dataset)
  const window = windowOf(asked, ledger.now())
  const warnings = [...window.warnings, ...(await keptWarnings(deps, window))]
  const dataset = run ? datasetOf(run.key) : asked.dataset
  return {
    stage,
    from: window.from.toISOString(),
    to: window.to.toISOString(),
    ...(dataset && { dataset }),
    ...(run && { sourceId: run.sourceId, key: run.key }),
    warnings,
  }
}

/**
 * Starts it. What it is for is in the ledger before EventBridge hears of it: the stages ask there, from its first event on.
 * @returns its name, which is the cause of the runs that come of it
 */
export async function startReplay(
  { ledger, archives, objectRules }: Pick<Deps, 'ledger' | 'archives' | 'objectRules'>,
  { stage, from, to, dataset, sourceId, key }: ReplayPlan,
  random = () => randomUUID().slice(0, 4),
): Promise<string> {
  const rule = objectRules[stage]
  if (!rule) throw new Error(`The deployed stack has no output with the rule of ${stage}: it is of another version.`)
  const startedAt = ledger.instant()
  // At most 64 of A-Z, a-z, 0-9, `.`, `-` and `_`; no two the same, for a name is never free again.
  const name = `${stage}-${startedAt.replace(/\.\d+/, '').replaceAll(/[-:]/g, '')}-${random()}`
  const filter = { ...(dataset && { dataset }), ...(sourceId && { sourceId }) }
  await noteReplay(ledger, name, { kind: 'replay', stage, from, to, startedAt, ...filter })
  const only = key ?? (dataset && `dataset ${dataset}`)
  // A key may be longer than a description.
  const description = `landfall replay${only ? `: ${only}` : ''}`.replaceAll(/[^ -~]/g, '?').slice(0, 512)
  if (await archives.start({ name, from: new Date(from), to: new Date(to), rule, description })) return name
  throw new NoReplay(
    'Ten replays are at work in this account and region, and AWS runs no more at once. Nothing was started: wait until one has ended (landfall replays), or cancel one.',
  )
}

/** What a stage does with the events of a replay. */
export const AGAIN: Record<Stage, string> = {
  unzip: 'zips are extracted again',
  convert: 'CSVs are typed again',
  partition: 'typed rows are partitioned again',
  catalog: 'tables are compared with the delivery zone again',
}

function stageFor(run: Run | undefined): Stage {
  if (run) return run.kind === 'zip' ? 'unzip' : 'convert'
  const stages = STAGES.map((stage) => `${stage} (${AGAIN[stage]})`).join(', ')
  throw new NoReplay(`A replay is for one stage. Name it with --stage: ${stages}; or name a --source.`)
}

const NAMED = 5

/** Each stage hears of other objects: a source that it has no event of would be replayed to no effect. */
function checkSource({ kind, key, dataset, members = [], zip }: Run, stage: Stage, asked: string | undefined): void {
  if (asked !== undefined && asked !== dataset)
    throw new NoReplay(`${key} is of the dataset ${dataset}, not ${asked}: nothing is of both.`)
  if (kind === 'zip' && stage !== 'unzip') {
    const named = members.slice(0, NAMED).map((member) => `\n  ${member.key}`)
    if (members.length > NAMED) named.push(`\n  … and ${members.length - NAMED} more`)
    const which =
      named.length > 0 ? `one of what came of it:${named.join('')}` : 'what came of it, once it is extracted.'
    throw new NoReplay(`${key} is known to unzip alone: at ${stage}, name ${which}`)
  }
  if (kind === 'csv' && stage === 'unzip')
    throw new NoReplay(
      zip
        ? `${key} came in ${zip.key}: unzip knows it by that name. Replay that, or this one at convert.`
        : `${key} did not land in landing/, so unzip has never heard of it. Replay it at convert.`,
    )
}

type Window = { from: Date; to: Date; warnings: string[] }

/** Outwards to whole minutes, for EventBridge replays minute by minute. */
function windowOf({ from, to = undefined }: ReplayAsked, now: Date): Window {
  if (from > now)
    throw new NoReplay(`The window begins at ${said(from)}, which is in the future: it is ${said(now)} now.`)
  if (to && to <= from) throw new NoReplay(`The window ends at ${said(to)}, and does not begin before: ${said(from)}.`)
  const begins = new Date(Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS)
  const asked = Math.ceil((to ?? now).getTime() / MINUTE_MS) * MINUTE_MS
  const ends = new Date(Math.min(asked, now.getTime()))
  if (begins >= ends) throw new NoReplay(`The window begins at ${said(from)}, which is now: nothing is in it yet.`)
  const warnings = to && to > now ? [`${said(to)} is in the future: the window ends now.`] : []
  const safe = now.getTime() - ARCHIVED_MS
  if (ends.getTime() > safe)
    warnings.push(
      `AWS may take ten minutes to archive an event: of those after ${said(Math.max(safe, begins.getTime()))} some may be missing. Replay them from ${said(ends.getTime() + ARCHIVED_MS)} on to be sure of all.`,
    )
  return { from: begins, to: ends, warnings }
}

/** @throws NoReplay where the archive has nothing of the window, or not any more */
async function keptWarnings({ archives, ledger }: Deps, { from, to }: Window): Promise<string[]> {
  const { createdAt, retentionDays } = await archives.kept()
  const created = createdAt === undefined ? 0 : Date.parse(createdAt)
  const expired = retentionDays === undefined ? 0 : ledger.now().getTime() - retentionDays * DAY_MS
  const since = Math.max(created, expired)
  if (from.getTime() >= since) return []
  const why =
    since === expired
      ? `The archive keeps events for ${retentionDays} days, so from ${said(since)} on`
      : `The archive was made at ${said(since)}`
  const rerun = 'A rerun, which lists the bucket instead, does what lies further back.'
  if (to.getTime() <= since) throw new NoReplay(`${why}: it has nothing of that window. ${rerun}`)
  return [`${why}: it has nothing from before. ${rerun}`]
}
