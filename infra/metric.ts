import { Metric, Stats, type Unit } from 'aws-cdk-lib/aws-cloudwatch'
import { Duration } from 'aws-cdk-lib/core'
import { METRICS, type MetricName, NAMESPACE } from '../services/metrics/metrics.ts'

type By<Name extends MetricName> = (typeof METRICS)[Name]['by'][number]

/** A metric of ours under all of its dimensions: CloudWatch has no sum over those that are left out. */
export const own = <Name extends MetricName>(
  name: Name,
  dimensions: Record<'dataset' | By<Name>, string>,
  options: { statistic?: string; period?: Duration; label?: string } = {},
): Metric =>
  new Metric({
    namespace: NAMESPACE,
    metricName: name,
    dimensionsMap: dimensions,
    unit: METRICS[name].unit as Unit,
    statistic: Stats.SUM,
    period: Duration.minutes(5),
    ...options,
  })
