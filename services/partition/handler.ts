import { JobEnded } from '../../events/job-ended.ts'
import { ParquetProcessed } from '../../events/parquet-processed.ts'
import { dispatch } from '../jobs/dispatch.ts'
import { jobEnded } from '../jobs/job-ended.ts'
import { PartitionEnv, readEnv } from '../lambda/env.ts'
import { on, stage, step } from '../lambda/stage.ts'
import { closeOrLeave } from '../rerun/close.ts'
import { parquetProcessed } from './partition.ts'
import { partitionStage } from './stage.ts'

const wired = () => partitionStage(readEnv(PartitionEnv))

export const handler = stage(
  [
    on(ParquetProcessed, (event, { replay }) => parquetProcessed(wired().deps, event, replay)),
    on(JobEnded, ({ detail: { jobRunId } }, { time }) => {
      const { deps, stage } = wired()
      return step('settle', () => jobEnded({ deps: { ...deps, timeLeft: time.left }, stage }, jobRunId), { jobRunId })
    }),
  ],
  async (dataset) => {
    const { deps, stage } = wired()
    await dispatch(deps, stage, dataset)
    await closeOrLeave(deps, dataset)
  },
)
