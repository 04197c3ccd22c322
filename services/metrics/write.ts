import { Metrics } from '@aws-lambda-powertools/metrics'
import { type Entry, METRICS, type MetricName, NAMESPACE } from './metrics.ts'

const metrics = new Metrics({ namespace: NAMESPACE })
// Which function saw a file end is no question that anyone has: the `service` would only multiply the metrics.
metrics.clearDefaultDimensions()

/** A line of CloudWatch's embedded metric format for each entry, on standard output. */
export function write(entries: Entry[]): void {
  for (const { dimensions, values } of entries) {
    metrics.addDimensions(dimensions)
    let written = 0
    for (const [name, all = []] of Object.entries(values) as [MetricName, number[] | undefined][])
      for (const value of all) {
        metrics.addMetric(name, METRICS[name].unit, value)
        // A line has at most 100 values of a metric, and Powertools forgets the dimensions when it writes one by itself.
        if (++written % 99 === 0) {
          metrics.publishStoredMetrics()
          metrics.addDimensions(dimensions)
        }
      }
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
    else metrics.clearDimensions()
  }
}
