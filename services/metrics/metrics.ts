/** CloudWatch's namespace of our own metrics. Each combination of a metric and its dimensions is paid for by itself. */
export const NAMESPACE = 'Landfall'

/** Whatever folder someone lands in would else be a metric of its own. No dataset can be called this. */
export const NO_CONTRACT = '(no contract)'

/** What each metric counts, in which unit, and by which dimensions besides the dataset. Alarms and dashboard name them by this. */
export const METRICS = {
  /** Landed objects that came to their end; `state`: which one. */
  Files: { unit: 'Count', by: ['state'] },
  /** Rows of delivered files, of replays and reruns as well. */
  RowsAccepted: { unit: 'Count', by: [] },
  /** Rejected rows, also of files that were refused for having too many. */
  RowsRejected: { unit: 'Count', by: [] },
  /** Of CSVs, as they were read. */
  Bytes: { unit: 'Bytes', by: [] },
  /** From the landing of the file, of a member its zip's, until its rows can be queried. Live files only. */
  LandedToQueryable: { unit: 'Milliseconds', by: [] },
  /** Files that failed because their job did. */
  JobFailures: { unit: 'Count', by: [] },
  /** Files whose books did not balance, and objects of the table that someone else deleted. */
  BalanceFailures: { unit: 'Count', by: [] },
  /** Since the file was registered that waits longest for a job or a crawl. Absent while none waits. */
  QueueAge: { unit: 'Seconds', by: ['stage'] },
  /** CSVs that have not come to an end for too long, wherever they are. Absent while there are none. */
  OpenRunsTooOld: { unit: 'Count', by: [] },
  /** Changes of the delivery zone that no crawl has seen yet. Absent while there are none. */
  CatalogBehind: { unit: 'Count', by: [] },
  /** Expected files that did not come, or came too small: once each. */
  OverdueFiles: { unit: 'Count', by: [] },
  /** What the sweep put right: lost events, ends that nobody heard, dead letters without a run, partitions that nobody told of. */
  Mended: { unit: 'Count', by: [] },
} as const satisfies Record<string, { unit: 'Count' | 'Bytes' | 'Seconds' | 'Milliseconds'; by: readonly string[] }>

export type MetricName = keyof typeof METRICS

/** Values of some metrics under the same dimensions, each with as many values as there were. */
export type Entry = { dimensions: Record<string, string>; values: Partial<Record<MetricName, number[]>> }
