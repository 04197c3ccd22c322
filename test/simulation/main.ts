import { availableParallelism } from 'node:os'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { count, table } from '../../services/cli/format.ts'
import { liveLine } from '../../services/cli/live-line.ts'
import { ALL_FAULTS } from './faults.ts'
import { mutate } from './mutate.ts'
import { MUTATIONS, type Mutation, mutationOf } from './mutations.ts'
import { type Noticed, notice } from './notice.ts'
import { keep, lineOf } from './noticed-table.ts'
import { BY_TEST } from './safeties/by-test.ts'
import { type Simulated, simulate } from './simulate.ts'

const USAGE = `npm run simulate -- [--schedules N] [--seed S] [--json]
npm run simulate -- --seed S --replay       tells the story of one schedule, call by call
npm run simulate -- --mutations [--schedules N] [--write | --off NAME]

Runs the real stages, ledger, dispatch, settle and sweep over services in memory, call by call, in an order and with faults that
follow from the seed, and checks all promises after each schedule. --mutations switches off one safety after the other, and says
by which schedule that is noticed; --write keeps the table in test/simulation/MUTATIONS.md. --off NAME, once or more, switches off
these: with --mutations no others are tried, else all that is played is played without them.

Exit codes: 0 all promises held (--mutations: each was noticed), 1 one was broken (was not), 2 wrong use.`

const { values } = (() => {
  try {
    return parseArgs({
      options: {
        schedules: { type: 'string', default: '1000' },
        seed: { type: 'string', default: '1' },
        replay: { type: 'boolean', default: false },
        mutations: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        off: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`)
    process.exit(2)
  }
})()
const [schedules, seed] = [Number(values.schedules), Number(values.seed)]
if (values.help || !Number.isSafeInteger(schedules) || schedules < 1 || !Number.isSafeInteger(seed) || seed < 0) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(values.help ? 0 : 2)
}

const unknown = values.off.find((name) => ![...MUTATIONS, ...BY_TEST].some((each) => each.name === name))
if (unknown !== undefined) {
  process.stderr.write(`No safety is called "${unknown}". They are: ${MUTATIONS.map(({ name }) => name).join('; ')}\n`)
  process.exit(2)
}

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
const line = liveLine()
const say = (text: string) => process.stdout.write(`${process.stdout.isTTY ? text : stripVTControlCharacters(text)}\n`)

try {
  if (values.replay) process.exitCode = await replay()
  else process.exitCode = values.mutations ? await mutations() : await many()
} catch (error) {
  line.end()
  if (!stop.signal.aborted) throw error
  process.exitCode = 130
}

async function replay(): Promise<number> {
  mutate(values.off)
  const { Schedule } = await import('./schedule.ts')
  const { story, wrong } = await new Schedule(seed, true).play()
  say([`Seed ${seed}:`, ...story, wrong ?? 'All promises held.'].join('\n'))
  return wrong === undefined ? 0 : 1
}

async function many(): Promise<number> {
  const simulated = await simulate({
    schedules,
    seed,
    off: values.off,
    workers: availableParallelism(),
    onProgress: (done) => line.show(`${count(done)} of ${count(schedules)} schedules`),
    signal: stop.signal,
  })
  line.end()
  const { broken, struck, ...counts } = simulated
  if (values.json) say(JSON.stringify({ ...counts, seed, struck: Object.fromEntries(struck), broken }, null, 2))
  else say(words(simulated))
  return broken ? 1 : 0
}

function words({ schedules: played, calls, steps, struck, broken }: Simulated): string {
  const rows = ALL_FAULTS.map((fault) => [fault, count(struck.get(fault) ?? 0)])
  const faults = table([['fault', 'struck'], ...rows])
  const sums = `${count(played)} schedules from seed ${seed}: ${count(steps)} things that people did, ${count(calls)} calls.`
  const end = broken
    ? `Seed ${broken.seed} broke a promise. ${broken.wrong}\nIts story: npm run simulate -- --seed ${broken.seed} --replay`
    : 'All promises held.'
  return `${faults}\n\n${sums}\n${end}`
}

async function mutations(): Promise<number> {
  const rows: [Mutation, Noticed | undefined][] = []
  const tried = values.off.length > 0 ? values.off.map(mutationOf) : MUTATIONS
  for (const [i, mutation] of tried.entries()) {
    line.show(`${i} of ${tried.length} mutations: ${mutation.name}`)
    const how = { schedules, seed, workers: availableParallelism(), signal: stop.signal }
    rows.push([mutation, await notice(mutation, how)])
  }
  line.end()
  const cells = rows.map(([{ name, file }, noticed]) =>
    noticed
      ? [name, file, String(noticed.seed), noticed.offToo.join('; '), lineOf(noticed.wrong)]
      : [name, file, '-', '', 'not noticed'],
  )
  const heading = ['safety that is off', 'file', 'seed', 'off as well', 'what broke']
  say(values.json ? JSON.stringify(cells, null, 2) : table([heading, ...cells]))
  if (values.write && values.off.length === 0) await keep(rows, schedules, seed)
  return rows.every(([, noticed]) => noticed) ? 0 : 1
}
