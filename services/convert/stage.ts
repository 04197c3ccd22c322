import type { z } from 'zod'
import { compile } from '../../schemas/compiler/plan.ts'
import { contractOf, type DispatchDeps } from '../jobs/dispatch.ts'
import type { SettleStage } from '../jobs/settle.ts'
import { contracts, glue, ledger, objects, unique } from '../lambda/clients.ts'
import type { ConvertEnv } from '../lambda/env.ts'
import { step } from '../lambda/tracer.ts'
import { type ConvertDeps, convertInputs, settleConverted } from './convert.ts'

export type ConvertWiring = { deps: DispatchDeps & ConvertDeps; stage: SettleStage }

/** `convert` as dispatch and settle know it, over AWS. */
export function convertStage(env: z.output<typeof ConvertEnv>): ConvertWiring {
  const deps = {
    ledger: ledger(env.LEDGER_TABLE),
    objects: objects(),
    glue: glue(),
    unique,
    contracts: contracts(),
    rawBucket: env.RAW_BUCKET,
    stagingBucket: env.STAGING_BUCKET,
    processingBucket: env.PROCESSING_BUCKET,
    quarantineBucket: env.QUARANTINE_BUCKET,
  }
  return {
    deps,
    stage: {
      stage: 'convert',
      jobName: env.JOB_NAME,
      plan: (dataset) => compile(contractOf(deps.contracts, dataset)),
      size: (dataset) => contractOf(deps.contracts, dataset).engine,
      inputs: (run) => convertInputs(deps, run),
      settle: (run, ...args) => step('publish', () => settleConverted(deps, run, ...args), { runId: run.runId }),
    },
  }
}
