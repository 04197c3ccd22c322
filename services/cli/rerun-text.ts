import type { RerunRow, RerunState, RerunTotals } from '../ledger/reruns.ts'
import type { RerunProgress } from '../operations/follow-rerun.ts'
import { asWords, type Extent, executionName } from '../operations/rerun.ts'
import type { RerunLine } from '../operations/reruns.ts'
import type { RerunInput } from '../rerun/input.ts'
import { count, instant, paint, plural, size, table, visible, wrap } from './format.ts'

const WIDTH = 110
/** Sources that are named; --json has all. */
const NAMED = 20

/** What a rerun will do, before it is asked for. @param versions where people see another than is deployed */
export function touchesText(
  { prefix = '', only, since, dryRun }: RerunInput,
  { files, bytes, landed, fitting }: Extent,
  versions?: { served?: number; deployed?: number },
): string {
  const zips = prefix.startsWith('landing/')
  const among = since ? `, of which ${count(landed)} landed since ${since}` : ''
  const states = only?.join(' or ')
  const which =
    states === undefined
      ? ''
      : fitting === undefined
        ? ` Only those whose last run ended as ${states} run again.`
        : ` ${count(fitting)} of them ended as ${states} last and run again (${size(bytes)}).`
  const what = zips
    ? 'Each is unzipped again, as if it had just landed; its members then are files that have landed.'
    : versions === undefined
      ? 'Each is typed and partitioned again by jobs, as if it had just landed, under the contract that is deployed, and its rows in the table are replaced.'
      : `Each is typed and partitioned by jobs under the version that is deployed, beside the table: people go on seeing version ${versions.served}${dryRun ? '.' : `, and are switched to version ${versions.deployed} at the end, if each source of theirs is in it.`}`
  const head = `Below ${visible(prefix)} are ${plural(files, 'file')}${among}${states === undefined ? ` (${size(bytes)})` : ''}.`
  return wrap(`${head}${which} ${what}`, WIDTH)
}

const ORDER = ['delivered', 'extracted', 'superseded', 'skipped', 'refused', 'failed'] as const

export function totalsWords(totals: RerunTotals): string {
  const known = ORDER.filter((state) => totals[state])
  return known.map((state) => `${count(totals[state])} ${state}`).join(', ')
}

export function progressWords(name: string, { phase, listed, pending, totals }: RerunProgress): string {
  if (phase === 'starting') return `${name}: starting`
  const ended = totalsWords(totals)
  const words = phase === 'listing' ? `${count(listed)} listed so far` : `${count(listed)} listed`
  return [`${name}: ${words}`, `${count(pending)} not ended`, ended].filter(Boolean).join(', ')
}

/** How it ended, which sources are not current, and what is different now. */
export function endedText(state: RerunState, rows: RerunRow[]): string {
  const bad = rows.filter((row) => row.state === 'failed' || row.state === 'refused')
  const failed = state.failures > 0 || state.listingFailed
  const word = failed ? paint('red', 'failed') : paint('green', 'succeeded')
  const blocks = [
    `${executionName(state.rerun)} ${word}: ${plural(state.listed, 'file')} listed${state.listed > 0 ? `: ${totalsWords(state.totals)}` : ''}.`,
  ]
  if (state.listingFailed) blocks.push(wrap(visible(state.listingFailed), WIDTH))
  if (bad.length > 0) blocks.push(badTable(bad))
  const different = rows.filter(isDifferent)
  if (different.length > 0) blocks.push(differentTable(different))
  else if (rows.some(({ state: end, before }) => end === 'delivered' && before))
    blocks.push('As many rows are accepted and rejected of each source as before.')
  const served = servedWords(state)
  if (served) blocks.push(wrap(served, WIDTH))
  return blocks.join('\n\n')
}

/** The words name those, too, that are not among what was listed. */
function servedWords({ served, dryRun, dataset, words = '' }: RerunState): string | undefined {
  if (dryRun)
    return `People see what they saw before. landfall rerun ${dataset} types all again and switches the table.`
  if (served?.outcome === 'served') return `People see version ${served.version} of ${dataset} since now.`
  if (served?.outcome === 'unserved')
    return `People go on seeing version ${served.version}: ${plural(served.sources ?? 0, 'source')} of it ${served.sources === 1 ? 'is' : 'are'} not in the one that is deployed. The table is switched at the end of a rerun that leaves none of them out.`
  return served?.outcome === 'failed' ? paint('red', words.split('\n').at(-1) ?? '') : undefined
}

/** Only a run that has replaced another has a before. */
const isDifferent = ({ state, before, accepted, rejected }: RerunRow) =>
  state === 'delivered' &&
  before !== undefined &&
  (before.accepted !== accepted || (before.rejected ?? 0) !== (rejected ?? 0))

const more = (all: unknown[]) =>
  all.length > NAMED ? `\n… and ${count(all.length - NAMED)} more: --json has all.` : ''

function badTable(bad: RerunRow[]): string {
  const shown = bad.slice(0, NAMED)
  const rows = shown.map(({ key, state, problem }) => [paint('red', state), problem?.code ?? '-', visible(key)])
  const words = shown.flatMap(({ key, problem }) =>
    problem ? wrap(`${visible(key)}  ${visible(problem.message)}`, WIDTH, '  ') : [],
  )
  const list = table([['ended', 'why', 'not current'], ...rows])
  return `${list}${more(bad)}\n\n${words.join('\n')}`
}

function differentTable(different: RerunRow[]): string {
  const rows = different
    .slice(0, NAMED)
    .map(({ key, accepted, rejected, before }) => [
      visible(key),
      count(before?.accepted),
      count(accepted),
      count(before?.rejected ?? 0),
      count(rejected ?? 0),
    ])
  return `${table([['different now', 'accepted before', 'after', 'rejected before', 'after'], ...rows])}${more(different)}`
}

const COLOURS = { succeeded: 'green', failed: 'red', refused: 'red', stopped: 'red' } as const

export function listText(lines: RerunLine[]): string {
  if (lines.length === 0) return 'No reruns.'
  const rows = lines.map((line) => [
    line.name,
    line.dataset ?? '-',
    instant(line.startedAt),
    stateWords(line),
    totalsWords(line.totals),
    visible(asWords(line)),
  ])
  const words = lines.flatMap(({ name, words }) => {
    const all = words?.split('\n') ?? []
    if (all.length === 0) return []
    const some = all.slice(0, 4).map((line) => wrap(visible(line), WIDTH, '  '))
    return [
      `${paint('red', name)}\n  ${some.join('\n  ')}${all.length > 4 ? `\n  … and ${count(all.length - 4)} more: --json has all.` : ''}`,
    ]
  })
  return [table([['rerun', 'dataset', 'started (UTC)', 'state', 'ended', 'of'], ...rows]), ...words].join('\n\n')
}

function stateWords({ state, listed = 0, pending = 0 }: RerunLine): string {
  if (state === 'at work') return paint('cyan', `${count(listed - pending)} of ${count(listed)} ended`)
  if (state === 'listing') return paint('cyan', `listing, ${count(listed)} so far`)
  return state === 'starting' ? paint('cyan', state) : paint(COLOURS[state], state)
}
