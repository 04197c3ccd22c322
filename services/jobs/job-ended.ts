import { TryAgain } from '../lambda/errors.ts'
import { parseManifestUri } from '../ledger/ids.ts'
import type { DispatchDeps } from './dispatch.ts'
import { type SettleStage, settle } from './settle.ts'

/**
 * A job run's end, as its event tells: settles the batch that the run's `--manifest` argument names.
 *
 * @returns the dataset to dispatch again; undefined for a run that no batch of ours started.
 */
export async function jobEnded({ deps, stage }: { deps: DispatchDeps; stage: SettleStage }, jobRunId: string) {
  const status = await deps.glue.job(stage.jobName, jobRunId)
  const named = status?.manifest === undefined ? undefined : parseManifestUri(status.manifest)
  if (!named) return undefined
  // The event overtook Glue's own answer; taken for a running job, the batch would wait for the end of its lease.
  if (status?.state === 'running')
    throw new TryAgain('job_still_running', `Glue told of the end of ${jobRunId}, but still says that it runs.`)
  await settle(deps, stage, named.dataset, named.batch, status)
  return named.dataset
}
