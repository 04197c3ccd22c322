import type { Run } from '../../services/ledger/run.ts'
import type { Item } from '../../services/ledger/table.ts'
import { RAW, type World } from '../services/memory/world.ts'
import type { Fault, Faults } from './faults.ts'
import type { People } from './people.ts'

/** What keeps a function from its work, now and then or for hours. */
const TROUBLE: Fault[] = [
  'a call is refused: throttled, a conflict, 5xx',
  'the answer to a call is lost',
  'a call is sent twice',
  'a process is killed at a call',
  'a process stalls for minutes',
  "a person's laptop sleeps for minutes",
  'a function dies three times before it tells what it published',
  'a zip kills its function',
  'S3 refuses one object for hours',
]
/** Why a run may fail: by its problem's code, what must have gone wrong in the schedule. */
const CAUSES: [RegExp, Fault[]][] = [
  [/^(unzip_failed|not_taken_in)$/, TROUBLE],
  [/^(convert|partition)_(not_published|unfinished)$/, [...TROUBLE, 'someone overwrites what a job staged']],
  [/^(convert|partition)_job_failed$/, ['a job dies before its report']],
  [/^imbalance$/, ['a job lies about its rows']],
  [/^object_changed$/, ['someone overwrites what a job staged']],
]
/** The stages in their order, by what a run has from each when it has told the ledger. */
const TOLD = [
  ['convert', 'processingRows'],
  ['partition', 'deliveredRows'],
] as const

/** How each run may end. */
export function ends(world: World, people: People, faults: Faults, isLast: boolean): string[] {
  const runs = world.runs()
  return [
    ...numbers(runs),
    ...runs.flatMap((run) => causeless(world, faults, run)),
    ...runs.flatMap(tooEarly),
    ...overtaken(world, runs),
    ...marked(world),
    ...runs.flatMap(takenBack),
    ...(isLast ? extracted(runs, people) : []),
  ]
}

const nameOf = ({ key, versionId, cause }: Run) => `${key} ${versionId} (${cause})`

/** Of two runs of a source with one number nobody could say which was registered last. */
function numbers(runs: Run[]): string[] {
  const seen = new Map<string, Run>()
  return runs.flatMap((run) => {
    const name = `${run.sourceId} ${run.seq}`
    const other = seen.get(name)
    seen.set(name, run)
    return other ? [`${nameOf(other)} and ${nameOf(run)} are both number ${run.seq} of their source`] : []
  })
}

/** No run fails for a neighbour's trouble, or for none. */
function causeless(world: World, faults: Faults, run: Run): string[] {
  const { state, problem } = run
  if (state !== 'failed' || !problem) return []
  const causes = CAUSES.find(([code]) => code.test(problem.code))?.[1] ?? []
  if (causes.some((fault) => faults.struck.has(fault))) return []
  const isPoison = problem.code.endsWith('_job_failed') && isDeadly(world, run)
  return isPoison
    ? []
    : [`${nameOf(run)} has failed, and nothing was wrong with it: ${problem.code}, ${problem.message}`]
}

const isDeadly = (world: World, { key, versionId }: Run) =>
  world.objects.read(RAW, key, versionId)?.body.includes('POISON') ?? false

const headsOf = (world: World): Item[] =>
  [...world.table.items.values()].filter(({ pk, sk }) => pk.startsWith('SOURCE#') && sk === 'HEAD')

/** Of what is there the run registered last is in the table: it gives way to none that came before it. */
function overtaken(world: World, runs: Run[]): string[] {
  return headsOf(world).flatMap(({ key, deliveryRun }) => {
    const current = world.objects.read(RAW, String(key))?.versionId
    const mine = runs.filter((run) => run.key === key && run.versionId === current)
    const shown = mine.find(({ runId }) => runId === deliveryRun)
    // What only partitions again has the number of whoever typed it.
    const gaveWay = ({ state, problem, cause }: Run) =>
      state === 'superseded' && problem?.code === 'superseded' && !cause.startsWith('partition-')
    const later = mine.find((run) => shown && gaveWay(run) && run.seq > (shown.typedBy?.seq ?? shown.seq))
    return later && shown
      ? [`${nameOf(later)} gave way to ${nameOf(shown)}, which came before it: ${later.problem?.message}`]
      : []
  })
}

/** Landing again takes the mark of a withdrawal away: a CSV that is there has none. */
function marked(world: World): string[] {
  return headsOf(world).flatMap(({ key, withdrawnAt }) =>
    withdrawnAt !== undefined && String(key).startsWith('data/') && world.objects.read(RAW, String(key))
      ? [`${key} is marked as withdrawn, and has landed since`]
      : [],
  )
}

/** Partition fails nothing of which convert has yet to tell: its word would come over the failure. */
function tooEarly(run: Run): string[] {
  const isEarly = run.state === 'failed' && run.problem?.code.startsWith('partition_') && run.accepted === undefined
  return isEarly ? [`${nameOf(run)} has failed before it was converted: ${run.problem?.message}`] : []
}

/** What a stage has told the ledger is not taken back by that stage. */
function takenBack(run: Run): string[] {
  const { state, problem } = run
  const isTold = TOLD.some(([stage, told]) => run[told] !== undefined && problem?.code.startsWith(`${stage}_`))
  return state === 'failed' && isTold
    ? [`${nameOf(run)} has failed, and its stage had told that it was done: ${problem?.code}`]
    : []
}

/** A sound zip that landed last has been extracted, by whichever run of it. */
function extracted(runs: Run[], people: People): string[] {
  return [...people.newestZips].flatMap(([key, versionId]) => {
    const mine = runs.filter((run) => run.key === key && run.versionId === versionId)
    const how = mine.map(({ cause, state, problem }) => `${cause}: ${state} ${problem?.message ?? ''}`).join('; ')
    return mine.some(({ state }) => state === 'extracted')
      ? []
      : [`${key} ${versionId} landed last, and is not extracted: ${how}`]
  })
}
