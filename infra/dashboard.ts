import { Dashboard, GraphWidget, type IMetric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Duration } from 'aws-cdk-lib/core'
import { Construct } from 'constructs'
import { END_STATES } from '../services/ledger/run.ts'
import { NO_CONTRACT } from '../services/metrics/metrics.ts'
import { QUEUED_STAGES } from './health.ts'
import { own } from './metric.ts'
import type { Stage } from './stage.ts'
import type { Sweep } from './sweep.ts'

export interface OverviewProps {
  datasets: string[]
  stages: Stage[]
  sweep: Sweep
}

/** The one dashboard: what landed and became of it, how long it took, what waits, and what is in trouble. */
export class Overview extends Construct {
  constructor(scope: Construct, id: string, { datasets, stages, sweep }: OverviewProps) {
    super(scope, id)
    const each = (metric: (dataset: string) => IMetric[]) => datasets.flatMap(metric)
    const functions = [...stages, sweep]
    const deadLetters = scope.node
      .findAll()
      .filter((child): child is Queue => child instanceof Queue && child.node.id === 'DeadLetters')

    const graph = (title: string, left: IMetric[], stacked = false) =>
      new GraphWidget({ title, left, stacked, width: 8, height: 6, leftYAxis: { min: 0 } })

    new Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.hours(24),
      widgets: [
        [
          graph(
            'Files by state',
            [...datasets, NO_CONTRACT].flatMap((dataset) =>
              (dataset === NO_CONTRACT ? (['refused'] as const) : END_STATES).map((state) =>
                own('Files', { dataset, state }, { label: `${dataset} ${state}` }),
              ),
            ),
            true,
          ),
          graph(
            'Rows',
            each((dataset) => [
              own('RowsAccepted', { dataset }, { label: `${dataset} accepted` }),
              own('RowsRejected', { dataset }, { label: `${dataset} rejected` }),
            ]),
          ),
          graph(
            'Landed to queryable (ms)',
            each((dataset) =>
              [50, 95].map((p) =>
                own(
                  'LandedToQueryable',
                  { dataset },
                  { statistic: Stats.percentile(p), label: `${dataset} ${p} of 100` },
                ),
              ),
            ),
          ),
        ],
        [
          graph(
            'Longest wait in the ledger (s)',
            each((dataset) =>
              QUEUED_STAGES.map((stage) =>
                own('QueueAge', { dataset, stage }, { statistic: Stats.MAXIMUM, label: `${dataset} ${stage}` }),
              ),
            ),
          ),
          graph(
            'Oldest event of a stage (s)',
            stages.map(({ node, queue }) => queue.metricApproximateAgeOfOldestMessage({ label: node.id })),
          ),
          graph(
            'Crawler: changes of delivery that it has not seen',
            each((dataset) => [own('CatalogBehind', { dataset }, { statistic: Stats.MAXIMUM, label: dataset })]),
          ),
        ],
        [
          graph(
            'Dead letters',
            deadLetters.map((queue) =>
              queue.metricApproximateNumberOfMessagesVisible({
                statistic: Stats.MAXIMUM,
                label: queue.node.path.split('/').slice(1, -1).join(' '),
              }),
            ),
            true,
          ),
          graph(
            'Failures, overdue files, what the sweep mended',
            each((dataset) =>
              (['JobFailures', 'BalanceFailures', 'OverdueFiles', 'Mended'] as const).map((name) =>
                own(name, { dataset }, { label: `${dataset} ${name}` }),
              ),
            ),
          ),
          graph(
            'Errors of functions',
            functions.map((each) => each.function.metricErrors({ label: each.node.id })),
          ),
        ],
      ],
    })
  }
}
