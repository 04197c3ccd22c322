import { randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Landfall } from '../operations/connect.ts'
import { erase } from '../operations/withdraw/erase.ts'
import { findHoldings, type HoldingDeps, type Holdings } from '../operations/withdraw/holdings.ts'
import { tellCatalog, untilSettled, type Waiting } from '../operations/withdraw/settled.ts'
import { type Asked, findSources, type Source } from '../operations/withdraw/sources.ts'
import { placesOf } from '../operations/withdraw/summary.ts'
import { type Outcome, type TakenOut, takeOut } from '../operations/withdraw/take-out.ts'
import { checkConfirmable, confirm } from './confirm.ts'
import { EXIT } from './exit.ts'
import { count, instant, plural, visible } from './format.ts'
import { signal } from './process.ts'
import { target } from './runtime.ts'
import { clock, print, say } from './screen.ts'
import {
  holdingsTable,
  leftText,
  outcomeWords,
  placeWords,
  questionText,
  takenOutText,
  touchesText,
} from './withdraw-text.ts'

export type WithdrawOptions = { erase?: boolean; yes?: boolean; json?: boolean; aws?: boolean }

export async function withdraw(text: string, options: WithdrawOptions): Promise<number> {
  checkConfirmable(options)
  const landfall = await target(options.aws ?? false)
  try {
    return await withdrawOn(landfall, text, options)
  } finally {
    landfall.close()
  }
}

/** What withdraw needs of a deployment. */
type Deployed = HoldingDeps & Parameters<typeof findSources>[0] & Pick<Landfall, 'datasets'>
/** What a test has in place of it. */
type Given = { signal: AbortSignal; sleep: (ms: number) => Promise<void>; unique: () => string }

const here: Given = { signal, sleep: (ms) => sleep(ms), unique: randomUUID }

export async function withdrawOn(
  landfall: Deployed,
  text: string,
  options: WithdrawOptions,
  { signal, sleep, unique }: Given = here,
): Promise<number> {
  const { yes, json } = options
  const asked = await findSources(landfall, text)
  const before = options.erase ? await findHoldings(landfall, asked) : undefined
  const question = questionText(asked, options.erase ?? false)
  await confirm({ touches: touchesText(asked, before), question, yes, json })

  const tick = clock()
  const zones = { processing: landfall.processingBucket, delivery: landfall.deliveryBucket }
  const deps = { ...landfall, unique, sleep }
  const taken = await takeOut(deps, asked.sources, zones, {
    onProgress: (...news) => tick(...progress(...news)),
    signal,
  })
  const out = taken.filter(({ outcome }) => outcome === 'withdrawn')
  let told = false
  const tell = () => {
    if (!told && !json) print(takenOutText(taken))
    told = true
  }
  const end = (code: number, more: object = {}) => {
    if (json) print(JSON.stringify({ dataset: asked.dataset, sources: taken, ...more }))
    return code
  }
  try {
    const mark =
      out.some(changesTable) && landfall.datasets.includes(asked.dataset)
        ? await tellCatalog(landfall.ledger, asked.dataset)
        : undefined
    await untilSettled(deps, asked.dataset, out, mark, {
      onChange: (waiting) => tick('wait', waitWords(waiting)),
      signal,
    })
    if (mark !== undefined) tick('catalog', 'has been told')
    tell()
    if (taken.some(isLeft)) return end(signal.aborted ? EXIT.interrupted : EXIT.broken)
    if (!options.erase) {
      const holdings = await findHoldings(landfall, { ...asked, sources: taken })
      if (!json) print(`\n${leftText(holdings, { erased: false }, landfall.resultsBucket)}`)
      return end(codeOf(taken), { holds: holdsJson(holdings) })
    }
    return await erased(landfall, { ...asked, sources: taken }, taken, { tick, signal, json, end })
  } catch (error) {
    tell()
    if (!signal.aborted) throw error
    say(`Interrupted. ${INTERRUPTED}`)
    return end(EXIT.interrupted)
  }
}

const INTERRUPTED =
  'What is said above to be out of the table is out, and stays out; the catalog hears of it by itself, within a minute or two. The same command does, or erases, what is left.'

type Ending = {
  tick: ReturnType<typeof clock>
  signal: AbortSignal
  json?: boolean
  end: (code: number, more?: object) => number
}

async function erased(
  landfall: Deployed,
  asked: Asked,
  taken: TakenOut[],
  { tick, signal, json, end }: Ending,
): Promise<number> {
  const { erased, again } = await erase(landfall, asked, {
    onProgress: (place, done, of) => tick('erase', `${placeWords(place)}: ${count(done)} of ${count(of)}`),
    signal,
  })
  const left = await findHoldings(landfall, asked)
  if (!json) {
    print(`\nErased for good:\n${holdingsTable(erased)}`)
    for (const { key } of again) print(`  ${visible(key)} has landed again: nothing of it was erased.`)
    print(`\n${leftText(left, { erased: true }, landfall.resultsBucket)}`)
  }
  const code = again.length > 0 ? EXIT.refused : codeOf(taken)
  return end(code, { erased: holdsJson(erased), again: again.map(({ key }) => key), holds: holdsJson(left) })
}

const changesTable = ({ kind, objects, open }: Source) => kind === 'csv' && (objects.delivery > 0 || open > 0)
const isLeft = ({ outcome }: TakenOut) => outcome === 'busy' || outcome === 'failed' || outcome === 'not_begun'
const codeOf = (taken: TakenOut[]) =>
  taken.some(({ outcome }) => outcome === 'landed_again') ? EXIT.refused : EXIT.done

const holdsJson = (holdings: Holdings) => ({
  places: placesOf(holdings),
  ledger: holdings.quoted,
  zips: holdings.zipsOf,
})

const OUTCOMES: readonly string[] = ['withdrawn', 'landed_again', 'busy', 'failed', 'not_begun'] satisfies Outcome[]
const isOutcome = (news: string): news is Outcome => OUTCOMES.includes(news)

function progress({ key }: Source, news: string): [stage: string, text: string] {
  const name = visible(basename(key))
  return isOutcome(news) ? ['withdraw', `${name}: ${outcomeWords(news)}`] : ['wait', `${name}: ${visible(news)}`]
}

function waitWords({ runs, catalog, refusedAt }: Waiting): string {
  if (refusedAt !== undefined)
    return `AWS refuses since ${instant(new Date(refusedAt).toISOString())} UTC what the catalog needs; landfall status, and the log of catalog, say why`
  if (runs.length > 0)
    return `${plural(runs.length, 'run')} at work must hear of it: ${[...new Set(runs.map(({ state }) => state))].join(', ')}`
  return catalog ? 'for the catalog' : 'for a job to be settled'
}
