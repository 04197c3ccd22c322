import type { S3ObjectEvent } from '../../events/s3-object.ts'
import { runDelivered } from '../jobs/delivered.ts'
import { publishedKeys } from '../jobs/publish.ts'
import type { Mend } from '../ledger/sweeps.ts'
import type { CatalogDeps } from './catalog.ts'

/**
 * Whether someone else has deleted an object that the ledger has in the delivery zone: then rows of the table are missing, and
 * nobody but a person can say whether they are to be.
 * @returns what is missing, in words
 */
export async function deletedByOthers(
  { ledger, objects, deliveryBucket }: Pick<CatalogDeps, 'ledger' | 'objects' | 'deliveryBucket'>,
  event: S3ObjectEvent,
): Promise<Omit<Mend, 'at'> | undefined> {
  const { key } = event.detail.object
  if (event['detail-type'] !== 'Object Deleted') return undefined
  const run = await runDelivered(ledger, key)
  // A publisher takes objects out before it tells the ledger whose they are now, and one that died is taken up again.
  if (!run || (await ledger.head(run))?.lockOwner !== undefined) return undefined
  if (!(await publishedKeys(ledger, run, 'delivery')).includes(key)) return undefined
  if ((await objects.list(deliveryBucket, key)).some((object) => object.key === key)) return undefined
  const { dataset, runId } = run
  const did = `someone else deleted ${key} out of the delivery zone: rows of the table are missing until \`landfall rerun ${dataset} --prefix ${run.key}\` brings them back`
  return { dataset, stage: 'catalog', did, key: run.key, runId }
}
