import { CsvLanded } from '../../events/csv-landed.ts'
import { JobEnded } from '../../events/job-ended.ts'
import { RerunAsked } from '../../events/rerun-asked.ts'
import { dispatch } from '../jobs/dispatch.ts'
import { arrivalOf, rerunArrival } from '../jobs/intake.ts'
import { jobEnded } from '../jobs/job-ended.ts'
import { ConvertEnv, readEnv } from '../lambda/env.ts'
import { on, stage, step } from '../lambda/stage.ts'
import { LIVE } from '../ledger/causes.ts'
import { datasetOf } from '../ledger/ids.ts'
import { closeOrLeave } from '../rerun/close.ts'
import { csvLanded } from './convert.ts'
import { convertStage } from './stage.ts'

const wired = () => convertStage(readEnv(ConvertEnv))

export const handler = stage(
  [
    on(CsvLanded, (event, { replay, lastReceive }) =>
      csvLanded(wired().deps, arrivalOf(event, replay ?? LIVE, lastReceive)),
    ),
    on(RerunAsked, async (event, { lastReceive }) => {
      await csvLanded(wired().deps, rerunArrival(event, lastReceive))
      // Also for a key that needs no work: it may be the last one that the rerun waits for.
      return datasetOf(event.detail.key)
    }),
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
