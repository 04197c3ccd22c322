import { setTimeout as sleep } from 'node:timers/promises'
import { unheard } from '../../events/replay.ts'
import { overdueWords } from '../expected/words.ts'
import { stageOf } from '../operations/outcome.ts'
import { type DatasetStatus, type StageStatus, type Status, status as statusOf } from '../operations/status.ts'
import { EXIT } from './exit.ts'
import { age, count, instant, paint, plural, table, visible, warning } from './format.ts'
import { endsByInterrupt } from './process.ts'
import { target } from './runtime.ts'
import { print, shortId } from './screen.ts'

const EVERY_MS = 2000
/** Runs of the last 24 hours that are read each time it is drawn again: reading more would take longer than that. */
const WATCHED = 1000
/** Runs that are named; the counts above have all. */
const NAMED = 10

export async function status(options: { watch?: boolean; json?: boolean; aws?: boolean; signal: AbortSignal }) {
  const landfall = await target(options.aws ?? false)
  try {
    if (!options.watch || options.json || !process.stdout.isTTY) {
      const now = await statusOf(landfall)
      print(options.json ? JSON.stringify(now) : statusText(now))
      return EXIT.done
    }
    // Ctrl-C is the one way to end it, so that is no failure.
    endsByInterrupt()
    while (!options.signal.aborted) {
      const lines = `${statusText(await statusOf(landfall, WATCHED))}\n\nEvery 2 s; Ctrl-C ends it.`.split('\n')
      // Over what was there, each line cleared to its end: nothing flickers.
      process.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`)
      await sleep(EVERY_MS, undefined, { signal: options.signal }).catch(() => undefined)
    }
    print('')
    return EXIT.done
  } finally {
    landfall.close()
  }
}

const alarming = (n: number) => (n > 0 ? paint('red', count(n)) : count(n))

export function statusText(now: Status): string {
  const blocks = [`Landfall, ${instant(now.at)} UTC`, stageTable(now), datasetTable(now), queueTable(now)]
  if (!now.complete)
    blocks.push(
      `More than ${count(now.counted)} runs in 24 hours: what is of the last 24 hours counts the newest only.`,
    )
  for (const file of now.overdue) blocks.push(warning(visible(overdueWords(file))))
  for (const { name } of now.unheard) blocks.push(warning(unheard(visible(name))))
  if (now.troubled.length > 0) blocks.push(troubledTable(now))
  if (now.mended.length > 0) blocks.push(mendedTable(now))
  return blocks.join('\n\n')
}

function stageTable({ at, stages }: Status): string {
  const row = ({ stage, dataset, waiting, oldest, atWork, work, refused, failed, rejectedRows }: StageStatus) => {
    const since = work ? age(work.ageMs) : '-'
    return [
      stage,
      dataset,
      count(waiting),
      oldest ? age(Date.parse(at) - Date.parse(oldest)) : '-',
      count(atWork),
      work?.overdue ? paint('yellow', `${since}, overdue`) : since,
      alarming(refused),
      alarming(failed),
      count(rejectedRows),
      work?.jobRunId ?? (work ? (stage === 'catalog' ? 'crawl' : 'starting') : ''),
    ]
  }
  const heading = [
    'stage',
    'dataset',
    'waits',
    'oldest',
    'at work',
    'since',
    'refused',
    'failed',
    'rejected',
    'job run',
  ]
  return `${table([heading, ...stages.map(row)])}\n${paint('dim', 'refused, failed and rejected (rows): ended in the last 24 hours')}`
}

function datasetTable({ datasets }: Status): string {
  const row = ({ dataset, runs, withRejects, catalog }: DatasetStatus) => [
    dataset,
    count(runs.open),
    count(runs.delivered),
    count(withRejects),
    alarming(runs.refused),
    alarming(runs.failed),
    count(runs.superseded),
    catalogWords(catalog),
  ]
  const heading = ['last 24 hours', 'open', 'delivered', 'with rejects', 'refused', 'failed', 'superseded', 'catalog']
  return table([heading, ...datasets.map(row)])
}

function catalogWords({ dirty, crawled, crawlStartedAt }: DatasetStatus['catalog']): string {
  if (dirty <= crawled) return 'up to date'
  return `${plural(dirty - crawled, 'change')} behind${crawlStartedAt ? ', a crawl is at work' : ', waits for a crawl'}`
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0)

function queueTable({ queues }: Status): string {
  const heading = ['events', 'wait', 'in flight', 'dead letters', 'undelivered']
  const rows = queues.map(({ stage, waiting, inFlight, dead, undelivered }) => [
    stage,
    count(waiting),
    count(inFlight),
    alarming(dead),
    alarming(sum(undelivered)),
  ])
  const dead = queues.some(({ dead, undelivered }) => dead + sum(undelivered) > 0)
  const hint = dead ? `\n${paint('dim', 'landfall redrive says what they are and why, and sends them back')}` : ''
  return `${table([heading, ...rows])}${hint}`
}

function mendedTable({ mended }: Status): string {
  const rows = mended
    .slice(0, NAMED)
    .map(({ at, stage, dataset, did, key }) => [
      instant(at),
      stage,
      visible(dataset),
      key ? `${did}: ${visible(key)}` : visible(did),
    ])
  const more = mended.length > NAMED ? '\n… and more: landfall status --json, and the log of the sweep' : ''
  return `Mended by the sweep, or found missing, in the last 24 hours:\n${table([['at (UTC)', 'stage', 'dataset', 'did'], ...rows])}${more}`
}

function troubledTable({ troubled }: Status): string {
  const rows = troubled
    .slice(0, NAMED)
    .map((run) => [
      shortId(run),
      instant(run.registeredAt),
      stageOf(run),
      paint('red', run.state),
      run.problem?.code ?? '-',
      visible(run.key),
    ])
  const more =
    troubled.length > NAMED
      ? `\n… and ${count(troubled.length - NAMED)} more: landfall runs --since 24h --state refused --state failed`
      : ''
  return `Refused or failed in the last 24 hours; landfall show RUN says why, and what to do:\n${table([
    ['run', 'registered (UTC)', 'stage', 'ended', 'why', 'key'],
    ...rows,
  ])}${more}`
}
