import { unheard } from '../../events/replay.ts'
import type { Landfall } from '../operations/connect.ts'
import { cancelReplay, type ListedReplay, listReplays } from '../operations/replays.ts'
import { EXIT } from './exit.ts'
import { count, instant, paint, plural, table, visible, wrap } from './format.ts'
import { target } from './runtime.ts'
import { print } from './screen.ts'

export type ReplaysOptions = { cancel?: string; limit: number; json?: boolean; aws?: boolean }

export async function replays(options: ReplaysOptions): Promise<number> {
  const landfall = await target(options.aws ?? false)
  try {
    return await replaysOn(landfall, options)
  } finally {
    landfall.close()
  }
}

export async function replaysOn(
  landfall: Pick<Landfall, 'ledger' | 'archives'>,
  { cancel, limit, json }: Omit<ReplaysOptions, 'aws'>,
): Promise<number> {
  if (cancel === undefined) {
    const found = await listReplays(landfall, limit)
    print(json ? JSON.stringify({ replays: found }) : replaysText(found))
    return EXIT.done
  }
  const cancelled = await cancelReplay(landfall, cancel)
  if (json) print(JSON.stringify({ name: cancel, cancelled }))
  else if (cancelled) print(`${cancel} replays no more. What it has replayed goes on: landfall runs --cause ${cancel}`)
  else print(`${cancel} has ended already: there is nothing to cancel.`)
  return EXIT.done
}

const WIDTH = 110

export function replaysText(found: ListedReplay[]): string {
  if (found.length === 0) return 'No replays.'
  const rows = found.map((replay) => [
    visible(replay.name),
    replay.stage ?? paint('yellow', 'no stage hears it'),
    replay.state === 'failed' ? paint('red', replay.state) : replay.state,
    `${instant(replay.from)} to ${instant(replay.to)}`,
    instant(replay.startedAt),
    instant(replay.lastReplayed),
    cameOfIt(replay),
  ])
  const heading = ['replay', 'stage', 'state', 'events of (UTC)', 'started (UTC)', 'last replayed (UTC)', 'came of it']
  const words = found.flatMap(({ name, stage, why }) => [
    ...(stage ? [] : [unheard(visible(name))]),
    ...(why ? [`${visible(name)}: ${visible(why)}`] : []),
  ])
  return [table([heading, ...rows]), ...words.map((each) => wrap(each, WIDTH, '  '))].join('\n\n')
}

function cameOfIt({ runs, skipped, tables, filter }: ListedReplay): string {
  const all = Object.values(runs).reduce((a, b) => a + b, 0)
  const each = Object.entries(runs).map(([word, n]) => `${count(n)} ${word}`)
  const parts = [
    ...(all > 0 ? [`${plural(all, 'run')}: ${each.join(', ')}`] : []),
    ...tables.map((dataset) => `table of ${dataset} compared`),
    ...(skipped > 0 ? [`${plural(skipped, 'event')} skipped`] : []),
  ]
  const only = filter.sourceId ?? filter.dataset
  return `${parts.length > 0 ? parts.join('; ') : 'nothing'}${only ? ` (only ${only})` : ''}`
}
