import { csvLanded } from '../convert/convert.ts'
import { convertStage } from '../convert/stage.ts'
import { lookForOverdue } from '../expected/overdue.ts'
import { tellSeen } from '../expected/tell.ts'
import {
  archives,
  contracts,
  executionRuns,
  glue,
  ledger,
  listing,
  objects,
  put,
  sleep,
  unique,
} from '../lambda/clients.ts'
import { readEnv, SweepEnv } from '../lambda/env.ts'
import { isRefusal } from '../lambda/errors.ts'
import { logger, scheduled } from '../lambda/stage.ts'
import type { OpenRerun } from '../ledger/reruns.ts'
import { noteMends } from '../ledger/sweeps.ts'
import { mendedEntries } from '../metrics/mended.ts'
import { waitingEntries } from '../metrics/waiting.ts'
import { write } from '../metrics/write.ts'
import { queueOverdue } from '../partition/partition.ts'
import { partitionStage } from '../partition/stage.ts'
import { reconcile } from './reconcile.ts'
import { unheardReplays } from './replays.ts'
import { sweep } from './sweep.ts'

export const handler = scheduled(async ({ left: timeLeft }) => {
  const env = readEnv(SweepEnv)
  const partition = partitionStage({ ...env, JOB_NAME: env.PARTITION_JOB_NAME })
  const convert = convertStage({ ...env, JOB_NAME: env.CONVERT_JOB_NAME })
  const stages = [
    { ...convert, deps: { ...convert.deps, timeLeft } },
    {
      ...partition,
      deps: { ...partition.deps, timeLeft },
      overdue: (dataset: string) => queueOverdue(partition.deps, dataset),
    },
  ]
  const catalog = {
    ledger: ledger(env.LEDGER_TABLE),
    objects: objects(),
    glue: glue(),
    contracts: contracts(),
    crawlers: env.CRAWLERS,
    deliveryBucket: env.DELIVERY_BUCKET,
    sleep,
    unique,
  }
  const reruns = {
    isRunning: executionRuns,
    take: async (key: string, { rerun, only, since }: OpenRerun) => {
      await csvLanded(convert.deps, { bucket: env.RAW_BUCKET, key, cause: rerun, filter: { only, since } })
    },
  }
  // First, so that what they find is dispatched at once.
  const found = await reconcile(env, convert)
  const { swept, waits, errors } = await sweep(stages, catalog, [...contracts().keys()], reruns)
  const mended = [...found.swept, ...swept]
  for (const did of mended) logger.warn('The sweep mended what a lost wake-up left', did)
  for (const why of found.told) logger.warn(why.did, why)
  for (const why of waits) logger.info('The sweep leaves it to the next', why)
  const also = async (what: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      // Throttled, say: the next minute looks again, and an error here would alarm for nothing.
      if (isRefusal(error)) errors.push(error)
      else logger.info(`The sweep leaves ${what} to the next`, { error: error as Error })
    }
  }
  for (const error of found.errors) await also('what landed, and the dead letters,', () => Promise.reject(error))
  await also('what it mended', async () => {
    write(mendedEntries(mended, contracts()))
    await noteMends(catalog.ledger, mended)
  })
  await also('replays', async () => {
    const replays = () => archives(env.ARCHIVE).replays()
    for (const words of await unheardReplays({ ledger: catalog.ledger, replays })) logger.warn(words)
  })
  const expected = { ledger: catalog.ledger, listing: listing(env.LEDGER_TABLE) }
  const telling = {
    warn: (words: string, fields: Record<string, unknown>) => logger.warn(words, fields),
    write,
    put: put(),
  }
  for (const [dataset, contract] of contracts()) {
    await also(`what ${dataset} expects`, async () => tellSeen(telling, await lookForOverdue(expected, contract)))
    await also(`how long ${dataset} waits`, async () => write(await waitingEntries(catalog.ledger, dataset)))
  }
  // What is thrown is logged without its parts.
  for (const error of errors) logger.error('A check of the sweep failed', { error: error as Error })
  if (errors.length > 0) throw new AggregateError(errors, `The sweep could not finish ${errors.length} of its checks`)
})
