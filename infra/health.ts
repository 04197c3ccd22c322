import { MathExpression, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import type { Contract } from '../schemas/contract.ts'
import { expectations } from '../schemas/expected.ts'
import { alarm } from './alarms.ts'
import type { Config } from './config.ts'
import { own } from './metric.ts'

/** The stages whose queues are in the ledger. */
export const QUEUED_STAGES = ['convert', 'partition', 'catalog'] as const

/** How a dataset is: alarms on what its runs and the sweep say in metrics of our own. */
export class Health extends Construct {
  constructor(scope: Construct, id: string, { config, contract }: { config: Config; contract: Contract }) {
    super(scope, id)
    const { dataset } = contract
    const { landedToQueryable, queueAge } = config.alarmAbove

    alarm(this, 'FailedFiles', config, {
      metric: own('Files', { dataset, state: 'failed' }),
      says: `A file of ${dataset} failed, which is our fault and not the file's. Run: landfall runs --dataset ${dataset} --state failed, then landfall show RUN.`,
      section: 'failed-files',
    })
    alarm(this, 'BalanceFailures', config, {
      metric: own('BalanceFailures', { dataset }),
      says: `The books of a file of ${dataset} do not balance: nothing of it was published. Keep the file and report a bug.`,
      section: 'balance-failures',
    })
    alarm(this, 'JobFailures', config, {
      metric: own('JobFailures', { dataset }),
      says: `Glue's job failed for a file of ${dataset}, alone as well. Read the job run's log, which landfall show RUN names.`,
      section: 'job-failures',
    })
    alarm(this, 'QueueAge', config, {
      metric: longestWait(dataset),
      from: queueAge.toSeconds(),
      says: `A file of ${dataset} has waited for ${queueAge.toHumanString()} for a job or a crawl. Run: landfall status.`,
      section: 'queue-age',
    })
    alarm(this, 'OpenRuns', config, {
      metric: own('OpenRunsTooOld', { dataset }, { statistic: Stats.MAXIMUM }),
      says: `A file of ${dataset} has come to no end for six hours. Run: landfall runs --dataset ${dataset} --state open.`,
      section: 'runs-that-do-not-end',
    })
    alarm(this, 'LandedToQueryable', config, {
      metric: own('LandedToQueryable', { dataset }, { statistic: Stats.percentile(95), period: Duration.minutes(15) }),
      from: landedToQueryable.toMilliseconds(),
      says: `Files of ${dataset} take more than ${landedToQueryable.toHumanString()} from landing to queryable (95 of 100 take less). Run: landfall status, then landfall show RUN of a slow one.`,
      section: 'landed-to-queryable',
    })
    if (expectations(contract).length > 0)
      alarm(this, 'OverdueFiles', config, {
        metric: own('OverdueFiles', { dataset }),
        says: `An expected file of ${dataset} did not come, or is implausibly small. Run: landfall status, and ask whoever sends it.`,
        section: 'overdue-files',
      })
  }
}

/** Whatever it waits for. */
const longestWait = (dataset: string) =>
  new MathExpression({
    expression: `MAX([${QUEUED_STAGES.join(', ')}])`,
    label: 'QueueAge',
    period: Duration.minutes(5),
    usingMetrics: Object.fromEntries(
      QUEUED_STAGES.map((stage) => [stage, own('QueueAge', { dataset, stage }, { statistic: Stats.MAXIMUM })]),
    ),
  })
