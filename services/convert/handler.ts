import { CsvLanded } from '../../events/csv-landed.ts'
import { JobEnded } from '../../events/job-ended.ts'
import { dispatch } from '../jobs/dispatch.ts'
import { jobEnded } from '../jobs/job-ended.ts'
import { ConvertEnv, readEnv } from '../lambda/env.ts'
import { on, stage } from '../lambda/stage.ts'
import { csvLanded } from './convert.ts'
import { convertStage } from './stage.ts'

const wired = () => convertStage(readEnv(ConvertEnv))

export const handler = stage(
  [
    on(CsvLanded, (event, { replay, lastReceive }) => csvLanded(wired().deps, event, replay ?? 'live', lastReceive)),
    on(JobEnded, ({ detail }) => jobEnded(wired(), detail.jobRunId)),
  ],
  (dataset) => {
    const { deps, stage } = wired()
    return dispatch(deps, stage, dataset)
  },
)
