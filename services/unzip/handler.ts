import { RerunAsked } from '../../events/rerun-asked.ts'
import { ZipLanded } from '../../events/zip-landed.ts'
import { arrivalOf, rerunArrival } from '../jobs/intake.ts'
import { contracts, ledger, objects, s3, unique } from '../lambda/clients.ts'
import { readEnv, UnzipEnv } from '../lambda/env.ts'
import { type InvocationTime, on, stage } from '../lambda/stage.ts'
import { LIVE } from '../ledger/causes.ts'
import { datasetOf } from '../ledger/ids.ts'
import { closeOrLeave } from '../rerun/close.ts'
import { type UnzipDeps, zipLanded } from './unzip.ts'

const wired = (time: InvocationTime): UnzipDeps => {
  const env = readEnv(UnzipEnv)
  return {
    ledger: ledger(env.LEDGER_TABLE),
    objects: objects(),
    s3: s3(),
    unique,
    contracts: contracts(),
    rawBucket: env.RAW_BUCKET,
    quarantineBucket: env.QUARANTINE_BUCKET,
    processingBucket: env.PROCESSING_BUCKET,
    deliveryBucket: env.DELIVERY_BUCKET,
    time: { ...time, bytesPerSecond: env.UNZIP_BYTES_PER_SECOND },
  }
}

export const handler = stage([
  on(ZipLanded, async (event, { replay, lastReceive, time }) => {
    await zipLanded(wired(time), arrivalOf(event, replay ?? LIVE, lastReceive))
    return undefined
  }),
  on(RerunAsked, async (event, { lastReceive, time }) => {
    const deps = wired(time)
    await zipLanded(deps, rerunArrival(event, lastReceive))
    const dataset = datasetOf(event.detail.key)
    // It may be the last one that the rerun waits for, and no other stage hears of it.
    if (dataset) await closeOrLeave(deps, dataset)
    return undefined
  }),
])
