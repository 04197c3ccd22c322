import type { Engine } from '../../infra/engine.ts'
import { runDir } from '../../infra/local/paths.ts'
import { raise } from '../../infra/local/raise.ts'
import { clientConfig, stopRuntime } from '../../infra/local/runtime.ts'
import type { Run } from '../ledger/run.ts'
import { connect, type Landfall } from '../operations/connect.ts'
import { follow } from '../operations/follow.ts'
import { checkFiles, type Landing, land } from '../operations/land.ts'
import { type Answer, query } from '../operations/query.ts'
import { EXIT, exitOf } from './exit.ts'
import { plural } from './format.ts'
import { forgetUp, lockUp, readUp, target, writeUp } from './runtime.ts'
import { SAMPLE_DATABASE, SAMPLE_QUERY, writeSample } from './sample.ts'
import { answerTable, clock, describe, print, say, summary } from './screen.ts'

type Common = { json?: boolean; signal: AbortSignal }
type OnRuntime = Common & { engine: Engine }

async function landAll(
  landfall: Landfall,
  files: string[],
  dataset: string,
  tick: ReturnType<typeof clock>,
): Promise<Landing[]> {
  const landings: Landing[] = []
  for (const file of files) {
    const landing = await land(landfall, file, dataset)
    tick('land', `${landing.key} (${plural(landing.bytes, 'byte')})`)
    landings.push(landing)
  }
  return landings
}

const watch = (landfall: Landfall, landings: Landing[], tick: ReturnType<typeof clock>, signal: AbortSignal) =>
  follow(landfall, landings, { onChange: (run) => tick(...describe(run)), signal })

/** The whole story once, on a runtime of its own that is gone afterwards. */
export async function start(
  files: string[],
  { dataset, engine, json, signal }: OnRuntime & { dataset: string },
): Promise<number> {
  const began = performance.now()
  const tick = clock(began)
  await checkFiles(files, dataset)
  const runtime = await raise({ name: 'start', engine, onProgress: (text) => tick('runtime', text), signal })
  try {
    tick('runtime', `Ready at ${runtime.endpoint}`)
    const landfall = await connect(clientConfig(runtime.endpoint))
    try {
      const folder = runDir(runtime.pid)
      const sample = files.length > 0 ? files : [await writeSample(folder, (text) => tick('generate', text))]
      const landings = await landAll(landfall, sample, dataset, tick)
      const runs = await watch(landfall, landings, tick, signal)
      const answer = dataset === 'sales' ? await query(landfall, SAMPLE_QUERY, SAMPLE_DATABASE, signal) : undefined
      if (json) print(JSON.stringify({ runs, answer, milliseconds: Math.round(performance.now() - began) }))
      else showStart(runs, answer)
      return exitOf(runs)
    } finally {
      landfall.close()
    }
  } finally {
    tick('runtime', 'Stopping')
    await runtime.stop()
  }
}

function showStart(runs: Run[], answer: Answer | undefined) {
  print(`\n${summary(runs)}\n`)
  if (answer)
    print(`The two best sales in Canada and the United States of America, by Athena:\n${answerTable(answer)}\n`)
}

/** Starts a runtime that stays. */
export async function up(options: OnRuntime & { port?: number }): Promise<number> {
  const release = await lockUp()
  if (!release) {
    say('Another landfall up is at work. Wait for it, or end it.')
    return EXIT.usage
  }
  try {
    return await raiseUp(options)
  } finally {
    await release()
  }
}

async function raiseUp({ engine, json, port, signal }: OnRuntime & { port?: number }): Promise<number> {
  const known = await readUp()
  if (known) {
    say(`A runtime is up already, at ${known.endpoint}, with engine ${known.engine}. End it with landfall down.`)
    return EXIT.usage
  }
  const tick = clock()
  const onProgress = (text: string) => tick('runtime', text)
  const runtime = await raise({ name: 'up', engine, port, onProgress, signal })
  const { endpoint, pid, log } = runtime
  const state = { endpoint, pid, engine, startedAt: new Date().toISOString(), log }
  try {
    // In this order: until it is on record, it ends with this process, however that ends.
    await writeUp(state)
    await runtime.detach()
    signal.throwIfAborted()
  } catch (error) {
    await forgetUp()
    await runtime.stop()
    throw error
  }
  if (json) print(JSON.stringify(state))
  else print(`Landfall is up at ${state.endpoint}. Its state is in memory: landfall down forgets it. Log: ${state.log}`)
  return EXIT.done
}

export async function down({ json }: Common): Promise<number> {
  const known = await readUp()
  if (known) await stopRuntime(known.pid)
  await forgetUp()
  if (json) print(JSON.stringify({ stopped: known !== undefined }))
  else print(known ? 'The runtime is down; its objects, tables and history are forgotten.' : 'No runtime was up.')
  return EXIT.done
}

type LandOptions = Common & { dataset: string; wait?: boolean; aws?: boolean }

/** Drops files where files land, and with `wait`, says what became of them. */
export async function landFiles(files: string[], { dataset, wait, json, aws, signal }: LandOptions): Promise<number> {
  await checkFiles(files, dataset)
  const landfall = await target(aws ?? false)
  try {
    const tick = clock()
    const landings = await landAll(landfall, files, dataset, tick)
    if (!wait) {
      if (json) print(JSON.stringify({ landed: landings }))
      return EXIT.done
    }
    const runs = await watch(landfall, landings, tick, signal)
    if (json) print(JSON.stringify({ landed: landings, runs }))
    else print(`\n${summary(runs)}`)
    return exitOf(runs)
  } finally {
    landfall.close()
  }
}

export async function ask(
  sql: string,
  { database, json, aws, signal }: Common & { database: string; aws?: boolean },
): Promise<number> {
  const landfall = await target(aws ?? false)
  try {
    const answer = await query(landfall, sql, database, signal)
    if (json) print(JSON.stringify(answer))
    else {
      print(answerTable(answer))
      say(`${plural(answer.rows.length, 'row')} in ${(answer.milliseconds / 1000).toFixed(2)} s`)
    }
    return EXIT.done
  } finally {
    landfall.close()
  }
}
