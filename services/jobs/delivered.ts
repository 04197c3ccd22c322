import { type DeliveryKey, parseDeliveryKey } from '../ledger/ids.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Run, SourceRef } from '../ledger/run.ts'
import { publishedKeys } from './publish.ts'

/** The run that an object of the delivery zone is of: of those now in the table, or of a version that people are switched from. */
export async function runDelivered(ledger: Ledger, key: string): Promise<Run | undefined> {
  const at = parseDeliveryKey(key)
  return at && (await deliveredBy(ledger, at))
}

/** Of a version that people are being switched from, what is still there is of the last run that was published under it. */
async function deliveredBy(ledger: Ledger, at: DeliveryKey): Promise<Run | undefined> {
  const { dataset, sourceId, version } = at
  const source: SourceRef = { dataset, sourceId }
  const head = await ledger.head(source)
  if ((head?.deliveryVersion ?? 1) === version)
    return head?.deliveryRun === undefined ? undefined : await ledger.run({ ...source, runId: head.deliveryRun })
  const runs = (await ledger.runs(source)).filter(({ contractVersion = 1 }) => contractVersion === version)
  for (const run of runs.sort((a, b) => b.seq - a.seq))
    if ((await publishedKeys(ledger, run, 'delivery')).length > 0) return run
  return undefined
}
