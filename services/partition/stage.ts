import type { z } from 'zod'
import { compile } from '../../schemas/compiler/plan.ts'
import { contractOf, type DispatchDeps } from '../jobs/dispatch.ts'
import type { SettleStage } from '../jobs/settle.ts'
import { contracts, glue, ledger, objects, unique } from '../lambda/clients.ts'
import type { PartitionEnv } from '../lambda/env.ts'
import { step } from '../lambda/tracer.ts'
import {
  aroundPublishing,
  isHalfPublished,
  isHandedOver,
  type PartitionDeps,
  partitionInputs,
  settlePartitioned,
} from './partition.ts'

export type PartitionWiring = { deps: DispatchDeps & PartitionDeps; stage: SettleStage }

/** `partition` as dispatch and settle know it, over AWS. */
export function partitionStage(env: z.output<typeof PartitionEnv>): PartitionWiring {
  const deps = {
    ledger: ledger(env.LEDGER_TABLE),
    objects: objects(),
    glue: glue(),
    unique,
    contracts: contracts(),
    rawBucket: env.RAW_BUCKET,
    stagingBucket: env.STAGING_BUCKET,
    processingBucket: env.PROCESSING_BUCKET,
    deliveryBucket: env.DELIVERY_BUCKET,
  }
  return {
    deps,
    stage: {
      stage: 'partition',
      jobName: env.JOB_NAME,
      plan: (dataset) => compile(contractOf(deps.contracts, dataset)),
      size: (dataset) => contractOf(deps.contracts, dataset).engine,
      inputs: (run) => partitionInputs(deps, run),
      settle: (run, ...args) => step('publish', () => settlePartitioned(deps, run, ...args), { runId: run.runId }),
      isHandedOver,
      isHalfDone: (run) => isHalfPublished(deps, run),
      around: aroundPublishing(deps),
    },
  }
}
