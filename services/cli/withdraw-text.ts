import type { Holdings, Place } from '../operations/withdraw/holdings.ts'
import type { Asked, Source } from '../operations/withdraw/sources.ts'
import { type Holding, placesOf } from '../operations/withdraw/summary.ts'
import type { Outcome, TakenOut } from '../operations/withdraw/take-out.ts'
import { count, instant, paint, plural, table, visible, wrap } from './format.ts'

const WIDTH = 110
/** Sources, keys and prefixes that are named; --json has all. */
const NAMED = 12

/** Before anything is done: what it is about. */
export function askedText({ sources }: Asked): string {
  const of = (source: Source, n: number) => (source.kind === 'zip' ? '-' : count(n))
  const rows = sources.slice(0, NAMED).map((source) => {
    const { key, rows, objects, open, zipKey, withdrawnAt } = source
    const out = withdrawnAt ? `withdrawn ${instant(withdrawnAt)}` : 'no'
    const counts = [rows, objects.delivery, objects.processing].map((n) => of(source, n))
    return [visible(key), ...counts, count(open), out, zipKey ? visible(zipKey) : '-']
  })
  const heading = [
    'source',
    'rows in the table',
    'objects in delivery',
    'in processing',
    'open runs',
    'out already (UTC)',
    'came in',
  ]
  const more = sources.length > NAMED ? `\n… and ${count(sources.length - NAMED)} more` : ''
  return `${table([heading, ...rows])}${more}`
}

const WHAT_IT_MEANS =
  'The rows leave the table, and the objects processing, delivery and raw. The history stays. No replay and no rerun brings the rows back; landing the key again does.'
const WHAT_ERASING_MEANS = 'Nothing of what is erased can be had back, by anyone.'

export const touchesText = (asked: Asked, holdings: Holdings | undefined): string =>
  [
    askedText(asked),
    wrap(WHAT_IT_MEANS, WIDTH),
    ...(holdings ? [`Erased with them, every version:\n${holdingsTable(mine(holdings))}`, WHAT_ERASING_MEANS] : []),
  ].join('\n\n')

const sumOf = (sources: Source[], of: (source: Source) => number) =>
  sources.reduce((sum, source) => sum + of(source), 0)
const csvs = (sources: Source[]) => sources.filter(({ kind }) => kind === 'csv')

export function questionText({ sources }: Asked, erases: boolean): string {
  const rows = plural(
    sumOf(sources, ({ rows }) => rows),
    'row',
  )
  const files = plural(csvs(sources).length, 'source')
  return erases
    ? `Withdraw ${files} with ${rows}, and erase for good what holds them?`
    : `Withdraw ${files} with ${rows}?`
}

const OUTCOME: Record<Outcome, string> = {
  withdrawn: 'out of the table',
  landed_again: 'landed again meanwhile: its newer version stays',
  busy: 'not withdrawn: someone was at work on it all the time',
  failed: 'not withdrawn',
  not_begun: 'not begun',
}
export const outcomeWords = (outcome: Outcome): string => OUTCOME[outcome]

/** What is out now, and what is not. */
export function takenOutText(taken: TakenOut[]): string {
  const out = csvs(taken.filter(({ outcome }) => outcome === 'withdrawn'))
  const objects = (zone: 'delivery' | 'processing') =>
    plural(
      sumOf(out, (source) => source.objects[zone]),
      'object',
    )
  const lines = [
    `Out of the table: ${plural(
      sumOf(out, ({ rows }) => rows),
      'row',
    )} of ${plural(out.length, 'source')}; ${objects('delivery')} out of delivery, ${objects('processing')} out of processing.`,
  ]
  const others = taken.filter(({ outcome }) => outcome !== 'withdrawn')
  for (const { key, outcome, why } of others.slice(0, NAMED))
    lines.push(`  ${wrap(`${visible(key)}: ${outcomeWords(outcome)}${why ? `. ${visible(why)}` : ''}`, WIDTH, '    ')}`)
  if (others.length > NAMED) lines.push(`  … and ${count(others.length - NAMED)} more are not out`)
  if (others.some(({ outcome }) => outcome === 'busy' || outcome === 'failed' || outcome === 'not_begun'))
    lines.push(wrap('Give the same command again: it does what is left.', WIDTH))
  return lines.join('\n')
}

const PLACE: Record<Place, string> = {
  zip: 'zip',
  others_zip: 'zip it came in',
  raw: 'raw',
  processing: 'processing',
  delivery: 'delivery',
  rejects: 'rejected rows',
  refusals: 'refusals',
  staging: 'staging',
}
export const placeWords = (place: Place | 'ledger'): string => (place === 'ledger' ? place : PLACE[place])

const mine = (holdings: Holdings): Holdings => ({
  ...holdings,
  found: holdings.found.filter(({ place }) => place !== 'others_zip'),
})

const GOES = 5

/** @param going whether to say when each place lets go by itself */
export function holdingsTable(holdings: Pick<Holdings, 'found' | 'retention' | 'quoted'>, going = false): string {
  const rows = placesOf(holdings).flatMap((holding) => {
    const { place, bucket, where, keys, versions, markers, bytes } = holding
    const [first = '', ...more] = where.slice(0, NAMED).map((each) => `s3://${bucket}/${visible(each)}`)
    const line = [
      placeWords(place),
      count(keys),
      count(versions),
      count(markers),
      count(bytes),
      goesWords(holding),
      first,
    ]
    const rest = where.length > NAMED ? [`… and ${count(where.length - NAMED)} more`] : []
    return [line, ...[...more, ...rest].map((each) => ['', '', '', '', '', '', each])]
  })
  const { examples, problems } = holdings.quoted
  const quoted = [
    ...(examples > 0 ? [`${plural(examples, 'example')} of rejected rows`] : []),
    ...(problems > 0 ? [plural(problems, 'text that may quote the file', 'texts that may quote the file')] : []),
  ]
  if (quoted.length > 0) rows.push(['ledger', '', '', '', '', 'stays', quoted.join(', ')])
  if (rows.length === 0) return '(nothing)'
  const all = [['place', 'keys', 'versions', 'markers', 'bytes', 'goes by itself', 'where'], ...rows]
  return table(going ? all : all.map((row) => row.toSpliced(GOES, 1)))
}

function goesWords({ place, current, versions, goes }: Holding): string {
  if (goes.unknown) return 'not known: the lifecycle may not be read'
  const days = (n: number | undefined, since: string) =>
    n === undefined ? 'stays' : `${plural(n, 'day')} after it was ${since}`
  if (place === 'staging') return days(goes.objects, 'written')
  const old = days(goes.noncurrent, 'replaced or deleted')
  if (current === 0) return old
  return current === versions ? 'stays' : `${count(current)} ${current === 1 ? 'stays' : 'stay'}, the others ${old}`
}

/** What holds the data when all is done, and what to do about it. */
export function leftText(holdings: Holdings, { erased }: { erased: boolean }, results: string): string {
  const blocks: string[] = []
  const { found, quoted, zipsOf } = holdings
  if (found.length > 0 || quoted.examples + quoted.problems > 0)
    blocks.push(`${paint('bold', 'Still holds the data')}\n${holdingsTable(holdings, true)}`)
  else blocks.push(`No zone, no zip, no reject and no example in the ledger holds the data any more.`)
  for (const { key, others } of zipsOf)
    if (
      found.some(
        ({ place, where }) =>
          place === 'others_zip' && (where === key || where === key.replace(/^landing/, 'old-data')),
      )
    )
      blocks.push(wrap(zipWords(key, others), WIDTH))
  if (!erased)
    blocks.push(
      'The same command with --erase deletes for good what the table names, every version, but for a zip it came in.',
    )
  blocks.push(
    `${paint('bold', 'Elsewhere')}\n${elsewhere(holdings, results)
      .map((line) => `  ${wrap(line, WIDTH, '    ')}`)
      .join('\n')}`,
  )
  return blocks.join('\n\n')
}

function zipWords(key: string, others: string[]): string {
  const [first, ...more] = others.map((each) => visible(each))
  const and = more.length > 0 ? ` and ${plural(more.length, 'other source')}` : ''
  const has = first ? `also holds ${first}${and}` : 'holds no other source'
  return `${visible(key)} ${has}: it is erased only as a whole, by landfall withdraw ${visible(key)} --erase.`
}

function elsewhere({ retention }: Holdings, results: string): string[] {
  const days = retention[results]?.objects
  const goes = days === undefined ? '' : `, until each goes ${plural(days, 'day')} after it was written`
  return [
    `query results (s3://${results}/): what people have asked has such rows in its answers, and cannot be told apart by source${goes}`,
    'ledger: its backups, where point-in-time recovery is on, go back 35 days; its history of keys, counts and reasons stays',
    'archive of events and dead letters: keys of objects, which name a partition, and no rows',
    'logs, and the history of the machine of reruns: no rows; the words of a refusal may quote a header',
    'whatever was copied out of these buckets by others, or into backups of them, is not known here',
  ]
}
