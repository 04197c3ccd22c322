import { LIVE } from '../ledger/causes.ts'
import type { Run } from '../ledger/run.ts'
import { hasEnded } from '../ledger/run.ts'
import { ending } from '../operations/outcome.ts'
import { listRuns, type RunFilter, type RunPage, type StateWord } from '../operations/runs.ts'
import { EXIT } from './exit.ts'
import { count, instant, paint, plural, seconds, table, visible } from './format.ts'
import { target } from './runtime.ts'
import { print, say, shortId } from './screen.ts'

type Options = Omit<RunFilter, 'states'> & {
  state?: StateWord[]
  limit: number
  next?: string
  json?: boolean
  aws?: boolean
}

export async function runs({ state, limit, next, json, aws, ...filter }: Options): Promise<number> {
  const landfall = await target(aws ?? false)
  try {
    const page = await listRuns(landfall, { ...filter, states: state }, { limit, next })
    if (json) print(JSON.stringify(page))
    else {
      print(page.runs.length > 0 ? runTable(page.runs) : 'No runs.')
      const words = nextWords(page, process.argv.slice(2))
      if (words) say(`\n${words}`)
    }
    return EXIT.done
  } finally {
    landfall.close()
  }
}

export function stateWords(run: Run): string {
  const words = ending(run)
  if (run.state === 'refused' || run.state === 'failed') return paint('red', words)
  if (!hasEnded(run.state)) return paint('cyan', words)
  return words === 'delivered' ? paint('green', words) : words
}

/** What a replay or a rerun works on may have landed long before. */
const took = ({ cause, landedAt, registeredAt, endedAt }: Run) =>
  endedAt ? Date.parse(endedAt) - Date.parse(cause === LIVE ? landedAt : registeredAt) : undefined

export function runTable(runs: Run[]): string {
  return table([
    ['run', 'registered (UTC)', 'state', 'rows in', 'accepted', 'rejected', 'took', 'why', 'key'],
    ...runs.map((run) => [
      shortId(run),
      instant(run.registeredAt),
      stateWords(run),
      count(run.rowsIn),
      count(run.accepted),
      count(run.rejected),
      seconds(took(run)),
      run.problem?.code ?? (run.sameAs ? 'same_content (warning)' : ''),
      visible(run.key),
    ]),
  ])
}

/** How to get the page after this one, as a command; undefined on the last one. */
export function nextWords({ next, lookedAt, runs, backTo }: RunPage, args: string[]): string | undefined {
  if (!next) return undefined
  const at = args.indexOf('--next')
  const same = args.filter((arg, i) => !(arg.startsWith('--next=') || (at >= 0 && (i === at || i === at + 1))))
  const command = ['landfall', ...same, '--next', next].map(quoted).join(' ')
  const looked = lookedAt > runs.length ? `Looked at ${plural(lookedAt, 'run')}, back to ${instant(backTo)}. ` : ''
  return `${looked}Older ones: ${command}`
}

const quoted = (arg: string) => (/^[\w./:=~,@+#-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`)
