import { z } from 'zod'
import { LIVE } from '../ledger/causes.ts'
import { datasetOf, parseProcessingKey, runIdOf, sourceIdOf } from '../ledger/ids.ts'

/** As much of every event that wakes a stage as says what it is about. */
const Heard = z.object({
  id: z.string().optional(),
  'replay-name': z.string().optional(),
  detail: z.object({
    bucket: z.union([z.string(), z.object({ name: z.string() })]).optional(),
    object: z.object({ key: z.string(), 'version-id': z.string().optional() }).optional(),
    key: z.string().optional(),
    rerun: z.string().optional(),
    jobRunId: z.string().optional(),
    crawlerName: z.string().optional(),
  }),
})

export type About = Partial<
  Record<
    'eventId' | 'cause' | 'key' | 'versionId' | 'dataset' | 'sourceId' | 'runId' | 'jobRunId' | 'crawlerName',
    string
  >
>

/**
 * What an event is about, for the log, so that all lines of a run can be found by its id: names and ids, and nothing of
 * what is in a file. Where the event does not say which run it is of, as that of a rerun, the run's own lines do.
 */
export function aboutOf(event: unknown, rawBucket: string | undefined): About {
  const heard = Heard.safeParse(event)
  if (!heard.success) return {}
  const { id: eventId, 'replay-name': replay, detail } = heard.data
  const { bucket, object, rerun, jobRunId, crawlerName } = detail
  const key = object?.key ?? detail.key
  const versionId = object?.['version-id']
  const isRaw = (typeof bucket === 'string' ? bucket : bucket?.name) === rawBucket
  const cause = replay ?? rerun ?? LIVE
  const typed = key === undefined || isRaw ? undefined : parseProcessingKey(key)
  return {
    ...(eventId && { eventId }),
    ...(cause !== LIVE && { cause }),
    ...(key && { key, dataset: datasetOf(key) }),
    ...(versionId && { versionId }),
    ...(key && isRaw && { sourceId: sourceIdOf(key), ...(versionId && { runId: runIdOf(key, versionId, cause) }) }),
    ...(typed && { sourceId: typed.sourceId, runId: typed.runId }),
    ...(jobRunId && { jobRunId }),
    ...(crawlerName && { crawlerName }),
  }
}
